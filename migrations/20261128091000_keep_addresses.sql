-- What is known of addresses that did not accept: whose fault it was is found out from several attempts.
CREATE TABLE addresses (
    address        TEXT    NOT NULL PRIMARY KEY,
    -- It was found at fault then, and stays so until it accepts.
    at_fault_at    BIGINT,
    -- Deferrals that count, and when the first and the last of them were.
    deferrals      BIGINT  NOT NULL,
    deferred_first BIGINT,
    deferred_last  BIGINT,
    -- A mail to operators has named it.
    told           BOOLEAN NOT NULL,
    noted_at       BIGINT  NOT NULL
);
-- Of what was refused before only what a code says is the recipient's is still held against an address.
INSERT INTO addresses (address, at_fault_at, deferrals, deferred_first, deferred_last, told, noted_at)
SELECT refused.address, MIN(refused.settled_at), 0, NULL, NULL, TRUE, MAX(refused.settled_at) FROM outbox AS refused
WHERE refused.address IS NOT NULL AND refused.settled_at IS NOT NULL AND refused.state = 'failed' AND refused.user_id IS NOT NULL
    AND (refused.last_code = 'refused' OR refused.last_error LIKE '5.1.1 %' OR refused.last_error LIKE '5.1.2 %'
        OR refused.last_error LIKE '5.1.6 %' OR refused.last_error LIKE '5.1.10 %' OR refused.last_error LIKE '5.2.1 %')
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS accepted WHERE accepted.user_id = refused.user_id AND accepted.address = refused.address
            AND accepted.state = 'sent' AND accepted.settled_at > refused.settled_at)
GROUP BY refused.address;

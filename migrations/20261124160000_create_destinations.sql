-- Webhooks: rows with a frozen body, and what is known of each endpoint.

-- Rows of one key go to a destination one after the other; none where order does not matter.
ALTER TABLE outbox ADD COLUMN ordering_key TEXT;
-- The bytes of a webhook, equal on every attempt. A mail is written when it is sent.
ALTER TABLE outbox ADD COLUMN body TEXT;

-- Each destination claims its own rows.
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (channel, urgent_at, next_at) WHERE state IN ('pending', 'ambiguous');
CREATE INDEX outbox_in_order ON outbox (channel, ordering_key, position)
    WHERE ordering_key IS NOT NULL AND state IN ('pending', 'leased', 'ambiguous');

-- The budgets of mail count its attempts alone.
ALTER TABLE attempts ADD COLUMN channel TEXT NOT NULL DEFAULT 'email';
DROP INDEX attempts_by_time;
CREATE INDEX attempts_by_time ON attempts (channel, started_at);

-- An endpoint that did not take what it was sent; one that always did has no row.
CREATE TABLE destinations (
    name          TEXT   NOT NULL PRIMARY KEY,
    state         TEXT   NOT NULL CHECK (state IN ('active', 'paused', 'dead')),
    paused_until  BIGINT,
    reason        TEXT,
    failures      BIGINT NOT NULL,
    failing_since BIGINT,
    refusals      BIGINT NOT NULL
);

-- What chats are to hear of at the end of the pass: written with what it tells of, gone with the
-- message that says it.
CREATE TABLE chat_lines (
    id       BIGINT NOT NULL PRIMARY KEY,
    event    TEXT   NOT NULL,
    policy   TEXT,
    deadline BIGINT,
    line     TEXT   NOT NULL
);

-- A row of the outbox says in columns what it is: what it asks of the person, whether its deadline still
-- moves, whether decisions look at what becomes of it, who has it on lease and until when. A column means
-- one thing: a row waits when it has a time of its next attempt, is leased when its lease has an end, and is
-- over when it was settled. So nothing else in SQL has to list states or events.

CREATE TABLE outbox_anew (
    id            TEXT    NOT NULL PRIMARY KEY,
    dedup_key     TEXT    NOT NULL UNIQUE,
    position      BIGINT  NOT NULL,
    -- 'email', or the name of a webhook.
    destination   TEXT    NOT NULL,
    event         TEXT    NOT NULL,
    asks          TEXT    NOT NULL CHECK (asks IN ('notice', 'flag', 'thanks', 'news')),
    policy        TEXT,
    user_id       TEXT,
    sequence      BIGINT  NOT NULL,
    moves         BIGINT  NOT NULL,
    step          TEXT,
    -- Of mails alone.
    address       TEXT,
    name          TEXT,
    language      TEXT,
    opened_at     BIGINT,
    deadline      BIGINT,
    -- Nobody was told of the deadline yet: it is computed from the standing at each first attempt.
    floats        BOOLEAN NOT NULL,
    -- What becomes of it is a fact of the next decision about the person.
    is_fact       BOOLEAN NOT NULL,
    must_register BOOLEAN NOT NULL,
    title         TEXT,
    lines         TEXT,
    -- The bytes of a webhook, equal on every attempt. A mail is written when it is sent.
    body          TEXT,
    -- Rows of one key go to a destination one after the other; none where order does not matter.
    ordering_key  TEXT,
    queued_at     BIGINT  NOT NULL,
    not_after     BIGINT,
    -- Who goes first at a destination: the smaller, then the older.
    turn          BIGINT  NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN
        ('pending', 'leased', 'sent', 'ambiguous', 'failed', 'superseded', 'expired', 'dead')),
    attempts      BIGINT  NOT NULL,
    -- The outcome was lost, and that used up the one resend of a mail.
    resent        BOOLEAN NOT NULL,
    -- Some attempt may have arrived: the next one says the same.
    in_doubt      BOOLEAN NOT NULL,
    next_at       BIGINT,
    leased_by     TEXT,
    leased_until  BIGINT,
    last_code     TEXT,
    last_error    TEXT,
    settled_at    BIGINT,
    -- The Message-ID of a mail, the webhook-id of a webhook: always the same.
    message_id    TEXT    NOT NULL,
    CHECK ((next_at IS NOT NULL) = (state IN ('pending', 'ambiguous'))),
    CHECK ((leased_until IS NOT NULL) = (state = 'leased')),
    CHECK ((settled_at IS NOT NULL) = (state IN ('sent', 'failed', 'superseded', 'expired', 'dead')))
);

INSERT INTO outbox_anew (id, dedup_key, position, destination, event, asks, policy, user_id, sequence, moves, step, address, name, language,
    opened_at, deadline, floats, is_fact, must_register, title, lines, body, ordering_key, queued_at, not_after, turn, state, attempts,
    resent, in_doubt, next_at, leased_by, leased_until, last_code, last_error, settled_at, message_id)
SELECT id, dedup_key, position, channel, event,
    CASE WHEN event IN ('window.opened', 'window.reminder', 'window.extended', 'window.resumed') THEN 'notice'
         WHEN event = 'enforcement.needed' THEN 'flag'
         WHEN event = 'user.registered' THEN 'thanks'
         ELSE 'news' END,
    policy, user_id, sequence, moves, step, CASE WHEN channel = 'email' THEN address END, name, language, opened_at, deadline,
    channel = 'email' AND announces = TRUE, policy IS NOT NULL AND (channel = 'email' OR announces = TRUE), must_register, title, lines, body, ordering_key,
    queued_at, not_after, urgent_at, state, attempts, resent,
    resent = TRUE OR EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery_id = outbox.id AND attempts.outcome IN ('ambiguous', 'stopped')),
    CASE WHEN state IN ('pending', 'ambiguous') THEN COALESCE(next_at, queued_at) END,
    CASE WHEN state = 'leased' THEN 'a stop' END,
    CASE WHEN state = 'leased' THEN queued_at END,
    last_code, last_error,
    CASE WHEN state IN ('sent', 'failed', 'superseded', 'expired', 'dead') THEN COALESCE(settled_at, queued_at) END,
    message_id
FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_anew RENAME TO outbox;

CREATE INDEX outbox_waiting ON outbox (destination, turn, position, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_in_order ON outbox (destination, ordering_key, position) WHERE ordering_key IS NOT NULL AND settled_at IS NULL;
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX outbox_by_user ON outbox (user_id);
CREATE INDEX outbox_by_position ON outbox (position);
CREATE INDEX outbox_expiring ON outbox (not_after) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_bodies ON outbox (settled_at) WHERE body IS NOT NULL AND settled_at IS NOT NULL;
-- The last recipients of mails say whether its way works; webhooks say nothing about that.
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE address IS NOT NULL AND settled_at IS NOT NULL;

ALTER TABLE attempts RENAME COLUMN channel TO destination;

-- What is to be said at the end of the pass, to operators or to chats: written with what it tells of,
-- gone with the messages that say it.
CREATE TABLE lines (
    id       BIGINT NOT NULL PRIMARY KEY,
    audience TEXT   NOT NULL CHECK (audience IN ('operators', 'chats')),
    event    TEXT   NOT NULL,
    topic    TEXT   NOT NULL,
    policy   TEXT,
    deadline BIGINT,
    -- Since when a hold stands.
    since    BIGINT,
    line     TEXT   NOT NULL
);
INSERT INTO lines (id, audience, event, topic, line)
SELECT id, 'operators', CASE WHEN topic IN ('unreachable', 'dead_endpoint') THEN 'delivery.dead' ELSE 'digest' END, topic, line
FROM operator_lines;
INSERT INTO lines (id, audience, event, topic, policy, deadline, line)
SELECT id + (SELECT COALESCE(MAX(id), 0) FROM operator_lines), 'chats', event, '', policy, deadline, line FROM chat_lines;
DROP TABLE operator_lines;
DROP TABLE chat_lines;

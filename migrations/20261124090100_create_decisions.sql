-- What was decided: memory, journal, mails and holds. Written together, one transaction a batch.

CREATE TABLE policies (
    name       TEXT   NOT NULL PRIMARY KEY,
    enforce    TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    first_pass BIGINT NOT NULL,
    on_again   BIGINT
);

-- The memory of one person under one policy. Whoever has nothing to remember has no row.
CREATE TABLE standings (
    policy    TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    sequence  BIGINT  NOT NULL,
    is_open   BOOLEAN NOT NULL,
    next_at   BIGINT,
    memory    TEXT    NOT NULL,
    PRIMARY KEY (policy, user_id)
);
CREATE INDEX standings_by_user ON standings (user_id);
CREATE INDEX standings_due ON standings (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE journal (
    id       BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    policy   TEXT,
    user_id  TEXT,
    sequence BIGINT,
    step     TEXT,
    deadline BIGINT,
    rehearsed BOOLEAN NOT NULL,
    hold     TEXT,
    reasons  TEXT   NOT NULL
);
CREATE INDEX journal_by_user ON journal (user_id);
CREATE INDEX journal_by_kind ON journal (kind, at);

CREATE TABLE outbox (
    id            TEXT    NOT NULL PRIMARY KEY,
    dedup_key     TEXT    NOT NULL UNIQUE,
    position      BIGINT  NOT NULL,
    channel       TEXT    NOT NULL,
    event         TEXT    NOT NULL,
    policy        TEXT,
    user_id       TEXT,
    sequence      BIGINT  NOT NULL,
    moves         BIGINT  NOT NULL,
    step          TEXT,
    address       TEXT    NOT NULL,
    name          TEXT,
    language      TEXT,
    opened_at     BIGINT,
    deadline      BIGINT,
    announces     BOOLEAN NOT NULL,
    must_register BOOLEAN NOT NULL,
    title         TEXT,
    lines         TEXT,
    queued_at     BIGINT  NOT NULL,
    not_after     BIGINT,
    urgent_at     BIGINT  NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN
        ('pending', 'leased', 'sent', 'ambiguous', 'failed', 'superseded', 'expired', 'dead')),
    attempts      BIGINT  NOT NULL,
    resent        BOOLEAN NOT NULL,
    next_at       BIGINT,
    last_code     TEXT,
    last_error    TEXT,
    settled_at    BIGINT,
    message_id    TEXT    NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (urgent_at, next_at) WHERE state IN ('pending', 'ambiguous');
CREATE INDEX outbox_leased ON outbox (id) WHERE state = 'leased';
CREATE INDEX outbox_by_user ON outbox (user_id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE state IN ('sent', 'failed');
CREATE INDEX outbox_by_position ON outbox (position);

CREATE TABLE attempts (
    delivery_id TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    outcome     TEXT,
    code        TEXT,
    PRIMARY KEY (delivery_id, number)
);
CREATE INDEX attempts_by_time ON attempts (started_at);

-- A hold that stands, or one that an operator approved.
CREATE TABLE holds (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    policy      TEXT,
    since       BIGINT NOT NULL,
    listed_at   BIGINT NOT NULL,
    stands      BOOLEAN NOT NULL,
    text        TEXT   NOT NULL,
    evidence    TEXT   NOT NULL,
    approved_at BIGINT,
    approved_by TEXT,
    reason      TEXT
);

-- Whose flags wait for an approval of the hold.
CREATE TABLE hold_people (
    hold_id TEXT NOT NULL,
    policy  TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (hold_id, policy, user_id)
);

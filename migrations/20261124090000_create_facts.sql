-- Facts as the sources tell them: who there is, what they registered, what they did.
-- Portable subset: ids and states TEXT, instants BIGINT Unix microseconds, BOOLEAN, JSON as TEXT.

-- Small things that are true of the whole database.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row per source: what was accepted last, and what went wrong since.
CREATE TABLE sources (
    name             TEXT   NOT NULL PRIMARY KEY,
    as_of            BIGINT,
    previous_as_of   BIGINT,
    accepted_at      BIGINT,
    rows_read        BIGINT NOT NULL DEFAULT 0,
    error            TEXT,
    error_at         BIGINT
);

-- The files a source was read from; one that has not changed is not read again.
CREATE TABLE parts (
    id           BIGINT NOT NULL PRIMARY KEY,
    source       TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    fingerprint  TEXT   NOT NULL,
    as_of        BIGINT NOT NULL,
    rows_read    BIGINT NOT NULL,
    UNIQUE (source, name)
);

CREATE TABLE people (
    id                  TEXT    NOT NULL PRIMARY KEY,
    user_principal_name TEXT    NOT NULL,
    upn_key             TEXT    NOT NULL,
    display_name        TEXT,
    mail                TEXT,
    kind                TEXT    NOT NULL CHECK (kind IN ('member', 'guest', 'agent', 'sync')),
    enabled             BOOLEAN NOT NULL,
    created_at          BIGINT,
    preferred_language  TEXT,
    gone_at             BIGINT,
    part                BIGINT  NOT NULL
);
CREATE INDEX people_by_name ON people (upn_key);
CREATE INDEX people_by_part ON people (part);

CREATE TABLE registrations (
    user_id                    TEXT   NOT NULL PRIMARY KEY,
    level                      TEXT   NOT NULL CHECK (level IN ('missing', 'passwordless', 'capable')),
    detail                     TEXT   NOT NULL,
    absent_since               BIGINT,
    capable_done_as_of         BIGINT,
    capable_missing_since      BIGINT,
    passwordless_done_as_of    BIGINT,
    passwordless_missing_since BIGINT,
    part                       BIGINT NOT NULL
);
CREATE INDEX registrations_by_part ON registrations (part);
-- Losses that are doubted or were confirmed: every new report looks at them again.
CREATE INDEX registrations_lost ON registrations (user_id)
    WHERE capable_done_as_of IS NOT NULL OR passwordless_done_as_of IS NOT NULL;
CREATE INDEX registrations_missing ON registrations (user_id) WHERE level <> 'capable';

CREATE TABLE directory_groups (
    id           TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL
);

-- Members of the groups that policies name: transitively, or direct ones only.
CREATE TABLE memberships (
    group_id TEXT    NOT NULL,
    direct   BOOLEAN NOT NULL,
    user_id  TEXT    NOT NULL,
    PRIMARY KEY (group_id, direct, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE sign_ins (
    id              TEXT    NOT NULL PRIMARY KEY,
    user_id         TEXT    NOT NULL,
    at              BIGINT  NOT NULL,
    code            BIGINT  NOT NULL,
    route           TEXT    NOT NULL,
    app             TEXT,
    multifactor_met BOOLEAN NOT NULL
);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);
CREATE INDEX sign_ins_by_age ON sign_ins (at);

-- The last sign-ins that cannot be prompts, one row a person: hints for the explanation.
CREATE TABLE activity (
    user_id            TEXT NOT NULL PRIMARY KEY,
    non_interactive_at BIGINT,
    legacy_at          BIGINT
);

CREATE TABLE audits (
    id      TEXT   NOT NULL PRIMARY KEY,
    user_id TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL
);
CREATE INDEX audits_by_user ON audits (user_id);
CREATE INDEX audits_by_age ON audits (at);

-- What operators did, facts like any other.
CREATE TABLE acts (
    id      BIGINT NOT NULL PRIMARY KEY,
    user_id TEXT   NOT NULL,
    policy  TEXT,
    kind    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    reason  TEXT   NOT NULL,
    actor   TEXT   NOT NULL,
    ticket  TEXT
);
CREATE INDEX acts_by_user ON acts (user_id);

-- Whose facts changed since the last decision about them. The mark counts the changes, so that
-- one that arrives while a decision is being made is not forgotten with it.
CREATE TABLE changed (
    user_id TEXT   NOT NULL PRIMARY KEY,
    mark    BIGINT NOT NULL
);

-- Rows of the sources that could not be read, the newest of each file.
CREATE TABLE quarantine (
    source TEXT   NOT NULL,
    file   TEXT   NOT NULL,
    line   BIGINT NOT NULL,
    reason TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (source, file, line)
);

-- When a hold is told of, and when its end is: one that comes back within a day is the same. Of those that
-- an earlier version raised, everybody was told.
ALTER TABLE holds ADD COLUMN stood_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE holds ADD COLUMN ended_at BIGINT;
ALTER TABLE holds ADD COLUMN told BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE holds ADD COLUMN end_told BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE holds SET stood_from = since;
UPDATE holds SET ended_at = listed_at, end_told = TRUE WHERE stands = FALSE;

-- What sign-ins of the window showed of registering, as of the last decision: a mail says it as of its
-- attempt.
ALTER TABLE standings ADD COLUMN must_register BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE standings ADD COLUMN blocked_code BIGINT;
ALTER TABLE standings ADD COLUMN blocked_at BIGINT;
ALTER TABLE outbox DROP COLUMN must_register;
CREATE INDEX standings_blocked ON standings (blocked_at, user_id) WHERE blocked_code IS NOT NULL;

-- Whom a line for operators names, and whom their mails name as kept from registering.
ALTER TABLE lines ADD COLUMN user_id TEXT;
CREATE TABLE reported (
    user_id     TEXT   NOT NULL,
    delivery_id TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (user_id, delivery_id)
);

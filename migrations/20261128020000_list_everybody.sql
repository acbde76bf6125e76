-- Lists and counts are read, not decided: each decision leaves what `users`, `status` and
-- `enforcement plan` show of a person, so everybody has a row under every policy.

-- What was decided last about one person under one policy, and what is remembered of it.
CREATE TABLE listed_standings (
    user_id          TEXT    NOT NULL,
    policy           TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    registered       BOOLEAN NOT NULL,
    -- What a mail may ask of the person; of a database that was there before nothing, until everybody
    -- was decided about again.
    asks             TEXT    CHECK (asks IN ('notice', 'flag', 'thanks')),
    -- The policy is on and reaches the person.
    in_scope         BOOLEAN NOT NULL,
    sequence         BIGINT  NOT NULL DEFAULT 0,
    is_open          BOOLEAN NOT NULL DEFAULT FALSE,
    window_opened_at BIGINT,
    -- Of a window that is not paused. While nobody was told, it is no earlier than the present
    -- plus `window_notice`, which moves on: only a reader knows it.
    window_deadline  BIGINT,
    window_notice    BIGINT,
    -- What was left when the clock stopped.
    window_left      BIGINT,
    bypasses         BIGINT  NOT NULL DEFAULT 0,
    may_skip         BOOLEAN NOT NULL DEFAULT FALSE,
    enforcement      TEXT    CHECK (enforcement IN ('needed', 'would_need', 'released')),
    enforced_at      BIGINT,
    lost_again       BOOLEAN NOT NULL DEFAULT FALSE,
    next_at          BIGINT,
    next_action      TEXT,
    -- Whoever has nothing to remember has none: most of a directory.
    memory           TEXT,
    PRIMARY KEY (user_id, policy)
);
INSERT INTO listed_standings (user_id, policy, state, registered, in_scope, sequence, is_open, next_at, memory)
    SELECT user_id, policy, state, state = 'registered', FALSE, sequence, is_open, next_at, memory FROM standings;
DROP TABLE standings;
ALTER TABLE listed_standings RENAME TO standings;

-- In the order of a key, each with what makes the order whole; only over the few who have one.
CREATE INDEX standings_due ON standings (next_at, user_id, policy) WHERE next_at IS NOT NULL;
CREATE INDEX standings_by_deadline ON standings (window_deadline, user_id, policy) WHERE is_open = TRUE AND window_deadline IS NOT NULL;
CREATE INDEX standings_untold ON standings (window_notice, user_id, policy) WHERE window_notice IS NOT NULL;
CREATE INDEX standings_past ON standings (user_id, policy) WHERE state IN ('overdue_checking', 'enforcement_needed');
CREATE INDEX standings_lost_again ON standings (user_id, policy) WHERE lost_again = TRUE;

-- How many people are in each state, kept with every decision.
CREATE TABLE counts (
    policy   TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    people   BIGINT NOT NULL,
    PRIMARY KEY (policy, state)
);
INSERT INTO counts (policy, state, people) SELECT policy, state, COUNT(*) FROM standings GROUP BY policy, state;

-- A person is looked for by mail address, which mostly is the user principal name.
CREATE INDEX people_by_mail ON people (LOWER(mail)) WHERE LOWER(mail) <> upn_key;

-- The rows of a database that was there before are whole once everybody was decided about again.
INSERT INTO meta (key, value) SELECT 'sweep', '' WHERE EXISTS (SELECT 1 FROM people)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
INSERT INTO meta (key, value) SELECT 'unlisted', '' WHERE EXISTS (SELECT 1 FROM people)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;

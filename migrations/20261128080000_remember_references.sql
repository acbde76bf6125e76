-- How exported groups name their members where that is not by the id of a person who is known: what
-- each name meant, so that one that comes to mean nobody holds its policy.
CREATE TABLE member_references (
    group_id  TEXT   NOT NULL,
    reference TEXT   NOT NULL,
    state     TEXT   NOT NULL CHECK (state IN ('known', 'new', 'lost', 'nobody')),
    -- Of a new one: when the first users snapshot that lacked it was accepted.
    lacked    BIGINT,
    PRIMARY KEY (group_id, reference)
);

-- Of the sign-ins that no rule counts, a person's newest of each class: any number of wrong passwords is one row.
CREATE TABLE newest_sign_ins (
    user_id         TEXT    NOT NULL,
    class           TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    at              BIGINT  NOT NULL,
    code            BIGINT  NOT NULL,
    route           TEXT    NOT NULL,
    app             TEXT,
    multifactor_met BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, class)
);
CREATE INDEX newest_sign_ins_by_age ON newest_sign_ins (at);

-- Only the table of result codes, which is no part of the database, tells which of the rows that are there are such: passes sort
-- them, a stretch each.
INSERT INTO meta (key, value) SELECT 'unsorted_sign_ins', '' WHERE EXISTS (SELECT 1 FROM sign_ins);

-- What operators are to hear of in the next mail: written with the decision that they hear of,
-- gone with the mail that says it.
CREATE TABLE operator_lines (
    id    BIGINT NOT NULL PRIMARY KEY,
    topic TEXT   NOT NULL,
    line  TEXT   NOT NULL
);

-- The next number of each series: a batch takes as many as it has rows, in its own transaction.
CREATE TABLE counters (
    name TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

INSERT INTO counters (name, next) SELECT 'journal', COALESCE(MAX(id), 0) + 1 FROM journal;
INSERT INTO counters (name, next) SELECT 'outbox', COALESCE(MAX(position), 0) + 1 FROM outbox;
INSERT INTO counters (name, next) SELECT 'lines', COALESCE(MAX(id), 0) + 1 FROM lines;
INSERT INTO counters (name, next) SELECT 'acts', COALESCE(MAX(id), 0) + 1 FROM acts;
INSERT INTO counters (name, next) SELECT 'parts', COALESCE(MAX(id), 0) + 1 FROM parts;

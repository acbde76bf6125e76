-- How many rows were ever queued, how many are over, by the state in which they ended, and how many events are kept: each
-- transaction that adds or removes some says so here.
CREATE TABLE totals (
    name TEXT   NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL
);

INSERT INTO totals (name, rows) SELECT state, COUNT(*) FROM outbox WHERE settled_at IS NOT NULL GROUP BY state;
INSERT INTO totals (name, rows) SELECT 'queued', COUNT(*) FROM outbox;
INSERT INTO totals (name, rows) SELECT 'sign_ins', COUNT(*) FROM sign_ins;
INSERT INTO totals (name, rows) SELECT 'audits', COUNT(*) FROM audits;

CREATE INDEX outbox_unsettled ON outbox (state) WHERE settled_at IS NULL;

-- Which of the deadlines that move with the present do so by now.
DROP INDEX standings_untold;
CREATE INDEX standings_moving ON standings ((window_deadline - window_notice)) WHERE window_notice IS NOT NULL;

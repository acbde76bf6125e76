-- How many rows are over, by the state in which they ended, and how many events are kept: each
-- transaction that adds or removes some says so here.
CREATE TABLE totals (
    name TEXT   NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL
);

INSERT INTO totals (name, rows) SELECT state, COUNT(*) FROM outbox WHERE settled_at IS NOT NULL GROUP BY state;
INSERT INTO totals (name, rows) SELECT 'sign_ins', COUNT(*) FROM sign_ins;
INSERT INTO totals (name, rows) SELECT 'audits', COUNT(*) FROM audits;

CREATE INDEX outbox_unsettled ON outbox (state) WHERE settled_at IS NULL;

-- Which of the deadlines that move with the present do so by now is seen without a look at their rows.
DROP INDEX standings_untold;
CREATE INDEX standings_untold ON standings (window_notice, user_id, policy, window_deadline) WHERE window_notice IS NOT NULL;

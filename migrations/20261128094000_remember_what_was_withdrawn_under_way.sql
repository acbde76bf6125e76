-- Decisions and deliveries run side by side: a row that a decision withdraws while it is under way ends with that
-- attempt. The acts of a moment are looked for while sources are read.
ALTER TABLE outbox ADD COLUMN withdrawn BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX outbox_withdrawn ON outbox (next_at) WHERE withdrawn = TRUE AND next_at IS NOT NULL;
CREATE INDEX acts_by_time ON acts (at);

-- What happened is read in order of time, a page at a time: all of it, one kind, and the mails that were
-- accepted. What came at one moment keeps its order.
CREATE INDEX journal_by_time ON journal (at, id);
DROP INDEX journal_by_kind;
CREATE INDEX journal_by_kind ON journal (kind, at, id);
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (settled_at, position) WHERE address IS NOT NULL AND settled_at IS NOT NULL;

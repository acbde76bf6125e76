-- A pass and a delivery look for what is due, not through all that ever was.

CREATE INDEX outbox_expiring ON outbox (not_after) WHERE state IN ('pending', 'ambiguous');
CREATE INDEX outbox_bodies ON outbox (settled_at) WHERE body IS NOT NULL AND settled_at IS NOT NULL;
-- The last recipients of mails say whether its way works; webhooks say nothing about that.
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE channel = 'email' AND state IN ('sent', 'failed');

CREATE INDEX people_unsure ON people (id) WHERE unsure = TRUE;
-- Who is there is counted as all but those who are not.
CREATE INDEX people_gone ON people (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX registrations_absent ON registrations (absent_since) WHERE absent_since IS NOT NULL;

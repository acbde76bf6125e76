-- When a pass relied on the approval of a hold: from then on nobody takes that back.
ALTER TABLE holds ADD COLUMN used_at BIGINT;

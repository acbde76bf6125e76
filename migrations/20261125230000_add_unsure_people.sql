-- A person whose newest row cannot be believed: there, and not to be flagged on what was known before.
ALTER TABLE people ADD COLUMN unsure BOOLEAN NOT NULL DEFAULT FALSE;

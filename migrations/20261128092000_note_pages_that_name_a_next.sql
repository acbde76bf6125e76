-- Whether a file has pages alone that each name a next one: where no other of its folder is a last
-- one, the reading is not whole.
ALTER TABLE parts ADD COLUMN names_next BOOLEAN NOT NULL DEFAULT FALSE;

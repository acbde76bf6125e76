-- What a hold saw, as JSON: operators read it in their own language. Of those that an earlier version raised
-- only the English words are known.
ALTER TABLE holds ADD COLUMN seen TEXT;

-- A registration report is as of a time before its reading: by a day, where its rows do not prove more. `reading` is when a
-- source was read, `as_of` what that says; what was dated by readings so far is dated a day earlier, all of it alike.
ALTER TABLE sources ADD COLUMN reading BIGINT;
UPDATE sources SET reading = as_of;
UPDATE sources SET as_of = as_of - 86400000000, previous_as_of = previous_as_of - 86400000000 WHERE name = 'registration';
UPDATE registrations SET absent_since = absent_since - 86400000000 WHERE absent_since IS NOT NULL;
UPDATE registrations SET capable_missing_since = capable_missing_since - 86400000000 WHERE capable_missing_since IS NOT NULL;
UPDATE registrations SET passwordless_missing_since = passwordless_missing_since - 86400000000 WHERE passwordless_missing_since IS NOT NULL;
UPDATE meta SET value = CAST(CAST(value AS BIGINT) - 86400000000 AS TEXT) WHERE key = 'losses_dated';
-- `[microseconds,people]`
UPDATE meta SET value = '[' || CAST(CAST(substr(value, 2, 16) AS BIGINT) - 86400000000 AS TEXT) || substr(value, 18) WHERE key = 'yardstick';

-- The date of a row, where it bears one.
ALTER TABLE staged_registrations ADD COLUMN dated BIGINT;

-- What the directory remembers itself of a person's sign-ins, and the stretch for which the sign-in
-- logs are gone after a long outage (domain case 23).

-- The last interactive attempt, of `signInActivity`.
ALTER TABLE people ADD COLUMN last_sign_in_at BIGINT;

-- From when on a log is known beyond its `as_of`, by what was read since it was accepted.
ALTER TABLE sources ADD COLUMN resumed_at BIGINT;
-- The newest stretch that no row of the log covers.
ALTER TABLE sources ADD COLUMN gap_from BIGINT;
ALTER TABLE sources ADD COLUMN gap_to BIGINT;

-- Whom nobody can reach while a window of a policy that is on asks for something, since when, and from when on the
-- flag comes all the same (none under a strict policy). Rows of before say it once everybody was decided about again.
ALTER TABLE standings ADD COLUMN unreached_since BIGINT;
ALTER TABLE standings ADD COLUMN unreached_until BIGINT;
CREATE INDEX standings_unreached ON standings (unreached_since, user_id) WHERE unreached_since IS NOT NULL;
INSERT INTO meta (key, value) SELECT 'sweep', '' WHERE EXISTS (SELECT 1 FROM people)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;

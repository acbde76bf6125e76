-- What readings of Graph keep between their pages: a reading that stops in the middle goes on there.

-- Who may be gone: removed in a delta, or absent from a complete reading. Each is asked for by id
-- before being called so, since a delta repeats itself and comes in any order.
CREATE TABLE doubted_people (
    user_id TEXT NOT NULL PRIMARY KEY
);

-- The registration report as far as it was read; it counts when it is whole.
CREATE TABLE staged_registrations (
    user_id TEXT NOT NULL PRIMARY KEY,
    level   TEXT NOT NULL,
    detail  TEXT NOT NULL
);

-- When the report was last asked about one person, because an event says that they registered.
CREATE TABLE registration_probes (
    user_id TEXT   NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL
);

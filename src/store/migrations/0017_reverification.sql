-- Later verdicts on finished episodes, oldest first for each episode. A row is never changed, and the
-- outcome of the episode stays as it is.
CREATE TABLE reverification (
    key     INTEGER PRIMARY KEY,
    episode INTEGER NOT NULL REFERENCES episode (key),
    -- A digest of the checks and of the judge.
    judge   TEXT    NOT NULL,
    label   TEXT    NOT NULL,
    body    BLOB    NOT NULL,
    at_ms   INTEGER NOT NULL,
    -- An entry that is sent again is no other verdict.
    UNIQUE (episode, at_ms, judge)
) STRICT;

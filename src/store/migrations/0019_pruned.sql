-- What was removed of an episode by a rule of retention. The rows of its turns or calls stay, with empty
-- bodies. Older versions of the engine cannot read an empty body.
CREATE TABLE pruned (
    episode INTEGER NOT NULL REFERENCES episode (key),
    -- 'turns' or 'calls'
    part    TEXT    NOT NULL,
    -- The rule: 'solved', 'failed' or 'calls'.
    rule    TEXT    NOT NULL,
    bytes   INTEGER NOT NULL CHECK (bytes >= 0),
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (episode, part)
) STRICT, WITHOUT ROWID;

-- The editions of templates that a campaign makes its tasks from: the digest of the whole, a JSON
-- object of the digests of its files, and how many tasks were asked for.
CREATE TABLE edition (
    campaign INTEGER NOT NULL REFERENCES campaign (key),
    template TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    files    TEXT    NOT NULL,
    tasks    INTEGER NOT NULL CHECK (tasks >= 0),
    PRIMARY KEY (campaign, template)
) STRICT, WITHOUT ROWID;

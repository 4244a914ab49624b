-- Integer keys inside, names outside: a turn is one insert into two small b-trees.

CREATE TABLE campaign (
    key           INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    identity      TEXT    NOT NULL,
    config        TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    reason        TEXT,
    created_at_ms INTEGER NOT NULL
) STRICT;

-- Apart from the campaign, whose configuration is large, because every hold rewrites it.
CREATE TABLE ledger (
    campaign INTEGER PRIMARY KEY REFERENCES campaign (key),
    -- nano-dollars: settled money, and every unsettled hold in full
    spent    INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0)
) STRICT;

CREATE TABLE episode (
    key        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    campaign   INTEGER NOT NULL REFERENCES campaign (key),
    ordinal    INTEGER NOT NULL,
    task       TEXT    NOT NULL,
    template   TEXT    NOT NULL,
    task_index INTEGER NOT NULL,
    category   TEXT    NOT NULL,
    difficulty TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    scaffold   TEXT    NOT NULL,
    UNIQUE (campaign, ordinal)
) STRICT;

CREATE TABLE attempt (
    key           INTEGER PRIMARY KEY,
    episode       INTEGER NOT NULL REFERENCES episode (key),
    attempt       INTEGER NOT NULL CHECK (attempt > 0),
    resumed_from  INTEGER CHECK (resumed_from < attempt),
    -- JSON
    fault         TEXT,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER,
    UNIQUE (episode, attempt)
) STRICT;

-- What changes with every turn, apart from the plan, which never does.
CREATE TABLE progress (
    episode         INTEGER PRIMARY KEY REFERENCES episode (key),
    -- the fence: number and key of the current attempt; zero before the first
    attempt         INTEGER NOT NULL DEFAULT 0,
    attempt_key     INTEGER REFERENCES attempt (key),
    resumed_from    INTEGER,
    failed_attempts INTEGER NOT NULL DEFAULT 0,
    -- of the current attempt
    steps           INTEGER NOT NULL DEFAULT 0,
    input_tokens    INTEGER NOT NULL DEFAULT 0,
    output_tokens   INTEGER NOT NULL DEFAULT 0,
    -- nano-dollars over all attempts, inherited turns counted once
    cost            INTEGER NOT NULL DEFAULT 0,
    started_at_ms   INTEGER,
    finished_at_ms  INTEGER
) STRICT;

CREATE TABLE step (
    key           INTEGER PRIMARY KEY,
    attempt       INTEGER NOT NULL REFERENCES attempt (key),
    step          INTEGER NOT NULL,
    -- taken over from the attempt this one resumed: paid for there, not here
    inherited     INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    -- nano-dollars
    cost          INTEGER NOT NULL,
    -- the turn: a flag byte, then JSON, plain (0) or zstd (1)
    body          BLOB    NOT NULL,
    UNIQUE (attempt, step)
) STRICT;

CREATE TABLE outcome (
    episode     INTEGER PRIMARY KEY REFERENCES episode (key),
    attempt     INTEGER NOT NULL,
    label       TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    -- JSON
    fingerprint TEXT
) STRICT;

CREATE TABLE judged (
    episode  INTEGER PRIMARY KEY REFERENCES episode (key),
    campaign INTEGER NOT NULL REFERENCES campaign (key),
    ordinal  INTEGER NOT NULL,
    -- the stage that rejected it
    rejected TEXT,
    body     BLOB    NOT NULL,
    UNIQUE (campaign, ordinal)
) STRICT;

CREATE TABLE hold (
    id       TEXT    PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaign (key),
    episode  INTEGER NOT NULL REFERENCES episode (key),
    attempt  INTEGER NOT NULL,
    -- nano-dollars
    amount   INTEGER NOT NULL CHECK (amount >= 0),
    settled  INTEGER CHECK (settled >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset (
    campaign INTEGER NOT NULL REFERENCES campaign (key),
    version  INTEGER NOT NULL,
    -- JSON
    record   TEXT    NOT NULL,
    PRIMARY KEY (campaign, version)
) STRICT, WITHOUT ROWID;

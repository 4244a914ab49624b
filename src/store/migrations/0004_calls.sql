-- Every try of every call as its bytes were. A request mostly repeats the one before it in its
-- episode: what it begins and ends like that one is not kept again.
CREATE TABLE call (
    key           INTEGER PRIMARY KEY,
    -- As of its hold: episode, attempt, turn, retry.
    id            TEXT    NOT NULL UNIQUE,
    campaign      INTEGER NOT NULL REFERENCES campaign (key),
    episode       INTEGER NOT NULL REFERENCES episode (key),
    attempt       INTEGER NOT NULL,
    turn          INTEGER NOT NULL,
    retry         INTEGER NOT NULL,
    model         TEXT    NOT NULL,
    answered_by   TEXT,
    status        INTEGER,
    fault         TEXT,
    cost          INTEGER NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    at_ms         INTEGER NOT NULL,
    first_byte_us INTEGER,
    last_byte_us  INTEGER,
    request_bytes  INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    -- Of the request, to find it again by what was asked.
    digest        BLOB    NOT NULL,
    -- The call whose request this one begins and ends like, and how far.
    base          INTEGER REFERENCES call (key),
    head          INTEGER NOT NULL,
    tail          INTEGER NOT NULL,
    -- What lies between, and the answer: a flag byte, then the bytes, plain or compressed.
    request       BLOB    NOT NULL,
    response      BLOB    NOT NULL,
    -- Address, headers, all counts and the whole fault, as JSON.
    rest          BLOB    NOT NULL
) STRICT;

CREATE INDEX call_of_episode ON call (episode, attempt, turn, retry);
CREATE INDEX call_by_request ON call (digest);

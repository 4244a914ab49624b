-- Each opening for writing is an epoch of its own. Ids of holds end with it, so that two writers
-- can never mean different holds by one id.
CREATE TABLE store (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO store (one, epoch) VALUES (1, 0);

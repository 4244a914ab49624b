-- What the high-water mark beside the database is compared with: whose mark it is, and how often
-- each campaign's sum has moved.
ALTER TABLE store ADD COLUMN id BLOB NOT NULL DEFAULT x'';
UPDATE store SET id = randomblob(16);
ALTER TABLE ledger ADD COLUMN moves INTEGER NOT NULL DEFAULT 0;

-- What an operator has changed of the record of money, and why. A row is never changed.
CREATE TABLE adjustment (
    key      INTEGER PRIMARY KEY,
    -- By name: it may be of a campaign that a restored store has lost.
    campaign TEXT    NOT NULL,
    -- The hold whose cost was corrected; none for a charge that no hold explains.
    hold     TEXT,
    -- Nano-dollars counted before, in full where the hold was open, and since.
    before   INTEGER NOT NULL CHECK (before >= 0),
    after    INTEGER NOT NULL CHECK (after >= 0),
    was_open INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    who      TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX adjustment_of_hold ON adjustment (hold);

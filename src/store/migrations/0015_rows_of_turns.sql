-- The attempt whose turns complete the row: the body then lacks the steps, the conversation and the
-- tools, which are made again from the turns when the row is read. Null in rows whose body has all.
ALTER TABLE judged ADD COLUMN turns_of INTEGER REFERENCES attempt (key);

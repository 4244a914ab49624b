-- What a hold is for, so that what was spent is known by model and by day. Holds of before count
-- for their campaign and their episode alone.
ALTER TABLE hold ADD COLUMN model TEXT;
ALTER TABLE hold ADD COLUMN at_ms INTEGER;
CREATE INDEX hold_by_campaign ON hold (campaign, at_ms);

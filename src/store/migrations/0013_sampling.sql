-- The sampling parameters of each model that a campaign ever had: a JSON object from the model's name
-- to JSON text. Null in campaigns of before, whose identity contains them.
ALTER TABLE campaign ADD COLUMN sampling TEXT;

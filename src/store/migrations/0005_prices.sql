-- The digest of the table of prices that a campaign was last opened with.
ALTER TABLE campaign ADD COLUMN price_table TEXT;

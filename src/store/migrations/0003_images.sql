-- The digests of the images that a campaign was begun with: a JSON object by name.
ALTER TABLE campaign ADD COLUMN images TEXT NOT NULL DEFAULT '{}';

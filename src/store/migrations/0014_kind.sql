-- The kind of work of a campaign. Until now there was one.
ALTER TABLE campaign ADD COLUMN kind TEXT NOT NULL DEFAULT 'trajectories';

-- Why an informative draw chose the task and the model of an episode. Null for every other plan.
ALTER TABLE episode ADD COLUMN draw_reason TEXT;

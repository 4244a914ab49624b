-- Whether the provider counted the tokens of a turn's call: what nobody counted is kept as zero
-- tokens and is not zero. Every call that was answered has input, so turns of before were counted
-- unless both counts are zero.
ALTER TABLE step ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
UPDATE step SET counted = 0 WHERE input_tokens = 0 AND output_tokens = 0;

-- Of a finished episode, like its other figures.
ALTER TABLE progress ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
UPDATE progress SET uncounted =
    (SELECT count(*) FROM step WHERE step.attempt = attempt_key AND NOT counted)
WHERE finished_at_ms IS NOT NULL;

-- Of any episode, in its newest attempt.
CREATE VIEW uncounted AS
SELECT episode,
    CASE WHEN finished_at_ms IS NOT NULL THEN uncounted
        ELSE (SELECT count(*) FROM step WHERE step.attempt = attempt_key AND NOT counted)
        END AS calls
FROM progress;

-- Turns no longer rewrite their episode's row: `progress` has the figures of finished
-- episodes, and those of the others are counted here when somebody asks.

-- An episode's steps and tokens in its newest attempt, and its cost over all of them.
CREATE VIEW figures AS
SELECT episode,
    CASE WHEN done THEN steps ELSE (SELECT count(*) FROM step WHERE step.attempt = attempt_key)
        END AS steps,
    CASE WHEN done THEN input_tokens ELSE (SELECT coalesce(sum(input_tokens), 0) FROM step
        WHERE step.attempt = attempt_key) END AS input_tokens,
    CASE WHEN done THEN output_tokens ELSE (SELECT coalesce(sum(output_tokens), 0) FROM step
        WHERE step.attempt = attempt_key) END AS output_tokens,
    CASE WHEN done THEN cost ELSE (SELECT coalesce(sum(cost), 0) FROM attempt
        JOIN step ON step.attempt = attempt.key AND NOT inherited
        WHERE attempt.episode = progress.episode) END AS cost
FROM (SELECT *, finished_at_ms IS NOT NULL AS done FROM progress) AS progress;

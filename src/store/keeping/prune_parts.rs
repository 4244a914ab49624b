//! The episodes of a campaign as retention sees them, and the removal of their parts.

use crate::store::keeping::pruned::{self, PruneRecord, PrunedPart};
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, Row, params};
use synthd_actors::model::{RetainedEpisode, RetentionRules};

/// An episode that has ended.
pub(super) struct EndedEpisode {
    key: i64,
    id: String,
    facts: RetainedEpisode,
    /// Whether a recipe has made a dataset of the campaign's rows.
    is_source: bool,
    /// What is gone already.
    without: Vec<PrunedPart>,
}

/// A part that the rules remove.
pub(super) struct PartToPrune {
    episode: i64,
    pub(super) id: String,
    is_source: bool,
    pub(super) part: PrunedPart,
    rule: &'static str,
    /// As the store has them.
    pub(super) bytes: u64,
}

/// The episodes of a campaign that have ended, by their keys. One whose row is still to be made is left out: the row
/// is made of its turns. `is_source`: a recipe has made a dataset of the
/// campaign's rows, so all of them count as rows of a dataset.
pub(super) fn ended(
    conn: &Connection,
    campaign: i64,
    is_source: bool,
) -> StoreResult<Vec<EndedEpisode>> {
    let sql = "SELECT episode.key, episode.id, progress.finished_at_ms,
            label IN ('resolved', 'answered'),
            CASE WHEN judged.episode IS NULL THEN 0 WHEN ?2 THEN 1
                ELSE judged.rejected IS NULL
                    AND EXISTS (SELECT 1 FROM dataset WHERE dataset.campaign = ?1) END
        FROM episode
        JOIN progress ON progress.episode = episode.key
        JOIN outcome ON outcome.episode = episode.key
        LEFT JOIN judged ON judged.episode = episode.key
        WHERE episode.campaign = ?1 AND progress.finished_at_ms IS NOT NULL
            AND (judged.episode IS NOT NULL OR label = 'faulted')
        ORDER BY episode.key";
    let mut statement = conn.prepare(sql)?;
    let found = statement.query_map(params![campaign, is_source], ended_of)?;
    let mut episodes = found.collect::<rusqlite::Result<Vec<_>>>()?;
    for episode in &mut episodes {
        let gone = pruned::of_episode(conn, &episode.id)?;
        episode.without = gone.into_iter().map(|record| record.part).collect();
        episode.is_source = is_source;
    }
    Ok(episodes)
}

/// Reads a row of the query in [`ended`].
fn ended_of(row: &Row<'_>) -> rusqlite::Result<EndedEpisode> {
    Ok(EndedEpisode {
        key: row.get(0)?,
        id: row.get(1)?,
        facts: RetainedEpisode {
            finished_at_ms: row.get(2)?,
            succeeded: row.get(3)?,
            in_dataset: row.get(4)?,
        },
        is_source: false,
        without: Vec::new(),
    })
}

impl EndedEpisode {
    /// What the rules remove of it. A part without bytes is none.
    pub(super) fn unwanted(
        &self,
        conn: &Connection,
        rules: &RetentionRules,
        now_ms: i64,
    ) -> StoreResult<Vec<PartToPrune>> {
        let turns = rules.turns(&self.facts, now_ms);
        self.parts(conn, turns, rules.calls(&self.facts, now_ms))
    }

    /// All that it has, to be removed by one rule.
    pub(super) fn all_parts(
        &self,
        conn: &Connection,
        rule: &'static str,
    ) -> StoreResult<Vec<PartToPrune>> {
        self.parts(conn, Some(rule), Some(rule))
    }

    /// The parts that are there and that a rule removes.
    fn parts(
        &self,
        conn: &Connection,
        turns: Option<&'static str>,
        calls: Option<&'static str>,
    ) -> StoreResult<Vec<PartToPrune>> {
        let wanted = [(PrunedPart::Turns, turns), (PrunedPart::Calls, calls)];
        let mut parts = Vec::new();
        for (part, rule) in wanted {
            let Some(rule) = rule.filter(|_| !self.without.contains(&part)) else { continue };
            let bytes = bytes_of(conn, part, self.key, &self.id)?;
            if bytes > 0 {
                let (episode, id, is_source) = (self.key, self.id.clone(), self.is_source);
                parts.push(PartToPrune { episode, id, is_source, part, rule, bytes });
            }
        }
        Ok(parts)
    }

    /// Whether its turns stay only because a dataset was made of its row.
    pub(super) fn stays_for_dataset(&self, rules: &RetentionRules, now_ms: i64) -> bool {
        let freed = RetainedEpisode { in_dataset: false, ..self.facts };
        self.facts.in_dataset && rules.turns(&freed, now_ms).is_some()
    }
}

/// How many bytes the store has of a part. The id of a call is the id of its episode, a slash and more; the
/// sign after the slash is `0`.
fn bytes_of(conn: &Connection, part: PrunedPart, key: i64, id: &str) -> StoreResult<u64> {
    let bytes: i64 = match part {
        PrunedPart::Turns => conn
            .prepare_cached(
                "SELECT coalesce(sum(length(body)), 0) FROM step
                 JOIN attempt ON attempt.key = step.attempt WHERE attempt.episode = ?1",
            )?
            .query_row([key], |row| row.get(0))?,
        PrunedPart::Calls => conn
            .prepare_cached(
                "SELECT coalesce(sum(length(request) + length(response)), 0) FROM call
                 WHERE call.id > ?1 || '/' AND call.id < ?1 || '0'",
            )?
            .query_row([id], |row| row.get(0))?,
    };
    Ok(bytes.unsigned_abs())
}

impl PartToPrune {
    /// Whether it belongs to a row of a dataset now. Calls never do.
    pub(super) fn is_in_dataset(&self, conn: &Connection, campaign: i64) -> StoreResult<bool> {
        if self.part == PrunedPart::Calls {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM judged WHERE episode = ?1 AND (?3 OR rejected IS NULL
            AND EXISTS (SELECT 1 FROM dataset WHERE dataset.campaign = ?2))";
        let found = params![self.episode, campaign, self.is_source];
        Ok(conn.prepare_cached(sql)?.exists(found)?)
    }

    /// Whether the store has as many bytes of it as when it was chosen.
    pub(super) fn is_as_it_was(&self, conn: &Connection) -> StoreResult<bool> {
        Ok(bytes_of(conn, self.part, self.episode, &self.id)? == self.bytes)
    }

    /// Removes it. The rows stay, because the level of the store counts them, and so do their figures.
    pub(super) fn remove(&self, conn: &Connection, at_ms: i64) -> StoreResult<()> {
        match self.part {
            PrunedPart::Turns => conn
                .prepare_cached(
                    "UPDATE step SET body = x''
                     WHERE attempt IN (SELECT key FROM attempt WHERE episode = ?1)",
                )?
                .execute([self.episode])?,
            PrunedPart::Calls => conn
                .prepare_cached(
                    "UPDATE call SET request = x'', response = x''
                     WHERE id > ?1 || '/' AND id < ?1 || '0'",
                )?
                .execute([&self.id])?,
        };
        let rule = self.rule.to_owned();
        let what = PruneRecord { part: self.part, rule, bytes: self.bytes, at_ms };
        pruned::record(conn, self.episode, &what)
    }
}

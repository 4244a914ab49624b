//! What was removed by rules of retention: the table `pruned`. A store of an older schema has no such table,
//! and nothing was removed from it.

use crate::store::error::StoreError;
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// A part of an episode's record that a rule of retention removes as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PrunedPart {
    /// The bodies of the turns of all attempts.
    Turns,
    /// The bytes of the requests and responses of all calls.
    Calls,
}

impl PrunedPart {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Calls => "calls",
        }
    }

    fn named(text: &str) -> StoreResult<Self> {
        [Self::Turns, Self::Calls]
            .into_iter()
            .find(|part| part.as_str() == text)
            .ok_or_else(|| StoreError::unreadable(format!("a pruned part {text:?}")))
    }
}

/// What was removed of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PruneRecord {
    pub part: PrunedPart,
    /// The rule: `solved`, `failed` or `calls`.
    pub rule: String,
    /// As the store had them, compressed.
    pub bytes: u64,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// Whether the store can say what was removed.
pub(in crate::store) fn has_table(conn: &Connection) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'pruned'";
    Ok(conn.prepare_cached(sql)?.exists([])?)
}

/// What was removed of an episode. Empty if nothing was.
pub(in crate::store) fn of_episode(
    conn: &Connection,
    episode: &str,
) -> StoreResult<Vec<PruneRecord>> {
    if !has_table(conn)? {
        return Ok(Vec::new());
    }
    let sql = "SELECT part, rule, bytes, at_ms FROM pruned
        JOIN episode ON episode.key = pruned.episode WHERE episode.id = ?1 ORDER BY part";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([episode])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record_of(row)?);
    }
    Ok(found)
}

fn record_of(row: &Row<'_>) -> StoreResult<PruneRecord> {
    Ok(PruneRecord {
        part: PrunedPart::named(&row.get::<_, String>(0)?)?,
        rule: row.get(1)?,
        bytes: row.get::<_, i64>(2)?.unsigned_abs(),
        at_ms: row.get(3)?,
    })
}

/// The ordinals of the rows of a campaign whose turns were removed. Rows that are stored whole lack nothing.
pub(in crate::store) fn rows_without_turns(
    conn: &Connection,
    campaign: &str,
) -> StoreResult<BTreeSet<u64>> {
    if !has_table(conn)? {
        return Ok(BTreeSet::new());
    }
    let sql = "SELECT judged.ordinal FROM pruned
        JOIN judged ON judged.episode = pruned.episode
        JOIN campaign ON campaign.key = judged.campaign
        WHERE pruned.part = 'turns' AND turns_of IS NOT NULL AND campaign.name = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map([campaign], |row| row.get::<_, i64>(0))?;
    Ok(found.map(|ordinal| ordinal.map(i64::unsigned_abs)).collect::<rusqlite::Result<_>>()?)
}

/// The rule that removed the turns to which an attempt belongs. None if they are there.
pub(in crate::store) fn rule_of_turns(
    conn: &Connection,
    attempt: i64,
) -> StoreResult<Option<String>> {
    if !has_table(conn)? {
        return Ok(None);
    }
    let sql = "SELECT rule FROM pruned JOIN attempt ON attempt.episode = pruned.episode
        WHERE attempt.key = ?1 AND part = 'turns'";
    Ok(conn.prepare_cached(sql)?.query_row([attempt], |row| row.get(0)).optional()?)
}

/// Records that a part of an episode is gone. The caller removes it in the same transaction.
pub(in crate::store) fn record(
    conn: &Connection,
    episode: i64,
    what: &PruneRecord,
) -> StoreResult<()> {
    let bytes = i64::try_from(what.bytes).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "INSERT INTO pruned (episode, part, rule, bytes, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (episode, part) DO UPDATE SET bytes = bytes + excluded.bytes,
             rule = excluded.rule, at_ms = excluded.at_ms",
    )?
    .execute(params![episode, what.part.as_str(), what.rule, bytes, what.at_ms])?;
    Ok(())
}

/// Empty bodies of episodes of which nothing was removed. A body is never empty otherwise.
pub(in crate::store) fn unexplained(conn: &Connection) -> StoreResult<Vec<String>> {
    if !has_table(conn)? {
        return Ok(Vec::new());
    }
    let sql = "SELECT 'step ' || step.key FROM step JOIN attempt ON attempt.key = step.attempt
        WHERE length(body) = 0 AND NOT EXISTS (SELECT 1 FROM pruned
            WHERE pruned.episode = attempt.episode AND part = 'turns')
        UNION ALL SELECT 'call ' || key FROM call
        WHERE (length(request) = 0 OR length(response) = 0) AND NOT EXISTS (SELECT 1 FROM pruned
            WHERE pruned.episode = call.episode AND part = 'calls')
        LIMIT 20";
    let mut statement = conn.prepare(sql)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().map(|what| format!("{what}: its body is empty")).collect())
}

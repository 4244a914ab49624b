//! `synthd store stats`: what is in a store and how much room it takes. An engine may write meanwhile: the
//! figures are those of one moment. Bytes are those of the bodies as they are kept, compressed; indexes and
//! page heads are the rest of the file.

use crate::error::Result;
use crate::store::error::StoreError;
use crate::store::keeping::pruned;
use crate::store::schema::{self, MIGRATIONS};
use crate::store::writing::apply::StoreResult;
use crate::store::{open, read};
use crate::workspaces::kept_workspaces;
use rusqlite::Connection;
use serde::Serialize;
use std::path::{Path, PathBuf};
use synthd_actors::model::Money;

/// The sizes of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreSummary {
    pub path: PathBuf,
    /// The schema version: how many migration scripts the store has had.
    pub schema: usize,
    /// The database file.
    pub file_bytes: u64,
    /// Its log, which is folded into the file later.
    pub log_bytes: u64,
    /// Pages of the file that hold nothing. New records use them; `synthd store vacuum` gives them back.
    pub free_bytes: u64,
    /// Rows and bodies by table.
    pub tables: Vec<TableSize>,
    pub campaigns: Vec<CampaignSize>,
    /// Kept workspaces beside the store.
    pub workspaces: u64,
    pub workspace_bytes: u64,
}

/// A table with large bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableSize {
    pub table: &'static str,
    pub rows: u64,
    /// Of its bodies.
    pub bytes: u64,
}

/// What one campaign takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CampaignSize {
    pub campaign: String,
    pub state: String,
    pub created_at_ms: i64,
    pub episodes: u64,
    /// The bodies of turns.
    pub turn_bytes: u64,
    /// The bytes of requests and responses.
    pub call_bytes: u64,
    /// The bodies of rows.
    pub row_bytes: u64,
    /// What rules of retention have removed, as it was kept.
    pub pruned_bytes: u64,
    /// Settled money, and each open hold in full.
    pub spent_usd: Money,
}

/// Reads the sizes of the store in `dir`.
pub fn summary(dir: &Path) -> Result<StoreSummary> {
    open::check_readable(dir)?;
    let failed = |error: StoreError| error.on_open(dir);
    let database = open::database(dir);
    let conn = open::reader(&database).map_err(failed)?;
    let schema = schema::check(&conn, dir, MIGRATIONS.len())?;
    read_summary(&conn, dir, schema).map_err(failed)
}

/// Reads all figures in one transaction, so that they are of one moment.
fn read_summary(conn: &Connection, dir: &Path, schema: usize) -> StoreResult<StoreSummary> {
    let moment = conn.unchecked_transaction()?;
    let path = open::database(dir);
    let log_bytes = path.with_extension("db-wal").metadata().map_or(0, |log| log.len());
    let kept = kept_workspaces(dir)?;
    Ok(StoreSummary {
        schema,
        file_bytes: path.metadata()?.len(),
        log_bytes,
        free_bytes: number(&moment, "PRAGMA freelist_count")?
            .saturating_mul(number(&moment, "PRAGMA page_size")?),
        tables: tables(&moment)?,
        campaigns: campaigns(&moment)?,
        workspaces: kept.len() as u64,
        workspace_bytes: kept.iter().map(|one| one.bytes).sum(),
        path,
    })
}

/// The tables with bodies, and the expression of their bytes.
const TABLES: [(&str, &str); 6] = [
    ("step", "length(body)"),
    ("call", "length(request) + length(response) + length(rest)"),
    ("judged", "length(body)"),
    ("outcome", "length(body)"),
    ("reverification", "length(body)"),
    ("hold", "0"),
];

/// The sizes of the tables that the store has.
fn tables(conn: &Connection) -> StoreResult<Vec<TableSize>> {
    let mut sizes = Vec::new();
    for (table, bytes) in TABLES {
        if table == "reverification" && !read::has_reverifications(conn)? {
            continue;
        }
        let rows = number(conn, &format!("SELECT count(*) FROM {table}"))?;
        let bytes = number(conn, &format!("SELECT coalesce(sum({bytes}), 0) FROM {table}"))?;
        sizes.push(TableSize { table, rows, bytes });
    }
    Ok(sizes)
}

/// The sizes of all campaigns, oldest first. Each sum is one pass over its table.
fn campaigns(conn: &Connection) -> StoreResult<Vec<CampaignSize>> {
    let pruned = match pruned::has_table(conn)? {
        true => {
            "SELECT episode.campaign AS of, sum(bytes) AS bytes FROM pruned
             JOIN episode ON episode.key = pruned.episode GROUP BY 1"
        }
        false => "SELECT 0 AS of, 0 AS bytes",
    };
    let sql = format!(
        "SELECT name, state, created_at_ms, coalesce(planned.count, 0), coalesce(turns.bytes, 0),
             coalesce(calls.bytes, 0), coalesce(judged_rows.bytes, 0), coalesce(gone.bytes, 0),
             coalesce(ledger.spent, 0)
         FROM campaign
         LEFT JOIN (SELECT campaign AS of, count(*) AS count FROM episode GROUP BY 1) AS planned
             ON planned.of = campaign.key
         LEFT JOIN (SELECT episode.campaign AS of, sum(length(body)) AS bytes FROM step
             JOIN attempt ON attempt.key = step.attempt
             JOIN episode ON episode.key = attempt.episode GROUP BY 1) AS turns
             ON turns.of = campaign.key
         LEFT JOIN (SELECT campaign AS of, sum(length(request) + length(response)) AS bytes
             FROM call GROUP BY 1) AS calls ON calls.of = campaign.key
         LEFT JOIN (SELECT campaign AS of, sum(length(body)) AS bytes FROM judged GROUP BY 1)
             AS judged_rows ON judged_rows.of = campaign.key
         LEFT JOIN ({pruned}) AS gone ON gone.of = campaign.key
         LEFT JOIN ledger ON ledger.campaign = campaign.key
         ORDER BY campaign.key"
    );
    let mut statement = conn.prepare(&sql)?;
    let found = statement.query_map([], |row| {
        let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(CampaignSize {
            campaign: row.get(0)?,
            state: row.get(1)?,
            created_at_ms: row.get(2)?,
            episodes: count(3)?,
            turn_bytes: count(4)?,
            call_bytes: count(5)?,
            row_bytes: count(6)?,
            pruned_bytes: count(7)?,
            spent_usd: Money::from_nanos(count(8)?),
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The one number of a query.
fn number(conn: &Connection, sql: &str) -> StoreResult<u64> {
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

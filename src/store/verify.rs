//! A store read through: its mark, its pages, its sums, and everything that was ever encoded.

use super::check::{self, keep_log};
use super::error::StoreError;
use super::high_water_mark::HighWaterMark;
use super::level::{MissingEntries, StoreLevel};
use super::schema::{self, HIGH_WATER, MIGRATIONS, READ_FROM};
use super::{blob, calls, open, read};
use crate::error::Result;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use synthd_actors::model::{Money, Outcome, RowRecord, Turn};

/// More are not told one by one.
const MOST_FINDINGS: usize = 20;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreVerifyReport {
    pub path: PathBuf,
    pub schema: usize,
    pub sound: bool,
    /// What the mark knows of and the store lacks.
    pub missing: Option<MissingEntries>,
    /// Everything else that is wrong.
    pub findings: Vec<String>,
    pub campaigns: Vec<CampaignSum>,
    pub attempts: i64,
    pub steps: i64,
    pub calls: i64,
}

/// A campaign and what it has spent, open holds in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CampaignSum {
    pub campaign: String,
    pub spent_usd: Money,
}

/// Reads the store in `dir` through. Changes nothing: a log that does not fit stays as it is.
pub fn verify(dir: &Path) -> Result<StoreVerifyReport> {
    let mark = HighWaterMark::read(dir);
    if let Ok(mark) = &mark {
        check::database_is_there(dir, mark.as_ref())?;
    }
    open::database_exists(dir)?;
    let failed = |error: StoreError| error.on_open(dir);
    let conn = open::reader(&open::database(dir)).map_err(failed)?;
    keep_log(&conn, true).map_err(failed)?;
    let schema = schema::check(&conn, dir, MIGRATIONS.len())?;
    if !matches!(&mark, Ok(Some(_))) {
        open::is_readable(dir, schema)?;
    }
    let report = examine(&conn, dir, schema, mark).map_err(failed)?;
    keep_log(&conn, !report.sound).map_err(failed)?;
    Ok(report)
}

fn examine(
    conn: &Connection,
    dir: &Path,
    schema: usize,
    mark: std::result::Result<Option<HighWaterMark>, StoreError>,
) -> std::result::Result<StoreVerifyReport, StoreError> {
    let mut findings = read::integrity(conn)?;
    let damage = findings.len();
    let (mut missing, mut level) = (None, StoreLevel::default());
    match mark {
        Ok(Some(mark)) if mark.level == StoreLevel::default() => {}
        Ok(Some(mark)) if damage == 0 => {
            level = check::read_level(conn, schema, &mark)?;
            match level.store == mark.level.store {
                true => missing = level.lacks(&mark.level),
                false => findings.push("the mark synthd.db-mark is of another store".to_owned()),
            }
        }
        Ok(Some(_)) => {}
        Ok(None) if schema < HIGH_WATER => {}
        Ok(None) => findings.push("the mark synthd.db-mark is missing".to_owned()),
        Err(error) => findings.push(error.to_string()),
    }
    if schema >= HIGH_WATER && damage == 0 {
        level = StoreLevel::read(conn)?;
        findings.extend(check::sums(conn)?);
    }
    if schema >= READ_FROM && damage == 0 {
        findings.extend(bodies(conn)?);
    }
    let campaigns = level.campaigns.into_values().map(|sum| CampaignSum {
        campaign: sum.name,
        spent_usd: Money::from_nanos(sum.spent.unsigned_abs()),
    });
    Ok(StoreVerifyReport {
        path: open::database(dir),
        schema,
        sound: findings.is_empty() && missing.is_none(),
        missing,
        findings,
        campaigns: campaigns.collect(),
        attempts: level.keys.attempts,
        steps: level.keys.steps,
        calls: level.keys.calls,
    })
}

/// What does not decode.
fn bodies(conn: &Connection) -> std::result::Result<Vec<String>, StoreError> {
    let mut findings = Vec::new();
    decodes::<Turn>(conn, "step", "key", &mut findings)?;
    decodes::<Outcome>(conn, "outcome", "episode", &mut findings)?;
    decodes::<RowRecord>(conn, "judged", "episode", &mut findings)?;
    calls_decode(conn, &mut findings)?;
    Ok(findings)
}

fn decodes<T: DeserializeOwned>(
    conn: &Connection,
    table: &str,
    key: &str,
    findings: &mut Vec<String>,
) -> std::result::Result<(), StoreError> {
    let mut statement = conn.prepare(&format!("SELECT {key}, body FROM {table}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let read = blob::decode::<T>(&body);
        note(findings, read.err().map(|why| format!("{table} {key}: {why}")));
    }
    Ok(())
}

fn calls_decode(
    conn: &Connection,
    findings: &mut Vec<String>,
) -> std::result::Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT key FROM call")?;
    let mut keys = statement.query([])?;
    while let Some(row) = keys.next()? {
        let key: i64 = row.get(0)?;
        let read = calls::call_at(conn, key);
        note(findings, read.err().map(|why| format!("call {key}: {why}")));
    }
    Ok(())
}

fn note(findings: &mut Vec<String>, finding: Option<String>) {
    match finding {
        Some(finding) if findings.len() < MOST_FINDINGS => findings.push(finding),
        Some(_) if findings.len() == MOST_FINDINGS => findings.push("and more".to_owned()),
        _ => {}
    }
}

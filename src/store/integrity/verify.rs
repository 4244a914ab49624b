//! `synthd store verify`: reads a whole store and reports everything that is wrong with it. It
//! checks the high-water mark, the pages, the sums of money, and every encoded body.
//!
//! It changes nothing, and it goes on after the first finding, as far as the damage permits. A
//! store with damaged pages is not examined further, because queries on it prove nothing.

use crate::error::Result;
use crate::store::error::StoreError;
use crate::store::integrity::check::{self, keep_log};
use crate::store::integrity::high_water_mark::HighWaterMark;
use crate::store::integrity::level::{MissingEntries, StoreLevel};
use crate::store::integrity::replacement::refuse_pending;
use crate::store::keeping::pruned;
use crate::store::schema::{self, HIGH_WATER, MIGRATIONS, READ_FROM};
use crate::store::{blob, call_records::calls, open, read};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use synthd_actors::model::{Money, Outcome, Reverification, RowRecord, Turn, broken_sums};

/// How many findings there may be before a body that does not decode is not reported any more. The
/// first body that is left out is replaced by the line `and more`.
const MOST_FINDINGS: usize = 20;

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreVerifyReport {
    pub path: PathBuf,
    /// The schema version: how many migration scripts the store has had.
    pub schema: usize,
    /// Whether nothing is missing and nothing is wrong.
    pub sound: bool,
    /// What the mark records and the store lacks. None if nothing is missing.
    pub missing: Option<MissingEntries>,
    /// Everything else that is wrong, as sentences.
    pub findings: Vec<String>,
    /// The sum of each campaign. Empty if the schema is older than the mark, or if pages are
    /// damaged.
    pub campaigns: Vec<CampaignSum>,
    /// The newest row key of the attempts, and then those of the steps and of the calls. They are
    /// zero in the same cases.
    pub attempts: i64,
    pub steps: i64,
    pub calls: i64,
}

/// A campaign and its sum: settled money, and each open hold in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CampaignSum {
    pub campaign: String,
    pub spent_usd: Money,
}

/// Reads the store in `dir`. An error means that there is no store, or that it cannot be opened. A
/// damaged store gives a report that is not sound. A log that does not match the database stays as
/// it is.
pub fn verify(dir: &Path) -> Result<StoreVerifyReport> {
    refuse_pending(dir)?;
    let mark = HighWaterMark::read(dir);
    if let Ok(mark) = &mark {
        check::database_is_there(dir, mark.as_ref())?;
    }
    open::database_exists(dir)?;
    let failed = |error: StoreError| error.on_open(dir);
    let conn = open::reader(&open::database(dir)).map_err(failed)?;
    // Closing the connection must not fold a log into a database to which it may not belong.
    keep_log(&conn, true).map_err(failed)?;
    let schema = schema::check(&conn, dir, MIGRATIONS.len())?;
    // With a mark that was read, even a store that has lost its tables is examined: it lacks what
    // the mark records.
    if !matches!(&mark, Ok(Some(_))) {
        open::is_readable(dir, schema)?;
    }
    let report = examine(&conn, dir, schema, mark).map_err(failed)?;
    keep_log(&conn, !report.sound).map_err(failed)?;
    Ok(report)
}

/// Makes the report. `mark` is the result of reading the mark; an unreadable mark is a finding.
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

/// The bodies that do not decode, and the rows whose sums are not those of their steps.
fn bodies(conn: &Connection) -> std::result::Result<Vec<String>, StoreError> {
    let mut findings = Vec::new();
    findings.extend(pruned::unexplained(conn)?);
    decodes::<Turn>(conn, "step", "key", &mut findings)?;
    decodes::<Outcome>(conn, "outcome", "episode", &mut findings)?;
    if read::has_reverifications(conn)? {
        decodes::<Reverification>(conn, "reverification", "key", &mut findings)?;
    }
    rows_decode(conn, &mut findings)?;
    calls_decode(conn, &mut findings)?;
    Ok(findings)
}

/// What is wrong with the sums of a row. None if nothing is. A row that has calls and no step lost its turns
/// to a rule of retention, and has nothing to add up.
fn wrong_sums(record: &RowRecord) -> Option<String> {
    let row = record.row.as_trajectory();
    let row = row.filter(|row| !row.trajectory.is_empty() || row.calls == Some(0));
    let broken = row.map(broken_sums).unwrap_or_default();
    (!broken.is_empty()).then(|| broken.join(", "))
}

/// Reads every judged row with the turns that complete it, and checks its sums.
fn rows_decode(
    conn: &Connection,
    findings: &mut Vec<String>,
) -> std::result::Result<(), StoreError> {
    let mut statement = conn.prepare(&read::all_rows(conn)?)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let episode: i64 = row.get(3)?;
        let wrong = match read::judged_row(conn, row) {
            Ok(record) => wrong_sums(&record),
            Err(why) => Some(why.to_string()),
        };
        note(findings, wrong.map(|why| format!("judged {episode}: {why}")));
    }
    Ok(())
}

/// Decodes every body of a table as `T`. `key` is the name of the table's key column. A body that a rule of
/// retention has emptied has nothing to decode.
fn decodes<T: DeserializeOwned>(
    conn: &Connection,
    table: &str,
    key: &str,
    findings: &mut Vec<String>,
) -> std::result::Result<(), StoreError> {
    let mut statement =
        conn.prepare(&format!("SELECT {key}, body FROM {table} WHERE length(body) > 0"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let why = blob::decode::<T>(&body).err();
        note(findings, why.map(|why| format!("{table} {key}: {why}")));
    }
    Ok(())
}

/// Reads every call that has its bytes, with its whole chain of requests.
fn calls_decode(
    conn: &Connection,
    findings: &mut Vec<String>,
) -> std::result::Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT key FROM call WHERE length(request) > 0")?;
    let mut keys = statement.query([])?;
    while let Some(row) = keys.next()? {
        let key: i64 = row.get(0)?;
        let read = calls::call_at(conn, key);
        note(findings, read.err().map(|why| format!("call {key}: {why}")));
    }
    Ok(())
}

/// Adds a finding. At [`MOST_FINDINGS`] it adds `and more` instead, and after that nothing.
fn note(findings: &mut Vec<String>, finding: Option<String>) {
    match finding {
        Some(finding) if findings.len() < MOST_FINDINGS => findings.push(finding),
        Some(_) if findings.len() == MOST_FINDINGS => findings.push("and more".to_owned()),
        _ => {}
    }
}

//! The answers of judges, in `curation/judges.db` of the data directory. They have cost money, so the
//! file is no cache: a damaged one is told, and never made anew by itself. If it is removed, it is filled
//! again from the turns of the store, which has recorded each answer.
//!
//! An answer belongs to what the judge saw, to the rubric, to the judge, and to the number of the sample.
//! So another build asks nothing again.

use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::{CampaignName, Money};
use synthd_actors::rubric::{PanelAnswer, PanelAnswers, RubricOutcome};

/// How long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(10);
/// The number of the schema. A file with a larger one was written by a newer synthd.
const SCHEMA_NUMBER: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE answer (
        rubric TEXT NOT NULL, subject TEXT NOT NULL, model TEXT NOT NULL, sample INTEGER NOT NULL,
        -- Thousandths; null if the question ended as a fault.
        score INTEGER,
        -- JSON: values and reason, or the mistake.
        outcome TEXT NOT NULL,
        asks INTEGER NOT NULL,
        -- Nano-dollars.
        cost INTEGER NOT NULL,
        PRIMARY KEY (rubric, subject, model, sample)
    ) STRICT, WITHOUT ROWID;
    -- The last attempt of an account whose turns are all in the table above.
    CREATE TABLE account (campaign TEXT NOT NULL PRIMARY KEY, attempt INTEGER NOT NULL) STRICT;
    PRAGMA user_version = 1;";

/// What an answer is to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::curation) struct AnswerKey {
    /// The digest of the rubric.
    pub(in crate::curation) rubric: String,
    /// The digest of what the judge saw.
    pub(in crate::curation) subject: String,
    pub(in crate::curation) model: String,
    pub(in crate::curation) sample: u32,
}

/// The outcome of a question, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::curation) struct StoredOutcome {
    pub(in crate::curation) outcome: RubricOutcome,
    /// How often the judge was asked.
    pub(in crate::curation) asks: u32,
    /// What all of that has cost.
    pub(in crate::curation) cost: Money,
}

/// The store of a data directory.
pub(in crate::curation) struct JudgeStore {
    conn: Connection,
    path: PathBuf,
}

impl JudgeStore {
    /// Opens the store, or begins it.
    pub(in crate::curation) fn open(data_dir: &Path) -> Result<Self> {
        let dir = data_dir.join("curation");
        let path = dir.join("judges.db");
        create_dir(&dir, 0o777).map_err(|error| unusable(&path, &error))?;
        let mut conn = Connection::open(&path).map_err(|error| unusable(&path, &error))?;
        conn.busy_timeout(PATIENCE).map_err(|error| unusable(&path, &error))?;
        begin(&mut conn, &path)?;
        Ok(Self { conn, path })
    }

    /// Whether a question has its outcome, also as a fault.
    pub(in crate::curation) fn has(&self, key: &AnswerKey, faults_count: bool) -> Result<bool> {
        let sql = "SELECT score IS NOT NULL OR ?5 FROM answer
                   WHERE rubric = ?1 AND subject = ?2 AND model = ?3 AND sample = ?4";
        let AnswerKey { rubric, subject, model, sample } = key;
        let mut query = self.conn.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let found = query
            .query_row(params![rubric, subject, model, sample, faults_count], |row| row.get(0));
        Ok(found.optional().map_err(|error| self.failed(&error))?.unwrap_or(false))
    }

    /// Keeps an outcome in place of an earlier one.
    pub(in crate::curation) fn put(&self, key: &AnswerKey, stored: &StoredOutcome) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO answer
                   (rubric, subject, model, sample, score, outcome, asks, cost)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let AnswerKey { rubric, subject, model, sample } = key;
        let StoredOutcome { outcome, asks, cost } = stored;
        let text = serde_json::to_string(outcome).unwrap_or_default();
        let nanos = i64::try_from(cost.nanos()).unwrap_or(i64::MAX);
        let score = outcome.score();
        let mut put = self.conn.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let put = put.execute(params![rubric, subject, model, sample, score, text, asks, nanos]);
        put.map(drop).map_err(|error| self.failed(&error))
    }

    /// All answers by a rubric.
    pub(in crate::curation) fn answers(&self, rubric: &str) -> Result<PanelAnswers> {
        let sql = "SELECT subject, model, sample, score, cost FROM answer WHERE rubric = ?1
                   ORDER BY subject, model, sample";
        let mut query = self.conn.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let found = query.query_map([rubric], panel_answer);
        let found = found.and_then(|rows| rows.collect::<rusqlite::Result<Vec<_>>>());
        Ok(PanelAnswers::of(found.map_err(|error| self.failed(&error))?))
    }

    /// The last attempt of an account whose turns are all here; 0 if none is.
    pub(in crate::curation) fn attempt(&self, account: &CampaignName) -> Result<u32> {
        let sql = "SELECT attempt FROM account WHERE campaign = ?1";
        let found = self.conn.query_row(sql, [account.as_str()], |row| row.get(0)).optional();
        Ok(found.map_err(|error| self.failed(&error))?.unwrap_or(0))
    }

    /// Remembers that the turns of this attempt and of those before it are here.
    pub(in crate::curation) fn end_attempt(
        &self,
        account: &CampaignName,
        attempt: u32,
    ) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO account (campaign, attempt) VALUES (?1, ?2)";
        let ended = self.conn.execute(sql, params![account.as_str(), attempt]);
        ended.map(drop).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        unusable(&self.path, error)
    }
}

/// Makes the tables if there are none.
fn begin(conn: &mut Connection, path: &Path) -> Result<()> {
    let failed = |error: rusqlite::Error| unusable(path, &error);
    if schema_number(conn).map_err(failed)? == 0 {
        conn.execute_batch("PRAGMA journal_mode = WAL").map_err(failed)?;
        let begin = rusqlite::TransactionBehavior::Immediate;
        let made = conn.transaction_with_behavior(begin).map_err(failed)?;
        // Another process may have made them in the meantime.
        if schema_number(&made).map_err(failed)? == 0 {
            made.execute_batch(SCHEMA).map_err(failed)?;
        }
        made.commit().map_err(failed)?;
    }
    let found = schema_number(conn).map_err(failed)?;
    if found != SCHEMA_NUMBER {
        let what = format!(
            "{} has the schema {found}, and this synthd reads {SCHEMA_NUMBER}",
            path.display()
        );
        return Err(Error::new(Code::JudgeAnswers, what)
            .hint("use the synthd that has written it, or a newer one"));
    }
    Ok(())
}

fn schema_number(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn panel_answer(row: &Row<'_>) -> rusqlite::Result<(String, PanelAnswer)> {
    let cost: i64 = row.get(4)?;
    let answer = PanelAnswer {
        model: row.get(1)?,
        sample: row.get(2)?,
        score: row.get(3)?,
        cost: Money::from_nanos(u64::try_from(cost).unwrap_or(0)),
    };
    Ok((row.get(0)?, answer))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    let what = format!("the answers in {} cannot be used: {error}", path.display());
    Error::new(Code::JudgeAnswers, what).hint(
        "make the file readable and writable; if it is damaged, move it away: `synthd dataset judge` \
         fills it again from the store",
    )
}

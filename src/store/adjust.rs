//! Corrections of the record of money, each with a trace: who, when, why, and what was counted
//! before. Nothing is ever deleted.

use super::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use synthd_actors::model::Money;

/// Whose correction it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdjustmentTrace<'a> {
    pub(super) reason: &'a str,
    pub(super) who: &'a str,
    pub(super) at_ms: i64,
}

/// What a hold is corrected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldCorrection {
    /// The hold's id, or its call's where that has one hold.
    pub hold: String,
    pub cost: Money,
    pub reason: String,
}

/// A hold that was corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CorrectedHold {
    pub hold: String,
    pub campaign: String,
    pub before_usd: Money,
    pub after_usd: Money,
    pub was_open: bool,
    pub reason: String,
}

/// Why a hold is not corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CorrectionError {
    Unknown(String),
    Ambiguous(String, Vec<String>),
}

/// Counts money that no hold explains.
pub(super) fn charge(
    conn: &Connection,
    campaign: &str,
    amount: Money,
    of: &AdjustmentTrace<'_>,
) -> StoreResult<()> {
    let amount = super::ledger::nanos(amount)?;
    conn.execute(
        "INSERT INTO adjustment (campaign, hold, before, after, was_open, reason, who, at_ms)
         VALUES (?1, NULL, 0, ?2, 0, ?3, ?4, ?5)",
        params![campaign, amount, of.reason, of.who, of.at_ms],
    )?;
    move_sum(conn, campaign, amount)
}

/// Corrects holds, all of them or none.
pub(super) fn correct(
    conn: &mut Connection,
    corrections: &[HoldCorrection],
    who: &str,
    at_ms: i64,
) -> StoreResult<std::result::Result<Vec<CorrectedHold>, CorrectionError>> {
    let step = conn.transaction()?;
    let mut done = Vec::new();
    for correction in corrections {
        match one(&step, correction, who, at_ms)? {
            Ok(corrected) => done.push(corrected),
            Err(uncorrected) => return Ok(Err(uncorrected)),
        }
    }
    step.commit()?;
    Ok(Ok(done))
}

fn one(
    conn: &Connection,
    correction: &HoldCorrection,
    who: &str,
    at_ms: i64,
) -> StoreResult<std::result::Result<CorrectedHold, CorrectionError>> {
    let id = match id_of(conn, &correction.hold)? {
        Ok(id) => id,
        Err(uncorrected) => return Ok(Err(uncorrected)),
    };
    let sql = "SELECT name, coalesce(settled, amount), settled IS NULL FROM hold
        JOIN campaign ON campaign.key = hold.campaign WHERE id = ?1";
    let (campaign, before, was_open): (String, i64, bool) =
        conn.query_row(sql, [&id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let after = super::ledger::nanos(correction.cost)?;
    let reason = &correction.reason;
    conn.execute(
        "INSERT INTO adjustment (campaign, hold, before, after, was_open, reason, who, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![campaign, id, before, after, was_open, reason, who, at_ms],
    )?;
    conn.execute("UPDATE hold SET settled = ?2 WHERE id = ?1", params![id, after])?;
    move_sum(conn, &campaign, after - before)?;
    let (before_usd, after_usd) = (Money::from_nanos(before.unsigned_abs()), correction.cost);
    let reason = reason.clone();
    Ok(Ok(CorrectedHold { hold: id, campaign, before_usd, after_usd, was_open, reason }))
}

fn move_sum(conn: &Connection, campaign: &str, by: i64) -> StoreResult<()> {
    conn.execute(
        "UPDATE ledger SET spent = spent + ?2, moves = moves + 1
         WHERE campaign = (SELECT key FROM campaign WHERE name = ?1)",
        params![campaign, by],
    )?;
    Ok(())
}

/// The hold of that id, or the one hold of the call of that id.
fn id_of(
    conn: &Connection,
    wanted: &str,
) -> StoreResult<std::result::Result<String, CorrectionError>> {
    let exact = conn
        .query_row("SELECT id FROM hold WHERE id = ?1", [wanted], |row| row.get(0))
        .optional()?;
    if let Some(id) = exact {
        return Ok(Ok(id));
    }
    let mut statement =
        conn.prepare("SELECT id FROM hold WHERE id >= ?1 || '@' AND id < ?1 || 'A'")?;
    let ids = statement.query_map([wanted], |row| row.get(0))?;
    let mut ids: Vec<String> = ids.collect::<rusqlite::Result<_>>()?;
    Ok(match ids.len() {
        0 => Err(CorrectionError::Unknown(wanted.to_owned())),
        1 => Ok(ids.remove(0)),
        _ => Err(CorrectionError::Ambiguous(wanted.to_owned(), ids)),
    })
}

//! Adjustments: corrections of the record of money. Each adjustment leaves a row that says who made
//! it, when, why, and which amount counted before. No row is ever deleted.
//!
//! There are two kinds. A correction changes what one hold counts for (`synthd money`, see
//! `reconcile`). A charge counts money that no hold explains, because the hold was lost (see
//! `restore`). Both change the sum of the campaign in the same transaction, so that the sum always
//! equals its holds and charges.

use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use synthd_actors::model::Money;

/// Who makes an adjustment, when and why.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct AdjustmentTrace<'a> {
    /// The operator's words, or a sentence of synthd for a charge after a restore.
    pub(in crate::store) reason: &'a str,
    /// The user who makes the adjustment.
    pub(in crate::store) who: &'a str,
    /// Milliseconds since 1970, UTC.
    pub(in crate::store) at_ms: i64,
}

/// A request to correct one hold: what it really cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldCorrection {
    /// The hold's id (`ID@EPOCH`), or the id of its call if that call has exactly one hold.
    pub hold: String,
    /// The true cost. It replaces what the hold counts for now.
    pub cost: Money,
    pub reason: String,
}

/// A hold that was corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CorrectedHold {
    /// The full id of the hold, with its epoch.
    pub hold: String,
    pub campaign: String,
    /// What the hold counted for before: its settled cost, or the full amount if it was open.
    pub before_usd: Money,
    /// What the hold counts for since.
    pub after_usd: Money,
    /// Whether the hold was not settled before. The correction settles it.
    pub was_open: bool,
    pub reason: String,
}

/// Why a hold cannot be corrected. This is a mistake in the request, not a failure of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum CorrectionError {
    /// No hold and no call has this id.
    Unknown(String),
    /// The id stands for several holds: the id, and the ids of these holds.
    Ambiguous(String, Vec<String>),
}

/// Records `amount` as spent by the campaign although no hold explains it. The caller's transaction
/// must be open. The campaign may be missing in the store; then only the adjustment is written, and
/// the sum begins with it when the campaign is opened again.
pub(in crate::store) fn charge(
    conn: &Connection,
    campaign: &str,
    amount: Money,
    of: &AdjustmentTrace<'_>,
) -> StoreResult<()> {
    let amount = crate::store::accounting::ledger::nanos(amount)?;
    conn.execute(
        "INSERT INTO adjustment (campaign, hold, before, after, was_open, reason, who, at_ms)
         VALUES (?1, NULL, 0, ?2, 0, ?3, ?4, ?5)",
        params![campaign, amount, of.reason, of.who, of.at_ms],
    )?;
    move_sum(conn, campaign, amount)
}

/// Corrects holds in one transaction. If one of them cannot be corrected, the inner result says why
/// and none is changed. The outer error is a failure of the store.
pub(in crate::store) fn correct(
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

/// Corrects one hold inside the open transaction and records the adjustment.
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
    let after = crate::store::accounting::ledger::nanos(correction.cost)?;
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

/// Changes the sum of a campaign by `by` nano-dollars, and counts the change in `moves`. Does
/// nothing if the campaign has no sum.
fn move_sum(conn: &Connection, campaign: &str, by: i64) -> StoreResult<()> {
    conn.execute(
        "UPDATE ledger SET spent = spent + ?2, moves = moves + 1
         WHERE campaign = (SELECT key FROM campaign WHERE name = ?1)",
        params![campaign, by],
    )?;
    Ok(())
}

/// Finds the full id of a hold. `wanted` is that id, or the id of a call that has exactly one hold.
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
    // All ids that begin with `wanted@`. `A` is the character after `@`.
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

//! Money: holds and what they settle at. The sum is kept beside the entries it sums, in the
//! same transaction, so asking for it costs nothing however long a campaign runs.

use super::apply::{Applied, Result};
use super::fence::Fences;
use super::trouble::Trouble;
use rusqlite::{Connection, OptionalExtension, params};
use synthd_actors::model::{Attempt, CampaignName, EpisodeId, Money};

pub(super) struct Hold<'a> {
    pub(super) id: &'a str,
    pub(super) campaign: &'a CampaignName,
    pub(super) episode: &'a EpisodeId,
    pub(super) attempt: Attempt,
    pub(super) amount: Money,
    pub(super) model: &'a str,
    pub(super) at_ms: i64,
}

pub(super) fn hold(conn: &Connection, fences: &mut Fences, hold: &Hold<'_>) -> Result {
    let amount = nanos(hold.amount)?;
    let (campaign, episode) = fences.owner(conn, hold.campaign, hold.episode)?;
    let new = conn
        .prepare_cached(
            "INSERT INTO hold (id, campaign, episode, attempt, amount, model, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            hold.id,
            campaign,
            episode,
            hold.attempt.0,
            amount,
            hold.model,
            hold.at_ms
        ])?;
    if new == 1 {
        book(conn, campaign, 0, amount)?;
    }
    Ok(Applied::Kept)
}

/// The first settlement stands: a second one is the same one, sent again.
pub(super) fn settle(conn: &Connection, id: &str, amount: Money) -> Result {
    let amount = nanos(amount)?;
    let held: Option<(i64, i64, bool)> = conn
        .prepare_cached("SELECT campaign, amount, settled IS NOT NULL FROM hold WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (campaign, held, settled) =
        held.ok_or_else(|| Trouble::refused(format!("there is no hold {id} to settle")))?;
    if !settled {
        conn.prepare_cached("UPDATE hold SET settled = ?2 WHERE id = ?1")?
            .execute(params![id, amount])?;
        book(conn, campaign, held, amount)?;
    }
    Ok(Applied::Kept)
}

/// Nano-dollars as the file keeps them. Nine billion dollars ought to be enough; more is
/// refused, never wrapped.
pub(super) fn nanos(amount: Money) -> Result<i64> {
    super::apply::whole(amount.nanos())
}

// Less what was held, plus what it is now. The column takes integers only, so a sum that
// does not fit is an error.
fn book(conn: &Connection, campaign: i64, less: i64, plus: i64) -> Result<()> {
    conn.prepare_cached("UPDATE ledger SET spent = spent - ?2 + ?3 WHERE campaign = ?1")?
        .execute([campaign, less, plus])?;
    Ok(())
}

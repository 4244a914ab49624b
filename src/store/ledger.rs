//! Money: holds and what they settle at. The sum is kept beside the entries it sums, in the
//! same transaction, so asking for it costs nothing however long a campaign runs. It is written
//! once for all that are committed together.

use super::apply::{Applied, Result};
use super::fence::Fences;
use super::trouble::Trouble;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use synthd_actors::model::{Attempt, CampaignName, EpisodeId, Money};

/// Holds remembered; of any other the store is asked.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

pub(super) struct Hold<'a> {
    pub(super) id: &'a str,
    pub(super) campaign: &'a CampaignName,
    pub(super) episode: &'a EpisodeId,
    pub(super) attempt: Attempt,
    pub(super) amount: Money,
    pub(super) model: &'a str,
    pub(super) at_ms: i64,
}

/// What the open transaction owes the sums, and what it need not look up.
#[derive(Default)]
pub(super) struct Books {
    /// By campaign: what was held and settled since the sum was written. Wide enough for any
    /// number of amounts.
    owed: HashMap<i64, i128>,
    /// Holds that are not settled: whose, and how much.
    open: HashMap<Box<str>, (i64, i64)>,
}

impl Books {
    /// Less what was held, plus what it is now.
    fn book(&mut self, campaign: i64, less: i64, plus: i64) {
        *self.owed.entry(campaign).or_default() += i128::from(plus) - i128::from(less);
    }

    fn remember(&mut self, id: &str, campaign: i64, amount: i64) {
        if self.open.len() >= REMEMBERED {
            self.open.clear();
        }
        self.open.insert(id.into(), (campaign, amount));
    }

    /// Writes the sums. The column takes integers only, so one that does not fit is an error.
    pub(super) fn close(&mut self, conn: &Connection) -> Result<()> {
        for (campaign, owed) in self.owed.drain() {
            let owed = i64::try_from(owed)
                .map_err(|_| Trouble::refused("more money at once than can be counted"))?;
            conn.prepare_cached("UPDATE ledger SET spent = spent + ?2 WHERE campaign = ?1")?
                .execute([campaign, owed])?;
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.owed.clear();
        self.open.clear();
    }
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
        fences.books.book(campaign, 0, amount);
        fences.books.remember(hold.id, campaign, amount);
    }
    Ok(Applied::Kept)
}

/// The first settlement stands: a second one is the same one, sent again.
pub(super) fn settle(conn: &Connection, books: &mut Books, id: &str, amount: Money) -> Result {
    let amount = nanos(amount)?;
    let open = books.open.remove(id).map_or_else(|| find(conn, id), |open| Ok(Some(open)))?;
    if let Some((campaign, held)) = open {
        let new = conn
            .prepare_cached("UPDATE hold SET settled = ?2 WHERE id = ?1 AND settled IS NULL")?
            .execute(params![id, amount])?;
        if new == 1 {
            books.book(campaign, held, amount);
        }
    }
    Ok(Applied::Kept)
}

/// Whose hold it is and how much, unless it is settled.
fn find(conn: &Connection, id: &str) -> Result<Option<(i64, i64)>> {
    let held: Option<(i64, i64, bool)> = conn
        .prepare_cached("SELECT campaign, amount, settled IS NOT NULL FROM hold WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (campaign, amount, settled) =
        held.ok_or_else(|| Trouble::refused(format!("there is no hold {id} to settle")))?;
    Ok((!settled).then_some((campaign, amount)))
}

/// Nano-dollars as the file keeps them. Nine billion dollars ought to be enough; more is
/// refused, never wrapped.
pub(super) fn nanos(amount: Money) -> Result<i64> {
    super::apply::whole(amount.nanos())
}

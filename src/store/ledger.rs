//! Money: holds and what they settle at. The sum is kept beside the entries it sums, in the
//! same transaction, so asking for it costs nothing however long a campaign runs. It is written
//! once for all that are committed together.

use super::apply::{ApplyOutcome, StoreResult};
use super::epoch::hold_id;
use super::error::StoreError;
use super::fence::FenceCache;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::{BTreeSet, HashMap};
use synthd_actors::model::{AttemptNumber, CampaignName, EpisodeId, Money};

/// Holds remembered; of any other the store is asked.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

pub(super) struct HoldRow<'a> {
    pub(super) id: &'a str,
    pub(super) campaign: &'a CampaignName,
    pub(super) episode: &'a EpisodeId,
    pub(super) attempt: AttemptNumber,
    pub(super) amount: Money,
    pub(super) model: &'a str,
    pub(super) at_ms: i64,
}

/// What the open transaction owes the sums, and what it need not look up.
pub(super) struct LedgerBuffer {
    pub(super) epoch: i64,
    /// By campaign: what was held and settled since the sum was written. Wide enough for any
    /// number of amounts.
    owed: HashMap<i64, i128>,
    /// Campaigns whose sum was written since the mark was moved.
    pub(super) moved: BTreeSet<i64>,
    /// Holds that are not settled: whose, and how much.
    open: HashMap<Box<str>, (i64, i64)>,
}

const MOVE: &str = "UPDATE ledger SET spent = spent + ?2, moves = moves + 1 WHERE campaign = ?1";

impl LedgerBuffer {
    pub(super) fn new(epoch: i64) -> Self {
        Self { epoch, owed: HashMap::new(), moved: BTreeSet::new(), open: HashMap::new() }
    }

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
    pub(super) fn close(&mut self, conn: &Connection) -> StoreResult<()> {
        for (campaign, owed) in self.owed.drain() {
            let owed = i64::try_from(owed)
                .map_err(|_| StoreError::refused("more money at once than can be counted"))?;
            conn.prepare_cached(MOVE)?.execute([campaign, owed])?;
            self.moved.insert(campaign);
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.owed.clear();
        self.open.clear();
    }
}

/// The same hold may be sent again. Another one by its id is refused: its call must not leave.
pub(super) fn hold(conn: &Connection, fences: &mut FenceCache, hold: &HoldRow<'_>) -> StoreResult {
    let amount = nanos(hold.amount)?;
    let (campaign, episode) = fences.owner(conn, hold.campaign, hold.episode)?;
    let id = hold_id(hold.id, fences.books.epoch);
    let HoldRow { attempt, model, at_ms, .. } = *hold;
    let values = params![id, campaign, episode, attempt.0, amount, model, at_ms];
    let new = conn
        .prepare_cached(
            "INSERT INTO hold (id, campaign, episode, attempt, amount, model, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(values)?;
    if new == 0 {
        return same_hold(conn, &id, values);
    }
    fences.books.book(campaign, 0, amount);
    fences.books.remember(hold.id, campaign, amount);
    Ok(ApplyOutcome::Kept)
}

/// Whether the hold that is there already is this one.
fn same_hold(conn: &Connection, id: &str, values: &[&dyn ToSql]) -> StoreResult {
    let same = conn
        .prepare_cached(
            "SELECT 1 FROM hold WHERE id = ?1 AND campaign = ?2 AND episode = ?3
                 AND attempt = ?4 AND amount = ?5 AND model = ?6 AND at_ms = ?7",
        )?
        .exists(values)?;
    match same {
        true => Ok(ApplyOutcome::Kept),
        false => Err(StoreError::refused(format!("there is another hold by the id {id} already"))),
    }
}

/// The first settlement stands: a second one is the same one, sent again.
pub(super) fn settle(
    conn: &Connection,
    books: &mut LedgerBuffer,
    id: &str,
    amount: Money,
) -> StoreResult {
    let amount = nanos(amount)?;
    let stored = hold_id(id, books.epoch);
    let open = books.open.remove(id).map_or_else(|| find(conn, &stored), |open| Ok(Some(open)))?;
    if let Some((campaign, held)) = open {
        let new = conn
            .prepare_cached("UPDATE hold SET settled = ?2 WHERE id = ?1 AND settled IS NULL")?
            .execute(params![stored, amount])?;
        if new == 1 {
            books.book(campaign, held, amount);
        }
    }
    Ok(ApplyOutcome::Kept)
}

/// Whose hold it is and how much, unless it is settled.
fn find(conn: &Connection, id: &str) -> StoreResult<Option<(i64, i64)>> {
    let held: Option<(i64, i64, bool)> = conn
        .prepare_cached("SELECT campaign, amount, settled IS NOT NULL FROM hold WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (campaign, amount, settled) =
        held.ok_or_else(|| StoreError::refused(format!("there is no hold {id} to settle")))?;
    Ok((!settled).then_some((campaign, amount)))
}

/// Nano-dollars as the file keeps them. Nine billion dollars ought to be enough; more is
/// refused, never wrapped.
pub(super) fn nanos(amount: Money) -> StoreResult<i64> {
    super::apply::whole(amount.nanos())
}

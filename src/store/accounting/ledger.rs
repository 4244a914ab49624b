//! The ledger: holds, settlements, and the sum of each campaign.
//!
//! The sum of a campaign (table `ledger`) is what was settled plus every open hold in full. It is
//! changed in the same transaction as the holds, so reading it needs no count over all holds.
//! Within one transaction [`LedgerBuffer`] collects the changes, and each sum is written once, at
//! the end.
//!
//! All amounts are nano-dollars: 1 dollar is 1,000,000,000.

use crate::store::error::StoreError;
use crate::store::integrity::epoch::hold_id;
use crate::store::writing::apply::{ApplyOutcome, StoreResult};
use crate::store::writing::fence::FenceCache;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::{BTreeSet, HashMap};
use synthd_actors::model::{AttemptNumber, CampaignName, EpisodeId, Money};

/// How many open holds the buffer remembers. Any other hold is looked up in the database.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

/// A hold to be inserted, borrowed from its journal entry.
pub(in crate::store) struct HoldRow<'a> {
    /// The id of the call, without the epoch.
    pub(in crate::store) id: &'a str,
    pub(in crate::store) campaign: &'a CampaignName,
    pub(in crate::store) episode: &'a EpisodeId,
    pub(in crate::store) attempt: AttemptNumber,
    /// The worst case of the call's cost.
    pub(in crate::store) amount: Money,
    pub(in crate::store) model: &'a str,
    /// When the money was held: milliseconds since 1970, UTC. It decides for which day the hold
    /// counts.
    pub(in crate::store) at_ms: i64,
}

/// What the open transaction must still add to the sums, and the open holds that need no look-up.
pub(in crate::store) struct LedgerBuffer {
    /// The writer's epoch. It is part of each hold's stored id.
    pub(in crate::store) epoch: i64,
    /// For each campaign key, the change of its sum that is not written yet. The type is wide
    /// enough for any number of amounts.
    owed: HashMap<i64, i128>,
    /// Keys of the campaigns whose sums were written since the mark was last moved.
    pub(in crate::store) moved: BTreeSet<i64>,
    /// Holds that are not settled, by their ids without epoch: the campaign's key and the amount.
    open: HashMap<Box<str>, (i64, i64)>,
}

/// Changes a sum and counts the change.
const MOVE: &str = "UPDATE ledger SET spent = spent + ?2, moves = moves + 1 WHERE campaign = ?1";

impl LedgerBuffer {
    pub(in crate::store) fn new(epoch: i64) -> Self {
        Self { epoch, owed: HashMap::new(), moved: BTreeSet::new(), open: HashMap::new() }
    }

    /// Records a change of a campaign's sum: `less` no longer counts, and `plus` counts instead.
    fn add_change(&mut self, campaign: i64, less: i64, plus: i64) {
        *self.owed.entry(campaign).or_default() += i128::from(plus) - i128::from(less);
    }

    /// Remembers an open hold. If there are too many, all are forgotten, because each of them can
    /// be looked up again.
    fn remember(&mut self, id: &str, campaign: i64, amount: i64) {
        if self.open.len() >= REMEMBERED {
            self.open.clear();
        }
        self.open.insert(id.into(), (campaign, amount));
    }

    /// Writes the changed sums. This must be the last step before the commit. It is refused if a
    /// change does not fit into a column.
    pub(in crate::store) fn close(&mut self, conn: &Connection) -> StoreResult<()> {
        for (campaign, owed) in self.owed.drain() {
            let owed = i64::try_from(owed)
                .map_err(|_| StoreError::refused("more money at once than can be counted"))?;
            conn.prepare_cached(MOVE)?.execute([campaign, owed])?;
            self.moved.insert(campaign);
        }
        Ok(())
    }

    /// Forgets the changes and the holds of a transaction that was rolled back. `moved` stays: a
    /// campaign in it may have an earlier change that is committed, and an unchanged sum does no
    /// harm there.
    pub(in crate::store) fn clear(&mut self) {
        self.owed.clear();
        self.open.clear();
    }
}

/// Inserts a hold and adds it to the sum. The same hold may be appended again. Another hold with
/// the same id is refused, and then its call must not be sent.
pub(in crate::store) fn hold(
    conn: &Connection,
    fences: &mut FenceCache,
    hold: &HoldRow<'_>,
) -> StoreResult {
    let amount = nanos(hold.amount)?;
    let (campaign, episode) = fences.owner(conn, hold.campaign, hold.episode)?;
    let id = hold_id(hold.id, fences.buffer.epoch);
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
    fences.buffer.add_change(campaign, 0, amount);
    fences.buffer.remember(hold.id, campaign, amount);
    Ok(ApplyOutcome::Kept)
}

/// The result for a hold whose id is stored already: kept if all values are equal, refused
/// otherwise.
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

/// Settles a hold: its true cost counts instead of the held amount. A hold is settled only once. A
/// second settlement is taken for the first one, sent again, and changes nothing. It is refused if
/// there is no such hold.
pub(in crate::store) fn settle(
    conn: &Connection,
    buffer: &mut LedgerBuffer,
    id: &str,
    amount: Money,
) -> StoreResult {
    let amount = nanos(amount)?;
    let stored = hold_id(id, buffer.epoch);
    let open = buffer.open.remove(id).map_or_else(|| find(conn, &stored), |open| Ok(Some(open)))?;
    if let Some((campaign, held)) = open {
        let new = conn
            .prepare_cached("UPDATE hold SET settled = ?2 WHERE id = ?1 AND settled IS NULL")?
            .execute(params![stored, amount])?;
        if new == 1 {
            buffer.add_change(campaign, held, amount);
        }
    }
    Ok(ApplyOutcome::Kept)
}

/// The campaign's key and the amount of a stored hold. None if the hold is settled. Refused if
/// there is no hold with this id.
fn find(conn: &Connection, id: &str) -> StoreResult<Option<(i64, i64)>> {
    let held: Option<(i64, i64, bool)> = conn
        .prepare_cached("SELECT campaign, amount, settled IS NOT NULL FROM hold WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (campaign, amount, settled) =
        held.ok_or_else(|| StoreError::refused(format!("there is no hold {id} to settle")))?;
    Ok((!settled).then_some((campaign, amount)))
}

/// An amount as the database keeps it: a signed number of nano-dollars, so at most about nine
/// billion dollars. A larger amount is refused and never wraps around.
pub(in crate::store) fn nanos(amount: Money) -> StoreResult<i64> {
    crate::store::writing::apply::whole(amount.nanos())
}

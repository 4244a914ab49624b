//! Fences: which attempt of an episode may write, and which campaign has planned an episode. Every
//! turn asks for the first, and every hold, every call and every row for the second, so one query
//! answers both, and the answers are cached. The cache stays correct because only this writer
//! changes them.
//!
//! An episode here is a unit of any kind of work (ADR 19).
//!
//! A turn, a fault or an outcome of an attempt that is not the current one, or of a finished
//! episode, is dropped. The cause is usually an attempt that was replaced before all of its entries
//! were appended. Holds, settlements and calls are never dropped, because their money counts.

use crate::store::accounting::ledger::LedgerBuffer;
use crate::store::error::StoreError;
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;
use synthd_actors::model::{AttemptNumber, CampaignName, EpisodeId};

/// How many episodes each cache remembers. If there are more, the cache is emptied and filled
/// again. Tests use a small number, so that this happens in them.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

/// The state of a unit as far as it decides who may write.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct UnitFence {
    /// The row key of the episode.
    pub(in crate::store) episode: i64,
    /// The current attempt. Zero before the first attempt.
    pub(in crate::store) attempt: AttemptNumber,
    /// The row key of the current attempt. None before the first attempt.
    attempt_key: Option<i64>,
    /// The attempt whose turns the current attempt took over.
    pub(in crate::store) resumed_from: Option<u32>,
    /// Whether the episode has its outcome. Then no attempt may write.
    pub(in crate::store) finished: bool,
}

impl UnitFence {
    /// The row key of `attempt` if this attempt may write. None if it may not.
    pub(in crate::store) fn admits(&self, attempt: AttemptNumber) -> Option<i64> {
        self.attempt_key.filter(|_| !self.finished && attempt == self.attempt)
    }

    /// The fence after the start of an attempt, whose row has this key.
    pub(in crate::store) fn started(
        self,
        attempt: AttemptNumber,
        key: i64,
        resumed_from: Option<AttemptNumber>,
    ) -> Self {
        let resumed_from = resumed_from.map(|source| source.0);
        Self { attempt, attempt_key: Some(key), resumed_from, ..self }
    }

    /// Reads it from the columns of `FIND`.
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            episode: row.get(0)?,
            attempt: AttemptNumber(row.get(1)?),
            attempt_key: row.get(2)?,
            resumed_from: row.get(3)?,
            finished: row.get(4)?,
        })
    }
}

/// What the cache keeps of an episode.
const FIND: &str = "
    SELECT episode.key, attempt, attempt_key, resumed_from, finished_at_ms IS NOT NULL,
        campaign.key, campaign.name, ordinal
    FROM episode CROSS JOIN progress ON progress.episode = episode.key
    CROSS JOIN campaign ON campaign.key = episode.campaign WHERE episode.id = ?1";

/// What the writer remembers between entries. It has the state that the open transaction sees. Code
/// that changes a fence must [`forget`](Self::forget) it or [`set`](Self::set) it. After a rollback
/// the cache must be [`clear`](Self::clear)ed.
pub(in crate::store) struct FenceCache {
    fences: HashMap<EpisodeId, UnitFence>,
    owners: HashMap<EpisodeId, UnitOwner>,
    /// The sums of money that the open transaction has still to write, and the open holds.
    pub(in crate::store) buffer: LedgerBuffer,
}

/// The campaign of a unit, and its place in the campaign's plan. They never change.
struct UnitOwner {
    /// The campaign's name.
    name: CampaignName,
    /// The row key of the campaign.
    campaign: i64,
    /// The row key of the episode.
    episode: i64,
    ordinal: i64,
}

impl UnitOwner {
    /// Reads it from the columns of `FIND`.
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let name = CampaignName(row.get(6)?);
        Ok(Self { name, campaign: row.get(5)?, episode: row.get(0)?, ordinal: row.get(7)? })
    }
}

impl FenceCache {
    /// An empty cache for the writer of this epoch.
    pub(in crate::store) fn new(epoch: i64) -> Self {
        let (fences, owners) = (HashMap::new(), HashMap::new());
        Self { fences, owners, buffer: LedgerBuffer::new(epoch) }
    }

    /// The fence of an episode, from the cache or from the database. Refused if it is not planned.
    pub(in crate::store) fn of(
        &mut self,
        conn: &Connection,
        id: &EpisodeId,
    ) -> StoreResult<UnitFence> {
        if let Some(fence) = self.fences.get(id) {
            return Ok(*fence);
        }
        let read = self.read(conn, id)?;
        read.ok_or_else(|| StoreError::refused(format!("episode {id} is not planned")))
    }

    /// Reads an episode into the cache, and gives its fence. None if it is not planned.
    fn read(&mut self, conn: &Connection, id: &EpisodeId) -> StoreResult<Option<UnitFence>> {
        let found = conn
            .prepare_cached(FIND)?
            .query_row([id.as_str()], |row| Ok((UnitFence::of(row)?, UnitOwner::of(row)?)))
            .optional()?;
        let Some((fence, owner)) = found else { return Ok(None) };
        self.set(id, fence);
        if self.owners.len() >= REMEMBERED {
            self.owners.clear();
        }
        self.owners.insert(id.clone(), owner);
        Ok(Some(fence))
    }

    /// Replaces the fence of an episode by what the open transaction has made of it.
    pub(in crate::store) fn set(&mut self, id: &EpisodeId, fence: UnitFence) {
        if self.fences.len() >= REMEMBERED {
            // Only the fences are dropped. The open transaction still needs the sums in `buffer`.
            self.fences.clear();
        }
        self.fences.insert(id.clone(), fence);
    }

    /// Drops the fence of an episode, because the open transaction has changed it.
    pub(in crate::store) fn forget(&mut self, id: &EpisodeId) {
        self.fences.remove(id);
    }

    /// The row keys of a campaign and of one of its episodes. Refused if the campaign has not
    /// planned this episode.
    pub(in crate::store) fn owner(
        &mut self,
        conn: &Connection,
        campaign: &CampaignName,
        episode: &EpisodeId,
    ) -> StoreResult<(i64, i64)> {
        let planned = self.planned(conn, campaign, episode)?;
        let (campaign_key, episode_key, _) = planned.ok_or_else(|| {
            StoreError::refused(format!("{episode} is none that {campaign} has planned"))
        })?;
        Ok((campaign_key, episode_key))
    }

    /// As [`Self::owner`], with the place of the episode in the plan. None if the campaign has not
    /// planned it.
    pub(in crate::store) fn planned(
        &mut self,
        conn: &Connection,
        campaign: &CampaignName,
        episode: &EpisodeId,
    ) -> StoreResult<Option<(i64, i64, i64)>> {
        if !self.owners.contains_key(episode) {
            self.read(conn, episode)?;
        }
        let owner = self.owners.get(episode).filter(|owner| owner.name == *campaign);
        Ok(owner.map(|owner| (owner.campaign, owner.episode, owner.ordinal)))
    }

    /// Drops everything, because the database no longer has what the cache shows.
    pub(in crate::store) fn clear(&mut self) {
        self.fences.clear();
        self.owners.clear();
        self.buffer.clear();
    }
}

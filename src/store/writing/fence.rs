//! Fences: which attempt of an episode may write, and to which campaign an episode belongs. Every
//! turn asks for the first, and every hold and every call for the second, so the answers are
//! cached. The cache stays correct because only this writer changes them.
//!
//! A turn, a fault or an outcome of an attempt that is not the current one, or of a finished
//! episode, is dropped. The cause is usually an attempt that was replaced before all of its entries
//! were appended. Holds, settlements and calls are never dropped, because their money counts.

use crate::store::accounting::ledger::LedgerBuffer;
use crate::store::error::StoreError;
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use synthd_actors::model::{AttemptNumber, CampaignName, EpisodeId};

/// How many episodes each cache remembers. If there are more, the cache is emptied and filled
/// again. Tests use a small number, so that this happens in them.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

/// The state of an episode as far as it decides who may write.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct EpisodeFence {
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

impl EpisodeFence {
    /// The row key of `attempt` if this attempt may write. None if it may not.
    pub(in crate::store) fn admits(&self, attempt: AttemptNumber) -> Option<i64> {
        self.attempt_key.filter(|_| !self.finished && attempt == self.attempt)
    }

    /// Reads the fence of an episode. Refused if the episode is not planned.
    fn read(conn: &Connection, id: &EpisodeId) -> StoreResult<Self> {
        let mut found = conn.prepare_cached(
            "SELECT episode, attempt, attempt_key, resumed_from, finished_at_ms IS NOT NULL
             FROM episode CROSS JOIN progress ON progress.episode = episode.key WHERE id = ?1",
        )?;
        let fence = found.query_row([id.as_str()], |row| {
            Ok(Self {
                episode: row.get(0)?,
                attempt: AttemptNumber(row.get(1)?),
                attempt_key: row.get(2)?,
                resumed_from: row.get(3)?,
                finished: row.get(4)?,
            })
        });
        fence.optional()?.ok_or_else(|| StoreError::refused(format!("episode {id} is not planned")))
    }
}

/// What the writer remembers between entries. It has the state that the open transaction sees. Code
/// that changes a fence must [`forget`](Self::forget) it. After a rollback the cache must be
/// [`clear`](Self::clear)ed.
pub(in crate::store) struct FenceCache {
    fences: HashMap<EpisodeId, EpisodeFence>,
    owners: HashMap<EpisodeId, EpisodeOwner>,
    /// The sums of money that the open transaction has still to write, and the open holds.
    pub(in crate::store) buffer: LedgerBuffer,
}

/// The campaign of an episode. It never changes.
struct EpisodeOwner {
    /// The campaign's name.
    name: CampaignName,
    /// The row key of the campaign.
    campaign: i64,
    /// The row key of the episode.
    episode: i64,
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
    ) -> StoreResult<EpisodeFence> {
        if let Some(fence) = self.fences.get(id) {
            return Ok(*fence);
        }
        let fence = EpisodeFence::read(conn, id)?;
        if self.fences.len() >= REMEMBERED {
            // Only the fences are dropped. The open transaction still needs the sums in `buffer`.
            self.fences.clear();
        }
        self.fences.insert(id.clone(), fence);
        Ok(fence)
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
        if let Some(known) = self.owners.get(episode).filter(|known| known.name == *campaign) {
            return Ok((known.campaign, known.episode));
        }
        let keys = read_owner(conn, campaign, episode)?;
        if self.owners.len() >= REMEMBERED {
            self.owners.clear();
        }
        let owner = EpisodeOwner { name: campaign.clone(), campaign: keys.0, episode: keys.1 };
        self.owners.insert(episode.clone(), owner);
        Ok(keys)
    }

    /// Drops everything, because the database no longer has what the cache shows.
    pub(in crate::store) fn clear(&mut self) {
        self.fences.clear();
        self.owners.clear();
        self.buffer.clear();
    }
}

/// Like [`FenceCache::owner`], from the database.
fn read_owner(
    conn: &Connection,
    campaign: &CampaignName,
    episode: &EpisodeId,
) -> StoreResult<(i64, i64)> {
    conn.prepare_cached(
        "SELECT campaign.key, episode.key FROM episode
         JOIN campaign ON campaign.key = episode.campaign WHERE episode.id = ?1 AND name = ?2",
    )?
    .query_row([episode.as_str(), campaign.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
    .optional()?
    .ok_or_else(|| StoreError::refused(format!("{episode} is none that {campaign} has planned")))
}

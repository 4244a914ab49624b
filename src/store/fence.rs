//! Where episodes stand: which attempt may write, and whose an episode is. Every turn and every
//! call asks, so the answers are kept in memory; only this one writer changes them.

use super::apply::StoreResult;
use super::error::StoreError;
use super::ledger::LedgerBuffer;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use synthd_actors::model::{AttemptNumber, CampaignName, EpisodeId};

/// Episodes remembered; beyond it all are asked for again. Tests have more than they remember.
const REMEMBERED: usize = if cfg!(test) { 2 } else { 16_384 };

#[derive(Clone, Copy, Debug)]
pub(super) struct EpisodeFence {
    pub(super) episode: i64,
    pub(super) attempt: AttemptNumber,
    attempt_key: Option<i64>,
    pub(super) resumed_from: Option<u32>,
    pub(super) finished: bool,
}

impl EpisodeFence {
    /// The key of `attempt` if it may still write.
    pub(super) fn admits(&self, attempt: AttemptNumber) -> Option<i64> {
        self.attempt_key.filter(|_| !self.finished && attempt == self.attempt)
    }

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

/// The cache holds the fences that the open transaction sees. Code that moves a fence must
/// [`forget`](Self::forget) it. A transaction that is undone [`clear`](Self::clear)s all fences.
pub(super) struct FenceCache {
    fences: HashMap<EpisodeId, EpisodeFence>,
    owners: HashMap<EpisodeId, EpisodeOwner>,
    pub(super) books: LedgerBuffer,
}

/// Whose an episode is. That never changes.
struct EpisodeOwner {
    name: CampaignName,
    campaign: i64,
    episode: i64,
}

impl FenceCache {
    /// None are known, to the writer of that epoch.
    pub(super) fn new(epoch: i64) -> Self {
        let (fences, owners) = (HashMap::new(), HashMap::new());
        Self { fences, owners, books: LedgerBuffer::new(epoch) }
    }

    pub(super) fn of(&mut self, conn: &Connection, id: &EpisodeId) -> StoreResult<EpisodeFence> {
        if let Some(fence) = self.fences.get(id) {
            return Ok(*fence);
        }
        let fence = EpisodeFence::read(conn, id)?;
        if self.fences.len() >= REMEMBERED {
            // And nothing else: what the open transaction owes is kept.
            self.fences.clear();
        }
        self.fences.insert(id.clone(), fence);
        Ok(fence)
    }

    pub(super) fn forget(&mut self, id: &EpisodeId) {
        self.fences.remove(id);
    }

    /// The keys of a campaign and of an episode that it has planned.
    pub(super) fn owner(
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

    pub(super) fn clear(&mut self) {
        self.fences.clear();
        self.owners.clear();
        self.books.clear();
    }
}

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

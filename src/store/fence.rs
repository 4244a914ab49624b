//! Where episodes stand: which attempt may write. Every turn asks, so the answers are kept in
//! memory; only this one writer changes them.

use super::apply::Result;
use super::trouble::Trouble;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use synthd_actors::model::{Attempt, EpisodeId};

/// Episodes remembered; beyond it all are asked for again.
const REMEMBERED: usize = 16_384;

#[derive(Clone, Copy, Debug)]
pub(super) struct Fence {
    pub(super) episode: i64,
    pub(super) attempt: Attempt,
    attempt_key: Option<i64>,
    pub(super) resumed_from: Option<u32>,
    pub(super) finished: bool,
}

impl Fence {
    /// The key of `attempt` if it may still write.
    pub(super) fn admits(&self, attempt: Attempt) -> Option<i64> {
        self.attempt_key.filter(|_| !self.finished && attempt == self.attempt)
    }

    fn read(conn: &Connection, id: &EpisodeId) -> Result<Self> {
        let mut found = conn.prepare_cached(
            "SELECT episode, attempt, attempt_key, resumed_from, finished_at_ms IS NOT NULL
             FROM episode CROSS JOIN progress ON progress.episode = episode.key WHERE id = ?1",
        )?;
        let fence = found.query_row([id.as_str()], |row| {
            Ok(Self {
                episode: row.get(0)?,
                attempt: Attempt(row.get(1)?),
                attempt_key: row.get(2)?,
                resumed_from: row.get(3)?,
                finished: row.get(4)?,
            })
        });
        fence.optional()?.ok_or_else(|| Trouble::refused(format!("episode {id} is not planned")))
    }
}

/// What is remembered is what the open transaction sees: whoever moves a fence must
/// [`forget`](Self::forget) it, and a transaction that is undone [`clear`](Self::clear)s all.
#[derive(Default)]
pub(super) struct Fences(HashMap<EpisodeId, Fence>);

impl Fences {
    pub(super) fn of(&mut self, conn: &Connection, id: &EpisodeId) -> Result<Fence> {
        if let Some(fence) = self.0.get(id) {
            return Ok(*fence);
        }
        let fence = Fence::read(conn, id)?;
        if self.0.len() >= REMEMBERED {
            self.clear();
        }
        self.0.insert(id.clone(), fence);
        Ok(fence)
    }

    pub(super) fn forget(&mut self, id: &EpisodeId) {
        self.0.remove(id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

//! An archive that keeps workspaces in memory.

use crate::model::{AttemptNumber, EpisodeId, WorkspaceCopy};
use crate::ports::{StoreFault, WorkspaceArchive};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};

type Kept = (EpisodeId, AttemptNumber, Arc<WorkspaceCopy>);

/// The archive.
#[derive(Default)]
pub struct FakeArchive(Mutex<Vec<Kept>>);

impl FakeArchive {
    /// Every workspace, oldest first.
    pub fn kept(&self) -> Vec<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl WorkspaceArchive for FakeArchive {
    async fn keep(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
        copy: Arc<WorkspaceCopy>,
    ) -> Result<(), StoreFault> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((episode.clone(), attempt, copy));
        Ok(())
    }
}

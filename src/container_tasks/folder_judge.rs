//! The judge of a task folder of Harbor. The tests run in a fresh container of what the agent has left,
//! and the reward follows Harbor's rules.

use super::judge_engine::{JudgeEngine, to_its_end, verdict_of_rewards};
use crate::harbor::{HarborTask, folder_digest};
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use synthd_actors::container_judge::ContainerJudge;
use synthd_actors::model::{Fault, FaultKind, Verdict};
use synthd_actors::ports::KeptImage;

/// The judge of one folder.
pub(super) struct FolderJudge(pub(super) Arc<JudgedFolder>);

/// A folder as it was when it was read.
pub(super) struct JudgedFolder {
    pub(super) task: HarborTask,
    pub(super) folder: PathBuf,
    /// The digest of its files.
    pub(super) digest: String,
    pub(super) engine: Arc<JudgeEngine>,
}

impl JudgedFolder {
    /// Fails with `TaskSetup` if the folder has changed: its tests would be others.
    async fn ensure_same(&self) -> Result<(), Fault> {
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || folder_digest(&folder)).await;
        let found =
            found.map_err(|failure| Fault::new(FaultKind::Panicked, failure.to_string()))?;
        match found {
            Ok(digest) if digest == self.digest => Ok(()),
            Ok(_) => {
                let what = "the task's folder has changed since the campaign began";
                Err(Fault::new(FaultKind::TaskSetup, what))
            }
            Err(problem) => {
                let what = format!("the task's folder cannot be read any more: {problem}");
                Err(Fault::new(FaultKind::TaskSetup, what))
            }
        }
    }

    async fn prove(&self) -> Result<Vec<String>, Fault> {
        self.ensure_same().await?;
        self.engine.prover().await?.prove(&self.task, &self.folder).await
    }

    /// The verdict of two runs. If there is no reward, nobody knows why: it is a fault, and no label.
    async fn judge(&self, image: &str, runtime: Option<&str>) -> Result<Verdict, Fault> {
        self.ensure_same().await?;
        let first = self.reward(image, runtime).await?;
        let second = self.reward(image, runtime).await?;
        Ok(verdict_of_rewards(first, second))
    }

    async fn reward(&self, image: &str, runtime: Option<&str>) -> Result<f64, Fault> {
        let prover = self.engine.prover().await?;
        let reward = prover.reward_of(&self.task, &self.folder, image, runtime).await?;
        reward.map_err(|why| Fault::new(FaultKind::TaskSetup, format!("there is no reward: {why}")))
    }
}

#[async_trait]
impl ContainerJudge for FolderJudge {
    async fn prepare(&self) -> Result<(), Fault> {
        let JudgedFolder { task, folder, engine, .. } = &*self.0;
        engine.prover().await?.prepare(task, folder).await
    }

    async fn prove(&self) -> Result<Vec<String>, Fault> {
        let judged = self.0.clone();
        to_its_end(async move { judged.prove().await }).await
    }

    async fn judge(
        &self,
        image: Box<dyn KeptImage>,
        runtime: Option<&str>,
    ) -> Result<Verdict, Fault> {
        let (judged, runtime) = (self.0.clone(), runtime.map(str::to_owned));
        to_its_end(async move { judged.judge(image.id(), runtime.as_deref()).await }).await
    }
}

//! The judge of a task folder of Harbor. The tests run in a fresh container of what the agent has left,
//! and the reward follows Harbor's rules.

use super::judge_engine::{JudgeEngine, to_its_end, verdict_of_rewards};
use crate::harbor::{HarborTask, folder_digest};
use async_trait::async_trait;
use std::future::Future;
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

    /// The verdict of two runs.
    async fn judge(&self, image: &str, runtime: Option<&str>) -> Result<Verdict, Fault> {
        self.ensure_same().await?;
        let first = self.reward(image, runtime).await?;
        let second = self.reward(image, runtime).await?;
        Ok(verdict_of_rewards(&first, &second))
    }

    /// The reward of one run. The inner Err says why the work has none.
    async fn reward(
        &self,
        image: &str,
        runtime: Option<&str>,
    ) -> Result<Result<f64, String>, Fault> {
        let (prover, Self { task, folder, .. }) = (self.engine.prover().await?, self);
        let reward = Box::pin(prover.reward_of(task, folder, image, runtime)).await?;
        blamed(reward, Box::pin(prover.reward_of_nothing(task, folder, runtime))).await
    }
}

/// Finds out who is to blame if there is no reward. If the same tests have one where nothing was done, it
/// is the work, which then earns nothing: else an agent could avoid the verdict on what has failed. If
/// they have none there either, it is a fault, and no label.
async fn blamed(
    reward: Result<f64, String>,
    of_nothing: impl Future<Output = Result<Result<f64, String>, Fault>>,
) -> Result<Result<f64, String>, Fault> {
    let why = match reward {
        Ok(reward) => return Ok(Ok(reward)),
        Err(why) => why,
    };
    match of_nothing.await? {
        Ok(_) => Ok(Err(why)),
        Err(_) => Err(Fault::new(FaultKind::TaskSetup, format!("there is no reward: {why}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of work without a reward, if the tests over nothing end so.
    async fn unrewarded(nothing: Result<f64, String>) -> Result<Result<f64, String>, FaultKind> {
        let ended = blamed(Err("too late".to_owned()), async { Ok(nothing) }).await;
        ended.map_err(|fault| fault.kind)
    }

    #[tokio::test]
    async fn work_without_a_reward_is_to_blame_where_doing_nothing_has_one() {
        assert_eq!(unrewarded(Ok(0.0)).await, Ok(Err("too late".to_owned())));
        let neither = unrewarded(Err("no file".to_owned())).await;
        assert_eq!(neither, Err(FaultKind::TaskSetup));
    }

    #[tokio::test]
    async fn a_reward_is_kept_and_a_fault_stays_one() {
        let broken = || Fault::new(FaultKind::SandboxStart, "gone");
        let kept = blamed(Ok(0.5), async { Err(broken()) }).await;
        assert_eq!(kept.map_err(|fault| fault.kind), Ok(Ok(0.5)));
        let lost = blamed(Err("too late".to_owned()), async { Err(broken()) }).await;
        assert_eq!(lost.map_err(|fault| fault.kind), Err(FaultKind::SandboxStart));
    }
}

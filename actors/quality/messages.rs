//! What quality is asked, and the handle through which.

use super::QualityActor;
use super::row::FinishedEpisode;
use crate::collector::CollectorHandle;
use crate::model::{CampaignConfig, CampaignName, Fault, Publication};
use crate::policy::RestartIntensity;
use crate::ports::{Clock, DatasetSink, Journal};
use crate::supervisor::{ActorExit, ActorHandle, supervise};
use actix::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Judge a finished episode; answered when the verdict on the row is durable.
#[derive(Clone, Message)]
#[rtype(result = "Result<JudgeReply, Fault>")]
pub struct JudgeEpisode(pub Arc<FinishedEpisode>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeReply {
    pub accepted: bool,
}

/// Write the campaign's dataset from all its judged rows.
#[derive(Clone, Message)]
#[rtype(result = "Result<Publication, Fault>")]
pub struct PublishDataset {
    pub campaign: CampaignName,
    pub config: Arc<CampaignConfig>,
    pub planned: u64,
    pub faulted: u64,
}

/// What quality works with.
#[derive(Clone)]
pub struct QualityServices {
    pub collector: CollectorHandle,
    pub journal: Arc<dyn Journal>,
    pub sink: Arc<dyn DatasetSink>,
    pub clock: Arc<dyn Clock>,
}

/// Quality, for everybody else: several workers behind one handle.
#[derive(Clone)]
pub struct QualityHandle {
    workers: Arc<Vec<ActorHandle<QualityActor>>>,
}

impl QualityHandle {
    pub fn start(workers: usize, tools: &QualityServices) -> (Self, Vec<JoinHandle<ActorExit>>) {
        let (workers, joined): (Vec<_>, Vec<_>) = (0..workers.max(1))
            .map(|_| {
                let intensity = RestartIntensity::new(5, Duration::from_secs(10));
                let tools = tools.clone();
                supervise("quality", intensity, move || QualityActor::new(tools.clone()))
            })
            .unzip();
        (Self { workers: Arc::new(workers) }, joined)
    }

    /// Judges on the worker the episode's place in the plan falls to.
    pub async fn judge(&self, judgement: FinishedEpisode) -> Result<JudgeReply, Fault> {
        let worker = judgement.plan.ordinal % self.workers.len() as u64;
        let worker = &self.workers[usize::try_from(worker).unwrap_or(0)];
        worker.ask(JudgeEpisode(Arc::new(judgement))).await?
    }

    pub async fn publish(&self, publish: PublishDataset) -> Result<Publication, Fault> {
        self.workers[0].ask(publish).await?
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<QualityActor> {
        &self.workers[0]
    }
}

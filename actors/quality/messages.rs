//! The messages to quality, and the handle through which campaigns send them.

use super::QualityActor;
use super::unit::FinishedUnit;
use crate::collector::CollectorHandle;
use crate::model::{CampaignConfig, CampaignName, Fault, Publication};
use crate::policy::RestartIntensity;
use crate::ports::{Clock, DatasetSink, Journal};
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, supervise};
use actix::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Make a row of a finished unit and judge it. It is answered when the row and the decision are
/// durable.
#[derive(Clone, Message)]
#[rtype(result = "Result<JudgeReply, Fault>")]
pub struct JudgeUnit(pub Arc<dyn FinishedUnit>);

/// The decision on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeReply {
    /// False: a stage rejected the row. It stays in the journal but not in the dataset.
    pub accepted: bool,
}

/// Write the campaign's dataset from all its judged rows.
#[derive(Clone, Message)]
#[rtype(result = "Result<Publication, Fault>")]
pub struct PublishDataset {
    pub campaign: CampaignName,
    pub config: Arc<CampaignConfig>,
    /// Episodes in the plan, for the dataset card.
    pub planned: u64,
    /// Episodes that ended in a fault, for the dataset card.
    pub faulted: u64,
}

/// The services that quality uses.
#[derive(Clone)]
pub struct QualityServices {
    pub collector: CollectorHandle,
    pub journal: Arc<dyn Journal>,
    pub sink: Arc<dyn DatasetSink>,
    pub clock: Arc<dyn Clock>,
}

/// What others hold of quality: several actors behind one handle.
#[derive(Clone)]
pub struct QualityHandle {
    workers: Arc<Vec<ActorHandle<QualityActor>>>,
}

impl QualityHandle {
    /// Starts `workers` actors, at least one. Each is restarted after a panic, up to 5 times in 10
    /// s.
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

    /// Judges a unit. Its place in the plan decides which actor does it. Err means that no row was
    /// written, or that its answer was lost; the same unit may be judged again.
    pub async fn judge(&self, unit: Arc<dyn FinishedUnit>) -> Result<JudgeReply, Fault> {
        let worker = unit.plan().ordinal % self.workers.len() as u64;
        let worker = &self.workers[usize::try_from(worker).unwrap_or(0)];
        worker.ask(JudgeUnit(unit)).await?
    }

    /// Publishes a dataset. Err means that no version was recorded; it may be tried again.
    pub async fn publish(&self, publish: PublishDataset) -> Result<Publication, Fault> {
        self.workers[0].ask(publish).await?
    }

    /// The counts of all quality actors together.
    pub fn actor_stats(&self) -> ActorStats {
        let named = ActorStats { name: "quality".to_owned(), ..ActorStats::default() };
        self.workers.iter().fold(named, |sum, worker| sum.plus(&worker.stats()))
    }

    /// The handle of the first actor, for tests that make it panic.
    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<QualityActor> {
        &self.workers[0]
    }
}

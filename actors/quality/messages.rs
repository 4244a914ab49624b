//! The messages to quality, and the handle through which campaigns send them.

use super::judge_actor::JudgeActor;
use super::judge_queue::{JudgeLease, JudgeQueue, QualityStats};
use super::publish_actor::PublishActor;
use super::unit::FinishedUnit;
use crate::collector::CollectorHandle;
use crate::model::{CampaignConfig, CampaignName, Fault, Publication};
use crate::policy::RestartIntensity;
use crate::ports::{Clock, DatasetSink, Journal};
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, AskError, supervise};
use actix::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// Make a row of a finished unit and judge it. It is answered when the row and the decision are
/// durable.
#[derive(Clone, Message)]
#[rtype(result = "Result<JudgeReply, Fault>")]
pub struct JudgeUnit {
    pub(super) unit: Arc<dyn FinishedUnit>,
    /// The worker. It is free when the row is made.
    pub(super) lease: Arc<JudgeLease>,
}

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

/// A unit with its place in the queue. The place is free when the row is durable.
pub struct QueuedUnit {
    quality: QualityHandle,
    unit: Arc<dyn FinishedUnit>,
    _place: OwnedSemaphorePermit,
}

impl QueuedUnit {
    /// Waits for a worker, which makes the row and judges it, and then until the row is durable. No
    /// worker waits for the store. Err means that no row was written, or that its answer was lost;
    /// the same unit may be judged again.
    pub async fn judged(self) -> Result<JudgeReply, Fault> {
        let Self { quality, unit, _place } = self;
        let lease = quality.queue.worker().await.ok_or(AskError::Gone("quality"))?;
        let worker = lease.worker();
        worker.ask(JudgeUnit { unit, lease: Arc::new(lease) }).await?
    }
}

/// What others hold of quality: workers that judge behind one queue, and one publisher.
#[derive(Clone)]
pub struct QualityHandle {
    queue: Arc<JudgeQueue>,
    publisher: ActorHandle<PublishActor>,
}

impl QualityHandle {
    /// Starts `workers` workers, at least one, and the publisher. Each is restarted after a panic,
    /// up to 5 times in 10 s.
    pub fn start(workers: usize, tools: &QualityServices) -> (Self, Vec<JoinHandle<ActorExit>>) {
        let intensity = || RestartIntensity::new(5, Duration::from_secs(10));
        let worker = |_| {
            let tools = tools.clone();
            supervise("quality", intensity(), move || JudgeActor::new(tools.clone()))
        };
        let (workers, mut joined): (Vec<_>, Vec<_>) = (0..workers.max(1)).map(worker).unzip();
        let tools = tools.clone();
        let (publisher, exit) =
            supervise("publisher", intensity(), move || PublishActor::new(tools.clone()));
        joined.push(exit);
        (Self { queue: JudgeQueue::new(workers), publisher }, joined)
    }

    /// Waits for a place in the queue. Err only if the engine has ended.
    pub async fn enqueue(&self, unit: Arc<dyn FinishedUnit>) -> Result<QueuedUnit, Fault> {
        let place = self.queue.place().await.ok_or(AskError::Gone("quality"))?;
        Ok(QueuedUnit { quality: self.clone(), unit, _place: place })
    }

    /// Judges a unit: waits for a place in the queue, and then as [`QueuedUnit::judged`].
    pub async fn judge(&self, unit: Arc<dyn FinishedUnit>) -> Result<JudgeReply, Fault> {
        self.enqueue(unit).await?.judged().await
    }

    /// Publishes a dataset. Err means that no version was recorded; it may be tried again.
    pub async fn publish(&self, publish: PublishDataset) -> Result<Publication, Fault> {
        self.publisher.ask(publish).await?
    }

    /// The state of the queue.
    pub fn stats(&self) -> QualityStats {
        self.queue.stats()
    }

    /// The counts of all workers together, and those of the publisher.
    pub fn actor_stats(&self) -> [ActorStats; 2] {
        let named = ActorStats { name: "quality".to_owned(), ..ActorStats::default() };
        let workers = self.queue.workers().iter();
        [workers.fold(named, |sum, worker| sum.plus(&worker.stats())), self.publisher.stats()]
    }

    /// The handle of the first worker, for tests that make it panic.
    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<JudgeActor> {
        &self.queue.workers()[0]
    }

    /// The handle of the publisher, for tests that make it panic.
    #[cfg(any(test, feature = "testkit"))]
    pub fn raw_publisher(&self) -> &ActorHandle<PublishActor> {
        &self.publisher
    }
}

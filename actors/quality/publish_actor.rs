//! The publisher of quality. It writes the datasets of all campaigns, one at a time and in the order
//! in which they were asked for.
//!
//! ```text
//!  idle ──PublishDataset──► barrier ─► review made ─► rows written ─► version recorded ──► idle
//!                              └───────────┴──── fault or panic: told to the sender ─────────┘
//! ```
//! The barrier comes first: a version must not contain rows that a power cut could take from the
//! journal. The files come before the record: after a kill between the two, the version exists on
//! the disk and the next publication finds it.

use super::campaign_rows::CampaignRows;
use super::judge_actor::panicked;
use super::messages::{PublishDataset, QualityServices};
use super::review::DatasetReview;
use crate::model::{Fault, JournalEntry, Publication};
use crate::ports::DatasetWriteRequest;
use crate::supervisor::spawn;
use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use std::sync::Arc;

/// The actor has no state besides its services.
pub struct PublishActor {
    tools: QualityServices,
}

impl PublishActor {
    pub(super) fn new(tools: QualityServices) -> Self {
        Self { tools }
    }
}

impl Actor for PublishActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(PublishActor);

impl Handler<PublishDataset> for PublishActor {
    type Result = AtomicResponse<Self, Result<Publication, Fault>>;

    fn handle(&mut self, message: PublishDataset, _: &mut Self::Context) -> Self::Result {
        let tools = self.tools.clone();
        let work = spawn("publish", async move { publish(&tools, message).await });
        let answer = async move { work.await.unwrap_or_else(|f| Err(panicked(f))) };
        // No other message is handled before this one is answered.
        AtomicResponse::new(Box::pin(answer.into_actor(self)))
    }
}

/// Writes a dataset version and records it.
async fn publish(tools: &QualityServices, publish: PublishDataset) -> Result<Publication, Fault> {
    tools.journal.barrier().await?;
    let episodes = tools.journal.episodes(&publish.campaign).await?;
    let config = &publish.config;
    let request = DatasetWriteRequest {
        campaign: publish.campaign.clone(),
        rows: Arc::new(CampaignRows::new(tools.journal.clone(), publish.campaign.clone())),
        review: Box::new(DatasetReview::new(config.quality.clone(), &episodes)),
        format: config.kind.row_format(),
        faulted: publish.faulted,
        planned: publish.planned,
        licence: config.dataset.licence.clone(),
        seed: config.seed,
        config_digest: config.settings_digest(),
        now_ms: tools.clock.now_ms(),
    };
    let published = tools.sink.write(request).await?;
    tools.collector.record(vec![JournalEntry::DatasetWritten(published.record.clone())]).await?;
    Ok(published)
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for PublishActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the publisher");
    }
}

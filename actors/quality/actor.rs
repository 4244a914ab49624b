//! The quality actor. It judges and publishes in tasks on the worker threads, so that a large row
//! does not delay the others.

use super::messages::{JudgeReply, JudgeUnit, PublishDataset, QualityServices};
use super::unit::FinishedUnit;
use crate::model::{
    EpisodeId, EpisodeRecord, Fault, FaultKind, JournalEntry, Outcome, PassRate, PlannedEpisode,
    Publication, RowRejection, StageAction,
};
use crate::policy::SampleTracker;
use crate::ports::DatasetWriteRequest;
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, Context, Handler, ResponseFuture};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rows that are read at once when all rows are compared.
const PAGE: usize = 256;

/// The actor has no state besides its services.
pub struct QualityActor {
    tools: QualityServices,
}

impl QualityActor {
    pub(super) fn new(tools: QualityServices) -> Self {
        Self { tools }
    }
}

impl Actor for QualityActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(QualityActor);

impl Handler<JudgeUnit> for QualityActor {
    type Result = ResponseFuture<Result<JudgeReply, Fault>>;

    fn handle(&mut self, message: JudgeUnit, _: &mut Self::Context) -> Self::Result {
        let tools = self.tools.clone();
        // A panic while judging is answered as a fault; the actor itself lives on.
        let work = spawn("judge", async move { judge(&tools, &*message.0).await });
        Box::pin(async move { work.await.unwrap_or_else(|f| Err(panicked(f))) })
    }
}

impl Handler<PublishDataset> for QualityActor {
    type Result = ResponseFuture<Result<Publication, Fault>>;

    fn handle(&mut self, message: PublishDataset, _: &mut Self::Context) -> Self::Result {
        let tools = self.tools.clone();
        let work = spawn("publish", async move { publish(&tools, message).await });
        Box::pin(async move { work.await.unwrap_or_else(|f| Err(panicked(f))) })
    }
}

/// The fault for a task that panicked.
fn panicked(failure: tokio::task::JoinError) -> Fault {
    Fault::new(FaultKind::Panicked, panic_text(failure))
}

/// Has the unit make its row and judge it, and records the row with the decision.
async fn judge(tools: &QualityServices, unit: &dyn FinishedUnit) -> Result<JudgeReply, Fault> {
    let record = unit.judged(tools.clock.stamp(unit.finished_at_ms()));
    let accepted = record.rejected.is_none();
    tools.collector.record(vec![JournalEntry::Judged(Box::new(record))]).await?;
    Ok(JudgeReply { accepted })
}

/// Writes a dataset version and records it. The barrier comes first: a version must not contain
/// rows that a power cut could take from the journal.
async fn publish(tools: &QualityServices, publish: PublishDataset) -> Result<Publication, Fault> {
    tools.journal.barrier().await?;
    // The campaign decides whether duplicates are rejected, labelled or kept.
    let (late_rejections, late_labels) = match publish.config.quality.duplicates {
        StageAction::Reject => (duplicates(tools, &publish).await?, BTreeMap::new()),
        StageAction::Label => (BTreeMap::new(), labels_for(duplicates(tools, &publish).await?)),
        StageAction::Off => Default::default(),
    };
    let config = &publish.config;
    let edition = DatasetWriteRequest {
        campaign: publish.campaign.clone(),
        journal: tools.journal.clone(),
        late_rejections,
        late_labels,
        pass_rates: pass_rates(tools, &publish).await?,
        format: config.kind.row_format(),
        faulted: publish.faulted,
        planned: publish.planned,
        licence: config.dataset.licence.clone(),
        seed: config.seed,
        config_digest: config.settings_digest(),
        now_ms: tools.clock.now_ms(),
    };
    let published = tools.sink.write(edition).await?;
    // The files come before the record. After a kill between the two, the version exists on the
    // disk and the next publication finds it.
    tools.collector.record(vec![JournalEntry::DatasetWritten(published.record.clone())]).await?;
    Ok(published)
}

/// The pass rate of each episode's task, over all samples by the same model and scaffold. Samples
/// that ended in a fault do not count.
async fn pass_rates(
    tools: &QualityServices,
    publish: &PublishDataset,
) -> Result<BTreeMap<EpisodeId, PassRate>, Fault> {
    let episodes = tools.journal.episodes(&publish.campaign).await?;
    let trials = SampleTracker::of(&episodes);
    let rate = |plan: &PlannedEpisode| Some((plan.id.clone(), trials.pass_rate(plan)?));
    // An answer that nobody verified says nothing about a pass rate.
    let verified = |record: &&EpisodeRecord| matches!(record.outcome, Some(Outcome::Judged { .. }));
    Ok(episodes.iter().filter(verified).filter_map(|record| rate(&record.plan)).collect())
}

/// The label `duplicate` for each duplicate.
fn labels_for(found: BTreeMap<EpisodeId, RowRejection>) -> BTreeMap<EpisodeId, Vec<String>> {
    found.into_keys().map(|episode| (episode, vec!["duplicate".to_owned()])).collect()
}

/// All but the first of equal rows, in plan order. Rejected rows are not compared. Only the digests
/// stay in memory, and the rows are read page by page.
async fn duplicates(
    tools: &QualityServices,
    publish: &PublishDataset,
) -> Result<BTreeMap<EpisodeId, RowRejection>, Fault> {
    let mut first: HashMap<String, Arc<str>> = HashMap::new();
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = tools.journal.rows(&publish.campaign, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        // The next page begins behind the last row of this one.
        after = Some(last.ordinal);
        for record in page.iter().filter(|record| record.rejected.is_none()) {
            let earlier = first.get(&record.content_digest).cloned();
            match earlier {
                None => {
                    let id = Arc::from(record.episode.as_str());
                    first.insert(record.content_digest.clone(), id);
                }
                Some(earlier) => {
                    let detail = format!("the same as {earlier}");
                    let rejection = RowRejection { stage: "duplicates".to_owned(), detail };
                    found.insert(record.episode.clone(), rejection);
                }
            }
        }
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for QualityActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into quality");
    }
}

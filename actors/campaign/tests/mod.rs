//! Whole campaigns over fakes, under paused time, with injected faults. Every test also
//! fails when an actor, a task or a sandbox is left at its end.

mod agents;
mod apart;
mod budget;
mod containers;
mod diversity;
mod draws;
mod late;
mod phases;
mod plans;
mod prompts;
mod reopening;
mod replay;
mod restarts;
mod retries;
mod routing;
mod runs;
mod samples;
mod sampling;
mod services;
mod sharing;
mod staged_agents;
mod stages;

use crate::model::{
    CampaignName, EpisodeId, EpisodeRecord, Outcome, PlannedEpisode, StopReason, TaskId, Verdict,
};
use crate::ports::Journal;
use crate::testkit::{Kit, Options};

fn options() -> Options {
    Options::default()
}

/// One at a place of the plan, for a model.
pub(super) fn planned(model: &str, ordinal: u64) -> EpisodeRecord {
    EpisodeRecord::planned(PlannedEpisode {
        id: EpisodeId(format!("ep-{ordinal}")),
        campaign: CampaignName("c".to_owned()),
        ordinal,
        task: TaskId(format!("t@{ordinal}")),
        template: "t".to_owned(),
        index: 0,
        category: "unit".to_owned(),
        difficulty: "easy".to_owned(),
        model: model.to_owned(),
        scaffold: "minimal".to_owned(),
        reason: None,
    })
}

async fn episodes(kit: &Kit, campaign: &str) -> Vec<EpisodeRecord> {
    kit.journal.episodes(&CampaignName(campaign.to_owned())).await.unwrap()
}

async fn labels(kit: &Kit, campaign: &str) -> Vec<&'static str> {
    let found = episodes(kit, campaign).await;
    found.iter().map(|e| e.outcome.as_ref().map_or("none", Outcome::label)).collect()
}

/// What the journal has of a finished campaign must be what the models said: for every
/// episode the turns of its last attempt, in order and without a gap, and no reply twice.
async fn assert_nothing_lost_or_doubled(kit: &Kit, campaign: &str) {
    let replies = kit.models.named("fake/one").replies();
    for episode in episodes(kit, campaign).await {
        let id = &episode.plan.id;
        let turns = kit.journal.turns(id, episode.attempt).await.unwrap();
        let indices: Vec<u32> = turns.iter().map(|turn| turn.step.index).collect();
        assert_eq!(indices, (0..turns.len() as u32).collect::<Vec<_>>(), "{id}");
        let mut said: Vec<u32> =
            replies.iter().filter(|(who, _)| who == id).map(|(_, turn)| *turn).collect();
        said.sort_unstable();
        assert_eq!(said, indices, "{id}: what the model said, and what is kept");
    }
    let rows = kit.journal.rows(&CampaignName(campaign.to_owned()), None, usize::MAX).await;
    let judged = episodes(kit, campaign).await.iter().filter(|e| e.judged.is_some()).count();
    assert_eq!(rows.unwrap().len(), judged);
}

fn resolved(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Judged { stop: StopReason::Submitted, verdict: Verdict { passed: true, .. } }
    )
}

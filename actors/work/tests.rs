//! The actor of one attempt as the supervisor of its work.

use super::{
    AttemptExit, AttemptResult, AttemptSpec, CampaignPlan, EngineServices, WorkKind, WorkSources,
    launch,
};
use crate::model::{
    AttemptNumber, CampaignConfig, CampaignName, EpisodeId, EpisodeRecord, Fault, FaultKind,
    PlannedEpisode, TaskId,
};
use crate::quality::FinishedUnit;
use crate::supervisor::ActorStats;
use crate::task::TemplateError;
use crate::testkit::{Kit, Options, campaign, in_test_system};
use async_trait::async_trait;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What an attempt does in these tests.
#[derive(Clone, Copy)]
enum Conduct {
    /// Does not listen to a cancel.
    Stubborn,
    /// Ends when it is cancelled.
    Obedient,
    Panicking,
    /// Records its outcome for a minute, whatever it is told.
    Concluding,
}

/// A kind of work without a plan and without rows.
struct OddWork {
    config: Arc<CampaignConfig>,
    conduct: Conduct,
}

#[async_trait]
impl WorkKind for OddWork {
    fn config(&self) -> &Arc<CampaignConfig> {
        &self.config
    }

    async fn sources(&self, _: &EngineServices) -> Result<WorkSources, Fault> {
        Ok(WorkSources::default())
    }

    fn plan(
        &self,
        _: &WorkSources,
        _: &[EpisodeRecord],
        _: &dyn Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        Ok(CampaignPlan::default())
    }

    fn may_run(&self, _: &PlannedEpisode) -> bool {
        true
    }

    fn is_superseded(&self, _: &PlannedEpisode, _: &WorkSources, _: &CampaignPlan) -> bool {
        false
    }

    async fn attempt(
        &self,
        _: &EngineServices,
        spec: &AttemptSpec,
        cancel: &CancellationToken,
    ) -> Result<AttemptResult, Fault> {
        match self.conduct {
            Conduct::Concluding => {
                spec.conclude();
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Conduct::Stubborn => pending().await,
            Conduct::Obedient => cancel.cancelled().await,
            Conduct::Panicking => panic!("an odd attempt"),
        }
        Err(Fault::new(FaultKind::Cancelled, "as it was told"))
    }

    async fn recover(
        &self,
        _: &EngineServices,
        _: EpisodeRecord,
    ) -> Result<Arc<dyn FinishedUnit>, Fault> {
        Err(Fault::new(FaultKind::Store, "there is nothing to recover"))
    }
}

fn spec(conduct: Conduct) -> AttemptSpec {
    let plan = PlannedEpisode {
        id: EpisodeId("ep-1".to_owned()),
        campaign: CampaignName("c".to_owned()),
        ordinal: 0,
        task: TaskId("t".to_owned()),
        template: "unit/letter".to_owned(),
        index: 0,
        category: "unit".to_owned(),
        difficulty: "easy".to_owned(),
        model: "fake/one".to_owned(),
        scaffold: "minimal".to_owned(),
        reason: None,
    };
    let kind = Arc::new(OddWork { config: Arc::new(campaign("c", 1)), conduct });
    AttemptSpec {
        plan,
        attempt: AttemptNumber(1),
        replay_after: AttemptNumber(0),
        kind,
        concluding: Default::default(),
    }
}

/// The fault of an attempt that is cancelled at once, and the counts of all attempts.
async fn cancelled(kit: &Kit, conduct: Conduct) -> (FaultKind, String, ActorStats) {
    let (unit, exit) = launch(kit.services.clone(), spec(conduct));
    unit.cancel();
    let AttemptExit::Faulted(fault) = exit.await else { panic!("an outcome") };
    (fault.kind, fault.message, kit.services.units.stats())
}

#[test]
fn an_attempt_that_does_not_end_is_killed_and_counted() {
    in_test_system(Options::default(), |kit| async move {
        let (kind, message, stats) = cancelled(&kit, Conduct::Stubborn).await;
        assert_eq!((kind, stats.kills, stats.panics), (FaultKind::Cancelled, 1, 0));
        assert_eq!(message, "the attempt did not end within 10 s");
    });
}

#[test]
fn an_attempt_that_ends_by_itself_is_not_killed() {
    in_test_system(Options::default(), |kit| async move {
        let (kind, message, stats) = cancelled(&kit, Conduct::Obedient).await;
        assert_eq!((kind, message.as_str()), (FaultKind::Cancelled, "as it was told"));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!((stats.kills, kit.services.units.stats().kills), (0, 0));
    });
}

/// The journal may have the outcome at any moment, so the campaign must hear of it.
#[test]
fn an_attempt_that_records_its_outcome_is_not_killed() {
    in_test_system(Options::default(), |kit| async move {
        let (_, message, stats) = cancelled(&kit, Conduct::Concluding).await;
        assert_eq!((message.as_str(), stats.kills), ("as it was told", 0));
    });
}

#[test]
fn an_attempt_that_nobody_holds_is_cut_off() {
    in_test_system(Options::default(), |kit| async move {
        let (unit, exit) = launch(kit.services.clone(), spec(Conduct::Obedient));
        drop(unit);
        assert!(matches!(exit.await, AttemptExit::Faulted(_)));
    });
}

#[test]
fn a_panic_is_a_fault_of_its_attempt_and_counted() {
    in_test_system(Options::default(), |kit| async move {
        let (_unit, exit) = launch(kit.services.clone(), spec(Conduct::Panicking));
        let AttemptExit::Faulted(fault) = exit.await else { panic!("an outcome") };
        assert_eq!(fault, Fault::new(FaultKind::Panicked, "an odd attempt"));
        let stats = kit.services.units.stats();
        assert_eq!((stats.name.as_str(), stats.panics, stats.kills), ("unit", 1, 0));
    });
}

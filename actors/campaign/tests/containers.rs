//! Campaigns over tasks of containers.

use super::{episodes, labels, options};
use crate::model::{
    BackendKind, CampaignConfig, CampaignState, FaultKind, JudgePlace, Outcome, WorkspaceKeeping,
};
use crate::ports::Journal;
use crate::task::Catalog;
use crate::testkit::{FakeJudge, Trap, campaign, container_task, in_test_system};
use std::sync::Arc;

/// A campaign that takes each task of the source once, however many it asks for.
fn over_containers() -> CampaignConfig {
    let mut config = campaign("c", 3);
    config.tasks.templates = vec!["harbor/**".to_owned()];
    config.sandbox.backend = BackendKind::Docker;
    config.episode.keep_workspaces = WorkspaceKeeping::All;
    config
}

#[test]
fn a_task_of_a_container_is_judged_by_its_own_judge() {
    in_test_system(options(), |kit| async move {
        let (judge, unproven) = (Arc::default(), Arc::new(FakeJudge::unproven("it is solved")));
        let tasks =
            [container_task("harbor/a", Arc::clone(&judge)), container_task("harbor/b", unproven)];
        let refused = [("tasks/c".to_owned(), "it wants a GPU".to_owned())];
        let catalog = Catalog::of_containers(tasks, refused);
        let progress = kit.run_with(&over_containers(), catalog).await;
        assert_eq!(progress.state, CampaignState::Complete);
        assert_eq!((progress.episodes.resolved, progress.rows.accepted), (1, 1));
        let mut skipped: Vec<_> = progress.skipped.iter().map(|one| one.reason.as_str()).collect();
        skipped.sort_unstable();
        assert_eq!(skipped, ["it wants a GPU", "not proven: it is solved"]);
        let record = episodes(&kit, "c").await.remove(0);
        let Some(Outcome::Judged { verdict, .. }) = record.outcome else { panic!("{record:?}") };
        assert_eq!(verdict.judge.map(|judge| judge.place), Some(JudgePlace::Container));
        assert_eq!(verdict.checks[0].output, "the agent's work");
        assert_eq!(judge.proven(), 1);
        assert!(kit.archive.kept().is_empty(), "there is no workspace to be kept");
        let written = kit.sink.written();
        let (.., labels) = &written[0].rows[0];
        assert!(labels.contains(&"source:harbor".to_owned()), "{labels:?}");
    });
}

/// An attempt that is lost before its verdict gives no label, and another one follows.
#[test]
fn a_container_that_cannot_be_kept_is_a_fault_and_no_label() {
    in_test_system(options(), |kit| async move {
        let task = container_task("harbor/a", Arc::default());
        let lost = Trap::Fault(FaultKind::SandboxLost);
        kit.backend.traps().once("keep image", lost);
        let progress = kit.run_with(&over_containers(), Catalog::of_containers([task], [])).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0));
        assert_eq!(labels(&kit, "c").await, ["resolved"]);
        let episode = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&episode.plan.id).await.unwrap();
        let faults: Vec<_> =
            attempts.iter().map(|one| one.fault.as_ref().map(|f| f.kind)).collect();
        assert_eq!(faults, [Some(FaultKind::SandboxLost), None]);
    });
}

/// Where sandboxes are no containers, nothing of it runs.
#[test]
fn without_containers_the_task_is_left_out() {
    in_test_system(options(), |kit| async move {
        let letter = crate::testkit::catalog();
        let task = container_task("harbor/a", Arc::default());
        let mut config = over_containers();
        config.tasks.templates.push("unit/letter".to_owned());
        config.sandbox.backend = BackendKind::Namespace;
        let both = letter.with(Catalog::of_containers([task], []));
        let progress = kit.run_with(&config, both).await;
        assert_eq!((progress.episodes.resolved, progress.skipped.len()), (3, 1));
        assert!(progress.skipped[0].reason.contains("backend = \"docker\""));
    });
}

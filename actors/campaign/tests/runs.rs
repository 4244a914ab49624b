//! What campaigns do when nothing goes wrong.

use super::{assert_nothing_lost_or_doubled, episodes, labels, options, resolved};
use crate::model::{
    CampaignState, FaultKind, JudgePlace, Money, Outcome, QualityPolicy, StageAction,
    WorkspaceKeeping,
};
use crate::ports::Journal;
use crate::testkit::{Line, Options, Trap, campaign, in_test_system, priced};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_campaign_runs_to_its_dataset() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&campaign("c", 6)).await;
        assert_eq!(progress.state, CampaignState::Complete);
        assert_eq!(progress.episodes.resolved, 6);
        assert_eq!((progress.steps, progress.rows.accepted, progress.running), (24, 6, 0));
        assert!(episodes(&kit, "c").await.iter().all(|e| resolved(e.outcome.as_ref().unwrap())));
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn a_complete_campaign_stays_as_it_is() {
    in_test_system(options(), |kit| async move {
        let first = kit.run(&campaign("c", 2)).await;
        let calls = kit.models.named("fake/one").calls().len();
        let second = kit.run(&campaign("c", 2)).await;
        assert!(second.already_complete && second.state == CampaignState::Complete);
        assert_eq!(second.dataset, first.dataset);
        assert_eq!(kit.models.named("fake/one").calls().len(), calls);
        assert_eq!(kit.sink.written().len(), 1);
    });
}

#[test]
fn a_journal_goes_on_in_another_life() {
    let journal = options().journal;
    let life = Options { journal: journal.clone(), ..options() };
    in_test_system(life.clone(), |kit| async move {
        let campaign = kit.submit(&campaign("c", 6)).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(campaign.drain(true).await);
        assert_eq!(campaign.wait_until_settled().await.state, CampaignState::Running);
    });
    in_test_system(life, |kit| async move {
        let progress = kit.run(&campaign("c", 6)).await;
        assert_eq!((progress.state, progress.episodes.resolved), (CampaignState::Complete, 6));
        assert_eq!(progress.cost_usd, Money::ZERO);
    });
}

/// By default, what solved episodes left is kept. The toss of a coin is not solved.
#[test]
fn the_workspaces_of_solved_episodes_are_kept() {
    for (keeping, template, kept) in [
        (WorkspaceKeeping::Solved, "unit/letter", 2),
        (WorkspaceKeeping::Solved, "unit/coin", 0),
        (WorkspaceKeeping::All, "unit/coin", 2),
        (WorkspaceKeeping::Nothing, "unit/letter", 0),
    ] {
        in_test_system(options(), move |kit| async move {
            let mut config = campaign("c", 2);
            config.tasks.templates = vec![template.to_owned()];
            config.episode.keep_workspaces = keeping;
            kit.run(&config).await;
            let all = kit.archive.kept();
            assert_eq!(all.len(), kept, "{template} {keeping:?}");
            assert!(all.iter().all(|(_, _, copy)| !copy.entries.is_empty()));
        });
    }
}

#[test]
fn verification_that_disagrees_is_flaky() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 3);
        config.tasks.templates = vec!["unit/coin".to_owned()];
        let progress = kit.run(&config).await;
        assert_eq!(labels(&kit, "c").await, ["flaky"; 3]);
        assert_eq!((progress.episodes.resolved, progress.episodes.unresolved), (0, 3));
        // Both runs are on record, and where they ran.
        let record = episodes(&kit, "c").await.remove(0);
        let Some(Outcome::Judged { verdict, .. }) = record.outcome else { panic!("{record:?}") };
        let check = &verdict.checks[0];
        let second = check.second.as_ref().unwrap();
        assert_ne!((check.passed, &check.end), (second.passed, &second.end));
        let judge = verdict.judge.as_ref().unwrap();
        let sandbox = judge.sandbox.as_ref().unwrap();
        assert_eq!((judge.place, sandbox.backend.as_str()), (JudgePlace::Shared, "fake"));
        let written = kit.sink.written();
        assert!(written[0].rows.iter().all(|(.., labels)| labels.contains(&"flaky".to_owned())));
    });
}

#[test]
fn a_call_that_never_returns_is_tried_again_and_costs_the_agent_nothing() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.once("turn 2", Trap::Hang);
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0));
        let episode = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&episode.plan.id).await.unwrap();
        let faults: Vec<_> = attempts.iter().map(|a| a.fault.as_ref().map(|f| f.kind)).collect();
        assert_eq!(faults, [Some(FaultKind::OutOfTime), None]);
    });
}

/// Silence is the provider's fault: it never becomes a row.
#[test]
fn a_silent_provider_gives_no_label() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.set("turn 2", 0, 99, Trap::Hang);
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.faulted, progress.episodes.unresolved), (1, 0));
        assert!(kit.sink.written()[0].rows.is_empty());
    });
}

/// The first episode in the plan is kept, even if another one finishes first.
#[test]
fn duplicates_keep_the_lowest_ordinal() {
    for action in [StageAction::Reject, StageAction::Label, StageAction::Off] {
        in_test_system(options(), move |kit| async move {
            let mut config = campaign("c", 3);
            config.models = ["fake/slow", "fake/quick"].map(|name| priced(name, 0)).into();
            config.quality = QualityPolicy { duplicates: action, ..QualityPolicy::default() };
            kit.models.named("fake/slow").takes(Duration::from_secs(9));
            kit.models.named("fake/quick").takes(Duration::from_millis(1));
            kit.run(&config).await;
            let written = kit.sink.written().remove(0);
            let found = episodes(&kit, "c").await;
            for (id, _, labels) in &written.rows {
                let plan = &found.iter().find(|e| e.plan.id == *id).unwrap().plan;
                let labelled = labels.contains(&"duplicate".to_owned());
                let second = plan.model == "fake/quick";
                assert_eq!(labelled, second && action == StageAction::Label);
                assert!(!second || action != StageAction::Reject);
            }
            let rejected: u64 = written.record.rejected.values().sum();
            assert_eq!(rejected, if action == StageAction::Reject { 3 } else { 0 });
        });
    }
}

#[test]
fn a_cluster_stays_in_one_split() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 12);
        config.tasks.templates = vec!["unit/coin".to_owned()];
        config.models = ["fake/a", "fake/b"].map(|name| priced(name, 0)).into();
        config.dataset.splits = [40, 30, 30];
        kit.run(&config).await;
        let mut splits = BTreeMap::new();
        let found = episodes(&kit, "c").await;
        for (id, split, _) in &kit.sink.written()[0].rows {
            let plan = &found.iter().find(|e| e.plan.id == *id).unwrap().plan;
            let template = crate::testkit::catalog().get("unit/coin").unwrap().clone();
            let task = template.task(config.seed, plan.index).unwrap();
            assert_eq!(splits.insert(task.cluster, *split).unwrap_or(*split), *split);
        }
        assert_eq!(splits.len(), 2, "heads and tails");
    });
}

#[test]
fn campaigns_share_the_places_fairly() {
    in_test_system(Options { slots: 2, ..options() }, |kit| async move {
        let (mut one, mut two) = (campaign("one", 12), campaign("two", 12));
        one.concurrency = 8;
        two.models = vec![priced("fake/two", 0)];
        let first = kit.submit(&one).await;
        let second = kit.submit(&two).await;
        tokio::join!(first.wait_until_settled(), second.wait_until_settled());
        let mut launches = Vec::new();
        for entry in kit.journal.log() {
            if let crate::model::JournalEntry::AttemptStarted { episode, .. } = entry {
                let ones = episodes(&kit, "one").await;
                launches.push(ones.iter().any(|e| e.plan.id == episode));
            }
        }
        assert_eq!(launches.len(), 24);
        // From when both ask until one has nothing left, they take turns.
        let turns: Vec<bool> = launches[3..20].windows(2).map(|pair| pair[0] != pair[1]).collect();
        assert!(turns.iter().all(|turn| *turn), "{launches:?}");
        assert_eq!(kit.slots.available_permits(), 2);
    });
}

#[test]
fn a_campaign_of_that_name_runs_only_once() {
    in_test_system(options(), |kit| async move {
        let config = Arc::new(campaign("c", 2));
        let both = tokio::join!(
            kit.engine.submit(config.clone(), String::new()),
            kit.engine.submit(config.clone(), String::new()),
        );
        assert!(both.0.is_ok() != both.1.is_ok());
        both.0.or(both.1).ok().unwrap().wait_until_settled().await;
        let mut changed = campaign("c", 2);
        changed.seed += 1;
        let refused = kit.engine.submit(Arc::new(changed), String::new()).await;
        assert!(refused.err().unwrap().to_string().contains("another seed"));
    });
}

#[test]
fn unreadable_replies_end_an_episode() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").says(|context| match context.turn {
            0 => Line::Prose("well".to_owned()),
            1 => Line::Call { name: "python".to_owned(), arguments: "{}".to_owned() },
            2 => Line::Run("echo fine".to_owned()),
            _ => Line::Cut,
        });
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.steps, progress.episodes.unresolved), (6, 1));
        assert_eq!((progress.rows.accepted, progress.rows.rejected), (1, 0), "a label");
    });
}

/// An episode takes four sandboxes: the agent's, two for the verification, and one for all
/// milestones.
#[test]
fn milestones_of_an_episode_share_a_sandbox_that_is_emptied() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&campaign("c", 3)).await;
        assert_eq!(progress.episodes.resolved, 3);
        let stats = kit.services.pool.stats().await;
        assert_eq!(stats.hits + stats.misses, 3 * 4, "{stats:?}");
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
    // If the milestone sandbox cannot be emptied, the attempt is a fault and gives no label.
    in_test_system(options(), |kit| async move {
        kit.backend.traps().once("empty", Trap::Fault(FaultKind::SandboxLost));
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0));
    });
}

//! Whatever is in flight, retried, cancelled or cut off, the spending never exceeds a cap.

use super::{episodes, options};
use crate::model::{CampaignConfig, CampaignName, CampaignState, FaultKind, Money, Outcome, Usage};
use crate::ports::Journal;
use crate::testkit::{Kit, Line, Trap, campaign, in_test_system, priced};
use std::time::Duration;

fn capped(tasks: u32, cap: u64) -> CampaignConfig {
    let mut config = campaign("c", tasks);
    config.models = vec![priced("fake/one", 10)];
    config.concurrency = 8;
    config.budget = Some(Money::from_nanos(cap));
    config
}

fn assert_wall(kit: &Kit, cap: u64) {
    assert!(kit.journal.peak().nanos() <= cap, "{} of {cap}", kit.journal.peak().nanos());
    assert_eq!(kit.journal.unsettled(), 0, "every hold is settled at the end");
}

#[test]
fn spend_never_passes_a_tiny_cap() {
    for cap in [10_000, 70_000, 90_000, 120_000, 150_000] {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").traps.set(
                "turn 1",
                0,
                5,
                Trap::Fault(FaultKind::ModelTransient),
            );
            let progress = kit.run(&capped(16, cap)).await;
            assert_eq!(progress.state, CampaignState::Stopped, "{cap}");
            let reason = progress.reason.clone().unwrap();
            assert!(reason.contains("the next call may cost"), "{reason}");
            assert_wall(&kit, cap);
            let spent = kit.journal.spent(&progress.campaign).await.unwrap();
            assert_eq!((progress.cost_usd, progress.settled), (spent, true));
            assert!(progress.episodes.faulted == 0, "no money is no fault of an episode");
        });
    }
}

#[test]
fn a_larger_budget_goes_on_where_it_stopped() {
    let life = options();
    let again = life.clone();
    in_test_system(life, |kit| async move {
        let progress = kit.run(&capped(4, 60_000)).await;
        assert_eq!(progress.state, CampaignState::Stopped);
    });
    in_test_system(again, |kit| async move {
        let cap = 2_000_000;
        let progress = kit.run(&capped(4, cap)).await;
        assert_eq!((progress.state, progress.episodes.resolved), (CampaignState::Complete, 4));
        assert_wall(&kit, cap);
        let spent = kit.journal.spent(&progress.campaign).await.unwrap();
        assert_eq!(progress.cost_usd, spent, "also what was spent in the earlier life");
    });
}

/// The engine keeps running: a stopped campaign is submitted again, with a larger budget or not.
#[test]
fn a_stopped_campaign_is_submitted_again_in_the_same_life() {
    in_test_system(options(), |kit| async move {
        let small = capped(4, 60_000);
        assert_eq!(kit.run(&small).await.state, CampaignState::Stopped);
        gone(&kit, &small).await;
        assert_eq!(kit.run(&small).await.state, CampaignState::Stopped);
        assert_wall(&kit, 60_000);
        gone(&kit, &small).await;
        let progress = kit.run(&capped(4, 2_000_000)).await;
        assert_eq!((progress.state, progress.episodes.resolved), (CampaignState::Complete, 4));
        assert_eq!(progress.rows.accepted, 4, "also those of before");
        assert_wall(&kit, 2_000_000);
    });
}

async fn gone(kit: &Kit, config: &CampaignConfig) {
    while kit.engine.campaign(&config.name).unwrap().is_alive() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_call_that_is_cut_off_counts_in_full_and_is_not_retried() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.takes(Duration::from_secs(100));
        let handle = kit.submit(&capped(8, 10_000_000)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(model.calls().len(), 8);
        assert!(handle.cancel().await);
        let progress = handle.wait_until_settled().await;
        assert_eq!(progress.state, CampaignState::Cancelled);
        assert_eq!((kit.journal.holds(), kit.journal.unsettled()), (8, 0));
        let spent = kit.journal.spent(&progress.campaign).await.unwrap();
        assert_eq!((progress.cost_usd, spent), (kit.journal.peak(), kit.journal.peak()));
        assert!(spent > Money::ZERO);
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        assert_eq!((model.calls().len(), model.replies().len()), (8, 0), "nobody goes on");
    });
}

#[test]
fn a_waiting_retry_ends_with_its_episode() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("turn 0", 0, 99, Trap::Fault(FaultKind::ModelTransient));
        let handle = kit.submit(&capped(1, 10_000_000)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        handle.drain(true).await;
        handle.wait_until_settled().await;
        let calls = model.calls().len();
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        assert_eq!(model.calls().len(), calls);
        assert_eq!(kit.journal.unsettled(), 0);
    });
}

/// While nobody knows whether the store has it, it counts. That is known when the campaign rests.
#[test]
fn a_hold_the_store_did_not_take_costs_nothing_in_the_end() {
    in_test_system(options(), |kit| async move {
        // Opened, editions, planned, started: the fifth write is the first hold.
        kit.journal.traps.set("append", 4, 1, Trap::Fault(FaultKind::Store));
        let handle = kit.submit(&capped(1, 10_000_000)).await;
        let paused = handle.wait_until_settled().await;
        assert_eq!(paused.state, CampaignState::Paused);
        assert_eq!((paused.cost_usd, kit.journal.unsettled()), (Money::ZERO, 0));
        assert!(kit.models.named("fake/one").calls().is_empty(), "no hold, no call");
        assert!(handle.resume().await);
        let done = handle.wait_until_settled().await;
        let spent = kit.journal.spent(&CampaignName("c".to_owned())).await.unwrap();
        assert_eq!((done.state, done.cost_usd), (CampaignState::Complete, spent));
        assert_eq!(spent, episodes(&kit, "c").await[0].cost);
    });
}

#[test]
fn a_call_dearer_than_its_hold_is_counted_and_nothing_more_is_asked() {
    let life = options();
    let again = life.clone();
    in_test_system(life, |kit| async move {
        // More than its bytes, and no more than a host may have added.
        kit.models.named("fake/one").uses(Usage::of(50_000, 0));
        let progress = kit.run(&capped(1, 1_000_000)).await;
        assert_eq!(progress.state, CampaignState::Paused);
        let reason = progress.reason.clone().unwrap();
        assert!(reason.contains("more than its worst case"), "{reason}");
        assert_eq!(kit.models.named("fake/one").calls().len(), 1);
        assert_eq!(progress.cost_usd, Money::from_nanos(500_000));
        assert_eq!(episodes(&kit, "c").await[0].steps, 1);
    });
    // Nor after a restart, whatever the caps: the journal has the overrun.
    in_test_system(again, |kit| async move {
        let progress = kit.run(&capped(1, 1_000_000_000)).await;
        assert_eq!(progress.state, CampaignState::Paused);
        let reason = progress.reason.clone().unwrap();
        assert!(reason.contains("more than its worst case"), "{reason}");
        assert!(kit.models.named("fake/one").calls().is_empty());
    });
}

/// A count that cannot be true is not charged: the hold is, and the campaign waits for somebody.
#[test]
fn a_count_that_cannot_be_true_costs_the_hold() {
    for absurd in [Usage::of(1 << 39, 10), Usage::of(100, 1 << 39), Usage::of(1_000_000, 10)] {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").uses(absurd);
            let progress = kit.run(&capped(1, 1_000_000_000)).await;
            assert_eq!(progress.state, CampaignState::Paused);
            assert_eq!(progress.cause, Some(FaultKind::ModelMiscounted));
            let reason = progress.reason.clone().unwrap();
            assert!(reason.contains("fake/one counted"), "{reason}");
            assert_eq!(kit.models.named("fake/one").calls().len(), 1);
            assert_eq!(progress.cost_usd, kit.journal.peak(), "the whole hold, and no more");
            assert!(progress.cost_usd > Money::ZERO);
            assert_eq!(kit.journal.unsettled(), 0);
        });
    }
}

/// The counts of a free model are checked too, although they cost nothing.
#[test]
fn a_free_model_that_counts_wrongly_is_told_too() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").uses(Usage::of(1 << 39, 10));
        let mut config = capped(1, 1_000_000_000);
        config.models = vec![priced("fake/one", 0)];
        let progress = kit.run(&config).await;
        assert_eq!(progress.cause, Some(FaultKind::ModelMiscounted));
        assert_eq!(progress.cost_usd, Money::ZERO);
    });
}

/// What may be spent on an episode is a limit of the episode's, as its time is.
#[test]
fn an_episode_that_has_spent_its_share_ends_and_is_judged() {
    in_test_system(options(), |kit| async move {
        let mut config = capped(2, 10_000_000);
        config.episode_budget = Some(Money::from_nanos(66_000));
        let progress = kit.run(&config).await;
        assert_eq!((progress.state, progress.episodes.unresolved), (CampaignState::Complete, 2));
        assert!(progress.steps > 0, "a label needs a turn");
        for row in &kit.sink.written()[0].rows {
            assert!(row.2.contains(&"stop:cost_limit".to_owned()), "{row:?}");
        }
        let spending = kit.journal.spending(&config.name, 0).await.unwrap();
        assert!(spending.episodes.values().all(|spent| spent.nanos() <= 66_000));
    });
}

/// If the budget of a model is spent, its fallback is asked. Without one, the campaign stops.
#[test]
fn a_model_that_has_spent_its_share_is_stood_in_for_or_stops_the_campaign() {
    let life = options();
    let again = life.clone();
    let with = |stands_in: bool| {
        let mut config = capped(12, 10_000_000);
        config.concurrency = 1;
        config.models.push(priced("fake/cheap", 1));
        config.models[1].routing.reserve = true;
        config.models[0].routing.budget = Some(Money::from_nanos(90_000));
        if stands_in {
            config.models[0].routing.fallback.budget = vec!["fake/cheap".to_owned()];
        }
        config
    };
    in_test_system(life, move |kit| async move {
        let progress = kit.run(&with(false)).await;
        assert_eq!(progress.state, CampaignState::Stopped);
        let reason = progress.reason.unwrap();
        assert!(reason.contains("spent on fake/one"), "{reason}");
    });
    in_test_system(again, move |kit| async move {
        let progress = kit.run(&with(true)).await;
        assert_eq!((progress.state, progress.episodes.resolved), (CampaignState::Complete, 12));
        assert!(!kit.models.named("fake/cheap").calls().is_empty());
        let spending = kit.journal.spending(&with(true).name, 0).await.unwrap();
        assert!(spending.models["fake/one"].nanos() <= 90_000, "also over two lives");
    });
}

/// On one day no more than the cap of the day is spent, whatever the other caps are.
#[test]
fn a_day_that_is_spent_stops_the_campaign_until_the_next() {
    in_test_system(options(), |kit| async move {
        let mut config = capped(12, 10_000_000);
        config.day_budget = Some(Money::from_nanos(90_000));
        let progress = kit.run(&config).await;
        assert_eq!(progress.state, CampaignState::Stopped);
        let reason = progress.reason.unwrap();
        assert!(reason.contains("spent today, until midnight UTC"), "{reason}");
        let (before, first) = (progress.episodes.finished, progress.cost_usd);
        tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
        let progress = kit.run(&config).await;
        assert!(progress.episodes.finished > before, "another day goes on");
        let spending = kit.journal.spending(&config.name, 1).await.unwrap();
        assert!(spending.day.1.nanos() <= 90_000 && first.nanos() <= 90_000);
    });
}

/// Unanswered calls use up the budget of an episode: that gives no label, neither before nor after
/// a restart.
#[test]
fn a_share_that_a_failed_call_has_used_up_is_no_label() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.once("turn 1", Trap::Fault(FaultKind::ModelTransient));
        let mut config = capped(1, 10_000_000);
        config.episode_budget = Some(Money::from_nanos(100_000));
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.faulted, progress.episodes.unresolved), (1, 0));
        assert!(kit.sink.written().iter().all(|written| written.rows.is_empty()));
        assert_eq!(model.replies().len(), 1, "nothing is asked beyond the share");
        let spending = kit.journal.spending(&config.name, 0).await.unwrap();
        assert!(spending.episodes.values().all(|spent| spent.nanos() <= 100_000));
    });
}

/// A cap that does not cover the first call says nothing about the agent.
#[test]
fn a_cap_too_small_for_the_first_call_is_no_label() {
    in_test_system(options(), |kit| async move {
        let mut config = capped(2, 10_000_000);
        config.episode_budget = Some(Money::from_nanos(10_000));
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.faulted, progress.episodes.unresolved), (2, 0));
        assert!(kit.sink.written().iter().all(|written| written.rows.is_empty()));
        assert!(kit.models.named("fake/one").calls().is_empty());
        for record in episodes(&kit, "c").await {
            let Some(Outcome::Faulted { fault }) = record.outcome else { panic!("{record:?}") };
            assert_eq!(fault.kind, FaultKind::EpisodeCapSmall);
            assert!(fault.message.starts_with("a call holds $0.0000637"), "{fault}");
            assert!(fault.message.ends_with("but [budget] episode_usd is $0.00001"), "{fault}");
        }
    });
}

/// Another attempt that begins afresh has no turn either, whatever the first one has spent.
#[test]
fn a_share_that_an_earlier_attempt_has_spent_is_no_label() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.uses(Usage::of(1_000, 1_000));
        model.says(|context| match context.turn {
            0 => Line::Run("count".to_owned()),
            _ => Line::Run("echo bye".to_owned()),
        });
        kit.backend.traps().once("exec echo bye", Trap::Fault(FaultKind::SandboxLost));
        let mut config = capped(1, 10_000_000);
        config.episode_budget = Some(Money::from_nanos(85_000));
        let progress = kit.run(&config).await;
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        let faults: Vec<_> = attempts.iter().map(|a| a.fault.as_ref().map(|f| f.kind)).collect();
        use FaultKind::{EpisodeCapSmall, ReplayDiffers, SandboxLost};
        assert_eq!(faults, [Some(SandboxLost), Some(ReplayDiffers), Some(EpisodeCapSmall)]);
        assert_eq!((progress.episodes.faulted, progress.episodes.unresolved), (1, 0));
    });
}

//! Faults around episodes: which episodes are tried again, and how often.

use super::{assert_nothing_lost_or_doubled, episodes, labels, options};
use crate::model::{CampaignState, EpisodeRecord, FaultKind, Money, Outcome};
use crate::ports::Journal;
use crate::testkit::{Trap, campaign, in_test_system, priced};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn a_panic_in_a_model_retries_that_episode_alone() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.once("letter 2 turn 1", Trap::Panic);
        let progress = kit.run(&campaign("c", 5)).await;
        assert_eq!(progress.episodes.resolved, 5);
        for episode in episodes(&kit, "c").await {
            let again = episode.plan.index == 2;
            assert_eq!(
                (episode.attempt.0, episode.failed_attempts),
                if again { (2, 1) } else { (1, 0) }
            );
        }
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn a_panic_in_a_sandbox_releases_it() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().once("exec put name", Trap::Panic);
        let progress = kit.run(&campaign("c", 3)).await;
        assert_eq!(progress.episodes.resolved, 3);
        let retried = episodes(&kit, "c").await.iter().filter(|e| e.attempt.0 == 2).count();
        assert_eq!(retried, 1);
    });
}

#[test]
fn lost_sandboxes_are_tried_again_with_waits_up_to_the_limit() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().set("exec get start", 0, 3, Trap::Fault(FaultKind::SandboxLost));
        let began = Instant::now();
        let progress = kit.run(&campaign("c", 1)).await;
        assert!(began.elapsed() >= std::time::Duration::from_millis(100 + 200), "waits");
        assert_eq!((progress.state, progress.episodes.faulted), (CampaignState::Complete, 1));
        let episode = episodes(&kit, "c").await.remove(0);
        assert_eq!(
            (episode.attempt.0, episode.failed_attempts, episode.judged.is_some()),
            (3, 3, false)
        );
        assert!(matches!(episode.outcome, Some(Outcome::Faulted { .. })));
        assert!(kit.sink.written()[0].rows.is_empty(), "a fault is no label");
        let attempts = kit.journal.attempts(&episode.plan.id).await.unwrap();
        assert!(attempts.iter().all(|a| a.fault.as_ref().unwrap().kind == FaultKind::SandboxLost));
    });
}

/// The turns of an episode that is given up are counted at once, and not only by the next start.
#[test]
fn the_turns_of_a_faulted_episode_are_counted_when_it_is_given_up() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("letter 1 turn 1", 0, 9, Trap::Fault(FaultKind::ModelRejected));
        let config = campaign("c", 2);
        let done = kit.run(&config).await;
        assert_eq!((done.episodes.resolved, done.episodes.faulted), (1, 1));
        let steps: u32 = episodes(&kit, "c").await.iter().map(|episode| episode.steps).sum();
        let again = kit.run(&config).await;
        assert_eq!((done.steps, done.tokens), (u64::from(steps), again.tokens));
        assert_eq!(again.steps, done.steps);
    });
}

/// The sandbox backend is down for an hour: it costs no episode an attempt, and none is faulted.
#[test]
fn an_engine_that_is_down_is_waited_for() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().set("exec put", 2, 3, Trap::Fault(FaultKind::EngineDown));
        let campaign = kit.submit(&campaign("c", 12)).await;
        kit.backend.traps().set("create", 4, usize::MAX, Trap::Fault(FaultKind::EngineDown));
        tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
        let progress = campaign.current_progress();
        assert_eq!(progress.state, CampaignState::Running);
        assert!(progress.waiting_for.unwrap().starts_with("namespace: a trap at create"));
        kit.backend.traps().clear();
        let progress = campaign.wait_until_settled().await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (12, 0));
        assert_eq!(campaign.current_progress().waiting_for, None);
        assert!(episodes(&kit, "c").await.iter().all(|episode| episode.failed_attempts == 0));
    });
}

#[test]
fn two_lost_sandboxes_are_survived() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().set("exec put", 1, 2, Trap::Fault(FaultKind::SandboxLost));
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!(progress.episodes.resolved, 1);
        assert_eq!(episodes(&kit, "c").await[0].failed_attempts, 2);
    });
}

#[test]
fn faults_that_will_not_pass_end_an_episode_at_once() {
    in_test_system(options(), |kit| async move {
        let trap = Trap::Fault(FaultKind::TaskSetup);
        kit.models.named("fake/one").traps.once("letter 1 turn 0", trap);
        let progress = kit.run(&campaign("c", 2)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 1));
        assert_eq!(labels(&kit, "c").await, ["resolved", "faulted"]);
        assert_eq!(episodes(&kit, "c").await[1].attempt.0, 1);
        // Final: another run does not take it up again.
        assert!(kit.run(&campaign("c", 2)).await.already_complete);
    });
}

/// A bad key says nothing about the episodes it met first.
#[test]
fn a_model_that_will_keep_failing_pauses_the_campaign_and_costs_no_episode() {
    in_test_system(options(), |kit| async move {
        let trap = Trap::Fault(FaultKind::ModelPermanent);
        kit.models.named("fake/one").traps.set("turn 1", 3, 1, trap);
        let handle = kit.submit(&campaign("c", 8)).await;
        let paused = handle.wait_until_settled().await;
        assert_eq!(
            (paused.state, paused.cause),
            (CampaignState::Paused, Some(FaultKind::ModelPermanent))
        );
        assert_eq!(paused.episodes.faulted, 0);
        assert!(handle.resume().await);
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 8));
        assert!(episodes(&kit, "c").await.iter().all(|e| e.failed_attempts == 0));
    });
}

/// However long something that all need is down: the campaign waits, and no episode is
/// given up for it.
#[test]
fn an_outage_pauses_the_campaign_before_it_eats_the_episodes() {
    for (event, kind) in
        [("turn 1", FaultKind::ModelTransient), ("exec put", FaultKind::SandboxLost)]
    {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").traps.set(event, 0, 10_000, Trap::Fault(kind));
            kit.backend.traps().set(event, 0, 10_000, Trap::Fault(kind));
            let handle = kit.submit(&campaign("c", 30)).await;
            let paused = handle.wait_until_settled().await;
            assert_eq!(
                (paused.state, paused.cause),
                (CampaignState::Paused, Some(kind)),
                "{event}"
            );
            assert!(paused.reason.unwrap().contains("in a row"));
            assert_eq!(paused.episodes.faulted, 0, "{event}");
            kit.models.named("fake/one").traps.clear();
            kit.backend.traps().clear();
            assert!(handle.resume().await);
            let done = handle.wait_until_settled().await;
            assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 30));
        });
    }
}

/// A command of the engine's own that the host could not start is no answer.
#[test]
fn a_check_that_was_not_started_is_no_verdict() {
    for command in ["is letter", "has letter", ":"] {
        in_test_system(options(), move |kit| async move {
            let trap = Trap::Fault(FaultKind::SandboxLost);
            kit.backend.traps().set(&format!("spawn {command}"), 0, 2, trap);
            let progress = kit.run(&campaign("c", 1)).await;
            assert_eq!(progress.episodes.resolved, 1, "{command}");
            assert!(episodes(&kit, "c").await[0].failed_attempts > 0, "{command}");
        });
    }
}

#[test]
fn an_overloaded_model_is_asked_again_by_the_router() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("letter 0 turn 1", 0, 4, Trap::Fault(FaultKind::ModelTransient));
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!(progress.episodes.resolved, 1);
        let id = &episodes(&kit, "c").await[0].plan.id;
        let retries: Vec<u32> =
            model.calls().iter().filter(|(_, turn, _)| *turn == 1).map(|(.., r)| *r).collect();
        assert_eq!(retries, [0, 1, 2, 3, 4]);
        let turns = kit.journal.turns(id, crate::model::AttemptNumber(1)).await.unwrap();
        assert_eq!(turns[1].calls, 5);
    });
}

#[test]
fn an_episode_of_an_earlier_edition_is_left_out() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 1)).await;
        handle.pause("wait").await;
        handle.cancel().await;
        handle.wait_until_settled().await;
        let mut moved = kit.journal.episodes(&campaign("c", 1).name).await.unwrap();
        moved[0].plan.ordinal = 9;
        moved[0].plan.id.0.push('x');
        moved[0].plan.task.0.push('x');
        let planned = crate::model::JournalEntry::Planned(vec![moved.remove(0).plan]);
        kit.journal.append(vec![planned]).await.unwrap();
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0));
        let found = episodes(&kit, "c").await;
        let ended = found.iter().map(|e| (e.plan.ordinal, e.outcome.is_some()));
        assert_eq!(ended.collect::<Vec<_>>(), [(0, true), (9, false)], "it stays planned");
    });
}

#[test]
fn store_faults_pause_and_a_resume_goes_on() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 6)).await;
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        kit.journal.break_down(true);
        let paused = handle.wait_until_settled().await;
        assert_eq!((paused.state, paused.escalated), (CampaignState::Paused, true));
        assert!(paused.reason.unwrap().contains("the disk is gone"));
        assert!(!handle.resume().await, "too early: the store does not take it");
        let again = handle.wait_until_settled().await;
        assert_eq!(again.state, CampaignState::Paused);
        kit.journal.break_down(false);
        assert!(handle.resume().await);
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 6));
        assert!(
            episodes(&kit, "c").await.iter().all(|e| e.judged.is_some() && e.failed_attempts == 0)
        );
    });
}

/// Whichever write it is that fails: nothing is missing when the store is back.
#[test]
fn every_single_write_may_fail() {
    // The first three begin the campaign, which is refused where one of them fails.
    for failing in 3..46 {
        in_test_system(options(), move |kit| async move {
            kit.models
                .named("fake/one")
                .traps
                .once("letter 1 turn 1", Trap::Fault(FaultKind::TaskSetup));
            kit.journal.traps.set("append", failing, 1, Trap::Fault(FaultKind::Store));
            let handle = kit.submit(&campaign("c", 3)).await;
            let mut progress = handle.wait_until_settled().await;
            while progress.state == CampaignState::Paused {
                // Refused where it is this write that fails.
                handle.resume().await;
                progress = handle.wait_until_settled().await;
            }
            assert_eq!(progress.state, CampaignState::Complete, "write {failing}");
            let found = episodes(&kit, "c").await;
            assert!(found.iter().all(|e| e.outcome.is_some()), "write {failing}: {found:#?}");
            let judged = found.iter().filter(|e| e.judged.is_some()).count() as u64;
            assert_eq!(judged, progress.episodes.resolved, "write {failing}");
            assert_eq!(kit.sink.written().last().unwrap().rows.len() as u64, judged);
        });
    }
}

/// What a campaign shows when it rests is in the store, also if a write before has failed: a later
/// start must not run again what was given up.
#[test]
fn what_the_store_did_not_take_is_written_at_rest() {
    let paused = Arc::new(AtomicU32::new(0));
    for failing in 3..46 {
        let paused = paused.clone();
        in_test_system(options(), move |kit| async move {
            let setup = Trap::Fault(FaultKind::TaskSetup);
            kit.models.named("fake/one").traps.once("letter 1 turn 1", setup);
            kit.journal.traps.set("append", failing, 1, Trap::Fault(FaultKind::Store));
            let progress = kit.submit(&campaign("c", 3)).await.wait_until_settled().await;
            let faulted = |e: &&EpisodeRecord| matches!(e.outcome, Some(Outcome::Faulted { .. }));
            let found = episodes(&kit, "c").await.iter().filter(faulted).count() as u64;
            assert_eq!(found, progress.episodes.faulted, "write {failing}");
            let is_paused = progress.state == CampaignState::Paused && found > 0;
            paused.fetch_add(u32::from(is_paused), Ordering::AcqRel);
        });
    }
    assert!(paused.load(Ordering::Acquire) > 0, "a write failed after an episode was given up");
}

#[test]
fn a_journal_that_panics_is_a_store_fault() {
    in_test_system(options(), |kit| async move {
        kit.journal.traps.set("append", 8, 1, Trap::Panic);
        let handle = kit.submit(&campaign("c", 2)).await;
        assert_eq!(handle.wait_until_settled().await.state, CampaignState::Paused);
        assert!(handle.resume().await);
        assert_eq!(handle.wait_until_settled().await.episodes.resolved, 2);
    });
}

#[test]
fn episodes_that_panic_too_often_pause_the_campaign() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.set("turn 0", 0, 11, Trap::Panic);
        let handle = kit.submit(&campaign("c", 8)).await;
        let paused = handle.wait_until_settled().await;
        assert_eq!((paused.state, paused.escalated), (CampaignState::Paused, true));
        assert!(paused.reason.unwrap().contains("panic too often"));
        assert!(handle.resume().await);
        let done = handle.wait_until_settled().await;
        assert_eq!(done.state, CampaignState::Complete);
        assert_eq!(done.episodes.resolved + done.episodes.faulted, 8);
        assert!(done.episodes.resolved > 0);
    });
}

/// After a rate limit a call is made again when the provider allows it. The refused try costs
/// nothing and does not count as a failure.
#[test]
fn a_provider_that_is_asked_too_often_is_asked_later() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.models = vec![priced("fake/one", 10)];
        config.budget = Some(Money::from_nanos(1_000_000));
        kit.models.named("fake/one").limits(20, Some(Duration::from_secs(7)));
        let began = Instant::now();
        let progress = kit.run(&config).await;
        assert!(began.elapsed() >= Duration::from_secs(20 * 7), "it came back too soon");
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0));
        assert_eq!(progress.cost_usd, Money::from_nanos(4 * 110 * 10));
        assert_eq!(episodes(&kit, "c").await[0].failed_attempts, 0);
    });
}

/// A rate limit that does not pass within half an hour is an outage.
#[test]
fn a_provider_that_never_has_time_is_given_up() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.episode.attempts = 1;
        kit.models.named("fake/one").limits(u32::MAX, None);
        let began = Instant::now();
        let progress = kit.run(&config).await;
        let waited = began.elapsed();
        assert!(waited > Duration::from_secs(1_500) && waited < Duration::from_secs(2_000));
        assert_eq!(progress.episodes.resolved, 0);
        // Seldom, towards the end: a limit is not kept by asking all the time.
        assert!(kit.models.named("fake/one").calls().len() < 200);
        assert_eq!(progress.cost_usd, Money::ZERO);
    });
}

/// A conversation that has become too long ends its episode, which is judged.
#[test]
fn a_full_context_is_an_end_and_no_fault() {
    in_test_system(options(), |kit| async move {
        let full = Trap::Fault(FaultKind::ContextFull);
        kit.models.named("fake/one").traps.once("turn 2", full);
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 2));
        assert!(kit.sink.written()[0].rows[0].2.contains(&"stop:context_full".to_owned()));
    });
    // Before its first turn, the agent has done nothing that could be judged.
    in_test_system(options(), |kit| async move {
        let full = Trap::Fault(FaultKind::ContextFull);
        kit.models.named("fake/one").traps.once("turn 0", full);
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.faulted, progress.steps), (1, 0));
        assert_eq!(progress.rows.accepted, 0);
    });
}

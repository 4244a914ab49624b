//! Pause, resume, cancel and drain: at whatever moment they come, the campaign comes to rest.

use super::{episodes, labels, options};
use crate::campaign::ReopenFilter;
use crate::model::{CampaignState, EpisodeRecord, FaultKind};
use crate::ports::Journal;
use crate::testkit::{Kit, Options, Trap, campaign, in_test_system};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug)]
enum Order {
    Pause,
    Cancel,
    Drain,
    Cut,
}

const ORDERS: [Order; 4] = [Order::Pause, Order::Cancel, Order::Drain, Order::Cut];

/// From the first instant to past the end, faults and waits included.
fn moments() -> impl Iterator<Item = Duration> {
    let early = (0..30).map(Duration::from_millis);
    early.chain((30..420).step_by(13).map(Duration::from_millis))
}

fn with_trouble(kit: &Kit) {
    let model = kit.models.named("fake/one");
    model.traps.once("letter 1 turn 1", Trap::Panic);
    model.traps.once("letter 2 turn 0", Trap::Fault(crate::model::FaultKind::TaskSetup));
    kit.backend.traps().once("exec put name", Trap::Fault(crate::model::FaultKind::SandboxLost));
    kit.sink.traps.once("write", Trap::Slow(Duration::from_millis(40)));
}

#[test]
fn every_order_at_every_moment_comes_to_rest() {
    for (order, moment) in ORDERS.into_iter().flat_map(|o| moments().map(move |m| (o, m))) {
        in_test_system(options(), move |kit| async move {
            with_trouble(&kit);
            let mut config = campaign("c", 5);
            config.concurrency = 2;
            let handle = kit.submit(&config).await;
            sleep(moment).await;
            let told = match order {
                Order::Pause => handle.pause("a rest").await,
                Order::Cancel => handle.cancel().await,
                Order::Drain => handle.drain(false).await,
                Order::Cut => handle.drain(true).await,
            };
            let rest = handle.wait_until_settled().await;
            let fine = match order {
                // An order that was acknowledged holds; one that came too late was refused.
                Order::Pause | Order::Cancel if !told => rest.state == CampaignState::Complete,
                Order::Drain | Order::Cut if rest.state == CampaignState::Complete => true,
                Order::Pause => rest.state == CampaignState::Paused,
                Order::Cancel => rest.state == CampaignState::Cancelled,
                Order::Drain | Order::Cut => rest.state == CampaignState::Running,
            };
            assert!(told || rest.state == CampaignState::Complete, "{order:?} at {moment:?}");
            assert!(fine && rest.running == 0, "{order:?} at {moment:?}: {rest:?}");
            let stored = kit.journal.campaign(&config.name).await.unwrap().unwrap();
            assert_eq!(stored.state, rest.state, "{order:?} at {moment:?}");
            finish(&kit, order, rest.state).await;
        });
    }
}

/// Whatever was said before, the campaign can be brought to its end.
async fn finish(kit: &Kit, order: Order, state: CampaignState) {
    let mut config = campaign("c", 5);
    config.concurrency = 2;
    let handle = match state {
        CampaignState::Complete => return,
        CampaignState::Paused => kit.engine.campaign(&config.name).unwrap(),
        _ => {
            // Gone from the engine, not from the journal.
            while kit.engine.campaign(&config.name).unwrap().is_alive() {
                sleep(Duration::from_millis(1)).await;
            }
            kit.submit(&config).await
        }
    };
    assert!(!matches!(order, Order::Pause) || handle.resume().await);
    let done = handle.wait_until_settled().await;
    assert_eq!(done.state, CampaignState::Complete, "{order:?}");
    assert_eq!((done.episodes.finished, done.episodes.faulted), (5, 1), "{order:?}");
    assert!(episodes(kit, "c").await.iter().all(|e| e.outcome.is_some()));
}

#[test]
fn resuming_while_it_comes_to_rest_is_not_forgotten() {
    for wait in 0..8 {
        in_test_system(options(), move |kit| async move {
            let handle = kit.submit(&campaign("c", 3)).await;
            sleep(Duration::from_millis(25)).await;
            handle.pause("a moment").await;
            // Its episodes end, and then its state is being written.
            while handle.progress().borrow().running > 0 {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_millis(wait)).await;
            assert!(handle.resume().await);
            sleep(Duration::from_millis(8)).await;
            let stored = kit.journal.campaign(&campaign("c", 3).name).await.unwrap().unwrap();
            assert_ne!(stored.state, CampaignState::Paused, "the last word is the last written");
            let done = handle.wait_until_settled().await;
            assert_eq!(done.state, CampaignState::Complete, "after {wait} ms");
        });
    }
}

/// An acknowledged command is durable, even if the process is killed the next moment while episodes
/// run.
#[test]
fn an_order_is_durable_when_it_is_answered() {
    for (order, state) in
        [(Order::Pause, CampaignState::Paused), (Order::Cancel, CampaignState::Cancelled)]
    {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").takes(Duration::from_secs(600));
            let handle = kit.submit(&campaign("c", 3)).await;
            sleep(Duration::from_secs(1)).await;
            let told = match order {
                Order::Cancel => handle.cancel().await,
                _ => handle.pause("a rest").await,
            };
            let stored = kit.journal.campaign(&campaign("c", 3).name).await.unwrap().unwrap();
            assert_eq!((told, stored.state), (true, state));
        });
    }
}

#[test]
fn a_campaign_that_waits_for_a_place_rests_at_once() {
    for order in ORDERS {
        in_test_system(Options { slots: 1, ..options() }, move |kit| async move {
            let taken = kit.slots.clone().acquire_owned().await.unwrap();
            let handle = kit.submit(&campaign("c", 2)).await;
            sleep(Duration::from_secs(1)).await;
            match order {
                Order::Pause => handle.pause("no place").await,
                Order::Cancel => handle.cancel().await,
                Order::Drain => handle.drain(false).await,
                Order::Cut => handle.drain(true).await,
            };
            assert!(handle.wait_until_settled().await.settled, "{order:?}");
            drop(taken);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(kit.slots.available_permits(), 1, "{order:?}: no place is kept");
            assert_eq!(kit.backend.created(), 0, "{order:?}: nothing is launched");
        });
    }
}

#[test]
fn draining_finishes_what_runs_and_refuses_what_is_new() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 8);
        config.concurrency = 3;
        let handle = kit.submit(&config).await;
        sleep(Duration::from_millis(20)).await;
        assert_eq!(kit.engine.running(), 3);
        kit.engine.drain(false).await;
        let refused = kit.engine.submit(Arc::new(campaign("d", 1)), String::new()).await;
        assert!(refused.err().unwrap().to_string().contains("draining"));
        kit.engine.wait_until_settled().await;
        let rest = handle.wait_until_settled().await;
        assert_eq!((rest.state, rest.episodes.finished), (CampaignState::Running, 3));
        assert_eq!(labels(&kit, "c").await.iter().filter(|l| **l == "resolved").count(), 3);
        assert!(!handle.resume().await, "it is gone");
    });
}

#[test]
fn a_campaign_that_is_being_prepared_does_not_slip_past_a_drain() {
    in_test_system(options(), |kit| async move {
        kit.journal.stall(true);
        let (engine, journal) = (kit.engine.clone(), kit.journal.clone());
        let submitted = engine.submit(Arc::new(campaign("c", 2)), String::new());
        let drained = async {
            sleep(Duration::from_secs(1)).await;
            engine.drain(false).await;
            journal.stall(false);
        };
        let (submitted, ()) = tokio::join!(submitted, drained);
        assert!(submitted.err().unwrap().to_string().contains("draining"));
        assert_eq!(kit.backend.created(), 0);
        sleep(Duration::from_secs(1)).await;
        let stored = kit.journal.campaign(&campaign("c", 2).name).await.unwrap().unwrap();
        assert_eq!(stored.state, CampaignState::Cancelled, "refused, so the next start lets it be");
    });
}

/// A retry that is refused because of a drain leaves the faulted episodes as they were, so it can be
/// asked for again.
#[test]
fn a_retry_that_a_drain_refuses_reopens_nothing() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("letter", 0, usize::MAX, Trap::Fault(FaultKind::ModelRejected));
        let config = campaign("c", 2);
        assert_eq!(kit.run(&config).await.episodes.faulted, 2);
        let before = episodes(&kit, "c").await;
        let earlier = kit.journal.campaign(&config.name).await.unwrap();
        kit.journal.stall(true);
        let (engine, journal) = (kit.engine.clone(), kit.journal.clone());
        let all = ReopenFilter::Matching { kinds: Vec::new(), template: None };
        let submitted = engine.submit_again(Arc::new(config.clone()), String::new(), all);
        let drained = async {
            sleep(Duration::from_secs(1)).await;
            engine.drain(false).await;
            journal.stall(false);
        };
        let (submitted, ()) = tokio::join!(submitted, drained);
        assert!(submitted.err().unwrap().to_string().contains("draining"));
        sleep(Duration::from_secs(1)).await;
        let outcomes = |all: &[EpisodeRecord]| -> Vec<_> {
            all.iter().map(|e| (e.outcome.clone(), e.finished_at_ms)).collect()
        };
        assert_eq!(outcomes(&episodes(&kit, "c").await), outcomes(&before));
        assert_eq!(kit.journal.campaign(&config.name).await.unwrap(), earlier);
    });
}

#[test]
fn cutting_off_ends_hanging_models_and_sandboxes() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.set("letter 0", 0, 9, Trap::Hang);
        kit.backend.traps().set("exec put letter", 0, 9, Trap::Hang);
        let handle = kit.submit(&campaign("c", 4)).await;
        sleep(Duration::from_secs(5)).await;
        let before = tokio::time::Instant::now();
        handle.drain(true).await;
        handle.wait_until_settled().await;
        assert!(before.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn an_episode_that_finished_is_not_run_again() {
    // Cancelled while its result is being written: it has one, and keeps it.
    for moment in 40..80 {
        in_test_system(options(), move |kit| async move {
            let handle = kit.submit(&campaign("c", 1)).await;
            sleep(Duration::from_millis(moment)).await;
            handle.cancel().await;
            let rest = handle.wait_until_settled().await;
            let finished = episodes(&kit, "c").await[0].outcome.is_some();
            assert_eq!(rest.episodes.finished, u64::from(finished), "at {moment} ms");
            assert_eq!(episodes(&kit, "c").await[0].judged.is_some(), finished, "at {moment} ms");
        });
    }
}

#[test]
fn a_stalled_store_holds_everything_up_and_loses_nothing() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 3)).await;
        sleep(Duration::from_millis(35)).await;
        kit.journal.stall(true);
        let calls = kit.models.named("fake/one").calls().len();
        sleep(Duration::from_secs(3_600)).await;
        assert!(kit.models.named("fake/one").calls().len() <= calls + 3, "no turn runs ahead");
        kit.journal.stall(false);
        assert_eq!(handle.wait_until_settled().await.episodes.resolved, 3);
        let rows = kit.journal.rows(&campaign("c", 3).name, None, 9).await.unwrap();
        let submitted = |row: &crate::model::RowRecord| {
            let steps = row.row.as_trajectory().unwrap().trajectory.len();
            row.row.labels().contains(&"stop:submitted".to_owned()) && steps == 4
        };
        assert!(rows.iter().all(submitted), "its time is not the agent's");
        super::assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

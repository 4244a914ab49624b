//! Panics of the actors on which campaigns depend.

use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::model::{CampaignName, CampaignState, FaultKind};
use crate::ports::Journal;
use crate::supervisor::{ActorExit, AskError};
use crate::testkit::{Kit, Panic, Trap, campaign, in_test_system};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn panic_in(kit: &Kit, actor: &str) {
    // `tell` and not `ask`: the actor that panics never answers, and `ask` would send the message
    // to its next incarnation, which would panic too.
    let services = &kit.services;
    match actor {
        "pool" => services.pool.raw().tell(Panic).await,
        "router" => services.router.raw().tell(Panic).await,
        "quality" => services.quality.raw().tell(Panic).await,
        "publisher" => services.quality.raw_publisher().tell(Panic).await,
        _ => kit.engine.raw().tell(Panic).await,
    }
}

const ACTORS: [&str; 5] = ["pool", "router", "quality", "publisher", "engine"];

#[test]
fn a_panic_in_any_actor_loses_and_doubles_nothing() {
    for (actor, moment) in ACTORS.into_iter().flat_map(|a| (0..160).step_by(9).map(move |m| (a, m)))
    {
        in_test_system(options(), move |kit| async move {
            let handle = kit.submit(&campaign("c", 6)).await;
            sleep(Duration::from_millis(moment)).await;
            panic_in(&kit, actor).await;
            let done = handle.wait_until_settled().await;
            assert_eq!(done.state, CampaignState::Complete, "{actor} at {moment}: {done:?}");
            assert_eq!(done.episodes.resolved, 6, "{actor} at {moment}");
            let found = episodes(&kit, "c").await;
            assert!(found.iter().all(|e| e.failed_attempts == 0), "{actor} at {moment}");
            assert_nothing_lost_or_doubled(&kit, "c").await;
        });
    }
}

/// A deadly message costs its sender an answer, and nobody else anything.
#[test]
fn a_message_that_kills_the_engine_actor_is_set_aside_while_campaigns_run() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 6)).await;
        for _ in 0..4 {
            assert_eq!(kit.engine.raw().ask(Panic).await, Err(AskError::SetAside("engine")));
            let asked = kit.services.router.raw().ask(Panic).await;
            assert_eq!(asked, Err(AskError::SetAside("router")));
        }
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 6));
        let [engine, campaigns] = kit.engine.actor_stats();
        assert_eq!((engine.panics, engine.restarts, engine.set_aside), (8, 8, 4));
        assert_eq!((campaigns.name.as_str(), campaigns.panics), ("campaign", 0));
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn a_campaign_whose_actor_dies_is_counted() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 3)).await;
        // Another engine actor than the one that started the campaign sees it die.
        kit.engine.raw().ask(Panic).await.unwrap_err();
        handle.panic().await;
        let dead = handle.wait_until_settled().await;
        assert_eq!((dead.state, dead.cause), (CampaignState::Paused, Some(FaultKind::Panicked)));
        assert_eq!(kit.engine.actor_stats()[1].panics, 1);
        sleep(Duration::from_secs(1)).await;
        let recorded = kit.journal.campaign(&CampaignName("c".to_owned())).await.unwrap().unwrap();
        assert_eq!(recorded.state, CampaignState::Paused);
    });
}

#[test]
fn several_panics_within_the_intensity_are_survived() {
    in_test_system(options(), |kit| async move {
        let handle = kit.submit(&campaign("c", 12)).await;
        for actor in ACTORS.into_iter().cycle().take(25) {
            sleep(Duration::from_millis(7)).await;
            panic_in(&kit, actor).await;
        }
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 12));
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn beyond_the_intensity_it_escalates_and_the_campaign_pauses() {
    for actor in ["pool", "quality", "publisher"] {
        in_test_system(options(), move |kit| async move {
            let handle = kit.submit(&campaign("c", 40)).await;
            let exit = kit.exit(actor);
            for _ in 0..6 {
                sleep(Duration::from_millis(5)).await;
                panic_in(&kit, actor).await;
            }
            let panic =
                format!("injected into {}{actor}", if actor == "quality" { "" } else { "the " });
            assert!(
                matches!(exit.await, Ok(ActorExit::Escalated { panic: said, .. }) if said == panic)
            );
            let before = Instant::now();
            let rest = handle.wait_until_settled().await;
            assert_eq!((rest.state, rest.escalated), (CampaignState::Paused, true), "{actor}");
            assert!(rest.reason.unwrap().contains("is gone"), "{actor}");
            assert_eq!(rest.episodes.faulted, 0, "{actor}: nobody's label");
            assert!(before.elapsed() < Duration::from_secs(30), "{actor}: told at once");
        });
    }
}

#[test]
fn a_dead_engine_actor_refuses_at_once() {
    in_test_system(options(), |kit| async move {
        let exit = kit.exit("engine");
        for _ in 0..6 {
            panic_in(&kit, "engine").await;
            sleep(Duration::from_millis(1)).await;
        }
        assert!(matches!(exit.await, Ok(ActorExit::Escalated { name: "engine", .. })));
        let before = Instant::now();
        let refused = kit.engine.submit(Arc::new(campaign("c", 1)), String::new()).await;
        assert_eq!(refused.err().unwrap().to_string(), "the engine actor is gone");
        assert_eq!(before.elapsed(), Duration::ZERO);
    });
}

#[test]
fn publishing_once_is_enough() {
    for moment in (0..60).step_by(5) {
        in_test_system(options(), move |kit| async move {
            kit.sink.traps.once("write", Trap::Slow(Duration::from_millis(50)));
            let handle = kit.submit(&campaign("c", 1)).await;
            while episodes(&kit, "c").await[0].judged.is_none() {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_millis(moment)).await;
            panic_in(&kit, "publisher").await;
            assert_eq!(handle.wait_until_settled().await.state, CampaignState::Complete);
            assert_eq!(kit.sink.written().len(), 1);
        });
    }
}

#[test]
fn a_panic_in_publishing_pauses_and_a_resume_publishes() {
    in_test_system(options(), |kit| async move {
        kit.sink.traps.once("write", Trap::Panic);
        let handle = kit.submit(&campaign("c", 2)).await;
        let rest = handle.wait_until_settled().await;
        assert_eq!((rest.state, rest.escalated), (CampaignState::Paused, true));
        assert!(handle.resume().await);
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.rows.accepted), (CampaignState::Complete, 2));
        assert_eq!((kit.sink.written().len(), done.episodes.finished), (1, 2));
    });
}

#[test]
fn the_episodes_of_a_campaign_that_dies_die_with_it() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.takes(Duration::from_secs(10));
        let handle = kit.submit(&campaign("c", 4)).await;
        sleep(Duration::from_secs(15)).await;
        handle.panic().await;
        sleep(Duration::from_millis(1)).await;
        assert!(!handle.is_alive());
        let left = handle.progress().borrow().clone();
        assert_eq!((left.state, left.running, left.settled), (CampaignState::Paused, 0, true));
        assert!(left.reason.unwrap().contains("injected"));
        assert_eq!(kit.slots.available_permits(), 64);
        let calls = model.calls().len();
        sleep(Duration::from_secs(100)).await;
        assert_eq!(model.calls().len(), calls, "nobody goes on spending");
        model.takes(Duration::from_millis(5));
        let done = kit.run(&campaign("c", 4)).await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 4));
    });
}

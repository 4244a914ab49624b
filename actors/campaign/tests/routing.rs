//! Which model and key is asked: rate limits of keys, providers that do not answer, fallback
//! models.

use super::{Kit, episodes, options};
use crate::model::{
    CampaignConfig, CampaignState, EpisodeId, FaultKind, ModelAssignment, ModelConfig,
    ModelFailure, ProviderEndpoint,
};
use crate::ports::Journal;
use crate::testkit::{Line, Trap, campaign, in_test_system, priced};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// A model with an endpoint, so that it has a provider which can be down.
fn remote(name: &str, keys: &[&str]) -> ModelConfig {
    let mut keys = keys.iter().map(|key| (*key).to_owned());
    let mut endpoint = ProviderEndpoint::new("openai", format!("http://{name}"), keys.next());
    endpoint.more_keys = keys.collect();
    ModelConfig { endpoint: Some(endpoint), ..priced(name, 0) }
}

fn of(models: Vec<ModelConfig>, tasks: u32) -> CampaignConfig {
    CampaignConfig { models, ..campaign("c", tasks) }
}

/// A model and its fallback for this failure.
fn with_reserve(failure: ModelFailure) -> (ModelConfig, ModelConfig) {
    let (mut one, mut two) = (remote("fake/one", &[]), remote("fake/two", &[]));
    two.routing.reserve = true;
    let fallback = &mut one.routing.fallback;
    let names = match failure {
        ModelFailure::Context => &mut fallback.context,
        ModelFailure::Filter => &mut fallback.filter,
        ModelFailure::Outage => &mut fallback.outage,
        ModelFailure::Budget => &mut fallback.budget,
    };
    names.push(two.name.clone());
    (one, two)
}

/// Who answered the turns of each episode.
async fn answered(kit: &Kit) -> BTreeMap<EpisodeId, Vec<String>> {
    let mut found = BTreeMap::new();
    for episode in episodes(kit, "c").await {
        let turns = kit.journal.turns(&episode.plan.id, episode.attempt).await.unwrap();
        let planned = episode.plan.model.clone();
        let models = turns.into_iter().map(|turn| turn.model.unwrap_or(planned.clone()));
        found.insert(episode.plan.id, models.collect());
    }
    found
}

/// An outage of one costs no episode: the other has them all, and the first is only probed.
#[test]
fn a_model_that_does_not_answer_is_stood_in_for() {
    in_test_system(options(), |kit| async move {
        let (one, two) = with_reserve(ModelFailure::Outage);
        let first = kit.models.named("fake/one");
        first.traps.set("letter", 0, usize::MAX, Trap::Fault(FaultKind::ModelTransient));
        let progress = kit.run(&of(vec![one, two], 30)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (30, 0));
        for (episode, models) in answered(&kit).await {
            assert!(models.iter().all(|model| model == "fake/two"), "{episode}: {models:?}");
        }
        let rows = kit.journal.rows(&campaign("c", 1).name, None, 99).await.unwrap();
        assert!(rows.iter().all(|row| row.row.as_trajectory().unwrap().llm_model == "two"));
        // Before it opened: five tries of each of the four episodes at most. Then probes alone.
        assert!(first.calls().len() < 40, "{}", first.calls().len());
        let lanes = kit.services.router.provider_stats();
        assert!(lanes[0].down && !lanes[1].down, "{lanes:?}");
        assert!(lanes[0].last_failure.as_ref().is_some_and(|last| last.contains("a trap")));
    });
}

/// A model that is back is asked again, by whatever begins then.
#[test]
fn a_model_that_answers_again_is_asked_again() {
    in_test_system(options(), |kit| async move {
        let (one, two) = with_reserve(ModelFailure::Outage);
        let first = kit.models.named("fake/one");
        // It fails for a while, and answers from then on.
        first.traps.set("letter", 0, 12, Trap::Fault(FaultKind::ModelTransient));
        kit.models.named("fake/two").takes(Duration::from_secs(1));
        let progress = kit.run(&of(vec![one, two], 60)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (60, 0));
        let answered = answered(&kit).await;
        let with = |name: &str| answered.values().filter(|models| models[0] == name).count();
        assert!(with("fake/two") > 0 && with("fake/one") > 20, "{}", with("fake/one"));
        assert!(!kit.services.router.provider_stats()[0].down);
    });
}

/// One key has to rest for an hour, the other is only busy: nobody gives up.
#[test]
fn a_busy_key_is_waited_for_while_another_rests() {
    in_test_system(options(), |kit| async move {
        let mut one = remote("fake/one", &["KEY_A", "KEY_B"]);
        one.concurrency = 1;
        kit.models.named("fake/one KEY_A").limits(1, Some(Duration::from_secs(3_600)));
        let mut config = of(vec![one], 12);
        config.concurrency = 6;
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (12, 0));
        let attempts = episodes(&kit, "c").await.iter().map(|e| e.failed_attempts).max();
        assert_eq!(attempts, Some(0));
    });
}

/// A call that is cut off costs its whole hold. So only what asks the faulty model stops.
#[test]
fn calls_of_other_models_end_when_one_model_pauses_the_campaign() {
    in_test_system(options(), |kit| async move {
        let (one, two) = (kit.models.named("fake/one"), kit.models.named("fake/two"));
        one.traps.set("turn 0", 0, usize::MAX, Trap::Fault(FaultKind::KeyRejected));
        two.takes(Duration::from_secs(10));
        let models = vec![priced("fake/one", 1), priced("fake/two", 1)];
        let progress = kit.run(&of(models, 1)).await;
        let paused = (progress.state, progress.cause);
        assert_eq!(paused, (CampaignState::Paused, Some(FaultKind::KeyRejected)));
        assert_eq!((progress.episodes.resolved, progress.rows.accepted), (1, 1), "{progress:?}");
        let of_two = episodes(&kit, "c").await.into_iter().find(|e| e.plan.model == "fake/two");
        let of_two = of_two.unwrap();
        assert_eq!((of_two.attempt.0, two.calls().len()), (1, of_two.steps as usize));
        let money = kit.services.router.stats();
        assert!(money[0].held_usd.is_zero() && kit.journal.unsettled() == 0);
    });
}

/// A model that never comes back is tried twice, and costs no more.
#[test]
fn a_model_that_never_answers_is_not_the_soonest() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/never").takes(Duration::from_secs(1_000_000));
        let mut config = of(vec![remote("fake/never", &[]), remote("fake/quick", &[])], 20);
        config.assign = ModelAssignment::LeastLatency;
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.unresolved), (20, 0));
    });
}

/// An episode stays with its fallback model, also in the attempt that replays its turns.
#[test]
fn an_episode_that_has_grown_too_long_goes_on_with_another_model() {
    in_test_system(options(), |kit| async move {
        let (one, two) = with_reserve(ModelFailure::Context);
        let (first, second) = (kit.models.named("fake/one"), kit.models.named("fake/two"));
        first.traps.once("turn 1", Trap::Fault(FaultKind::ContextFull));
        second.traps.once("turn 2", Trap::Panic);
        let progress = kit.run(&of(vec![one, two], 1)).await;
        assert_eq!(progress.episodes.resolved, 1);
        let models = answered(&kit).await.into_values().next().unwrap();
        assert_eq!(models, ["fake/one", "fake/two", "fake/two", "fake/two"]);
        let asked: Vec<u32> = first.calls().iter().map(|(_, turn, _)| *turn).collect();
        assert_eq!(asked, [0, 1], "the second attempt asked the first model again");
        assert!(kit.sink.written()[0].rows[0].2.contains(&"mixed-models".to_owned()));
    });
}

/// The attempt that replays the turns goes on with the model that answered last, also if that is
/// the planned one again.
#[test]
fn an_episode_that_has_moved_back_goes_on_with_its_own_model() {
    in_test_system(options(), |kit| async move {
        let (one, mut two) = with_reserve(ModelFailure::Context);
        two.routing.fallback.context = vec![one.name.clone()];
        let (first, second) = (kit.models.named("fake/one"), kit.models.named("fake/two"));
        first.traps.once("turn 0", Trap::Fault(FaultKind::ContextFull));
        second.traps.once("turn 1", Trap::Fault(FaultKind::ContextFull));
        first.traps.once("turn 2", Trap::Panic);
        kit.run(&of(vec![one, two], 1)).await;
        let models = answered(&kit).await.into_values().next().unwrap();
        assert_eq!(models, ["fake/two", "fake/one", "fake/one", "fake/one"]);
    });
}

#[test]
fn a_model_that_declines_is_stood_in_for_where_the_campaign_says_so() {
    in_test_system(options(), |kit| async move {
        let mut one = remote("fake/one", &[]);
        let two = remote("fake/two", &[]);
        kit.models.named("fake/one").says(|_| Line::Refuse);
        let progress = kit.run(&of(vec![one.clone()], 1)).await;
        assert_eq!(progress.episodes.unresolved, 1, "nobody stands in: it is an outcome");
        one.routing.fallback.filter = vec!["fake/two".to_owned()];
        let mut config = of(vec![one, two], 1);
        config.name.0 = "d".to_owned();
        config.models[1].routing.reserve = true;
        assert_eq!(kit.run(&config).await.episodes.resolved, 1);
    });
}

/// What one key may not have now, another one has; and an episode keeps to one while it can.
#[test]
fn a_key_that_is_asked_too_often_rests_while_others_are_used() {
    in_test_system(options(), |kit| async move {
        let one = remote("fake/one", &["KEY_A", "KEY_B"]);
        let (a, b) = (kit.models.named("fake/one KEY_A"), kit.models.named("fake/one KEY_B"));
        a.limits(1, Some(Duration::from_secs(900)));
        let began = Instant::now();
        let progress = kit.run(&of(vec![one], 20)).await;
        assert_eq!(progress.episodes.resolved, 20);
        assert!(began.elapsed() < Duration::from_secs(900), "everybody waited for one key");
        assert!(a.calls().len() < 5, "it was asked {} times", a.calls().len());
        let stats = kit.services.router.stats();
        let ways = &stats[0].models[0].key_limiters;
        assert_eq!((ways[0].too_often, ways[1].too_often), (1, 0));
        assert!(ways[0].wait_ms.is_some() && ways[0].limit < ways[1].limit, "{ways:?}");
        let moved: BTreeSet<_> = a.replies().into_iter().map(|(episode, _)| episode).collect();
        let stayed: BTreeSet<_> = b.replies().into_iter().map(|(episode, _)| episode).collect();
        assert!(moved.is_subset(&stayed) || moved.is_empty(), "all ended with the other key");
    });
}

#[test]
fn episodes_spread_over_keys_and_keep_to_theirs() {
    in_test_system(options(), |kit| async move {
        let one = remote("fake/one", &["KEY_A", "KEY_B"]);
        kit.run(&of(vec![one], 30)).await;
        let by = |key: &str| -> BTreeSet<EpisodeId> {
            let model = kit.models.named(&format!("fake/one {key}"));
            model.replies().into_iter().map(|(episode, _)| episode).collect()
        };
        let (a, b) = (by("KEY_A"), by("KEY_B"));
        assert!(a.len() > 5 && b.len() > 5 && a.is_disjoint(&b), "{} {}", a.len(), b.len());
    });
}

/// Without a fallback, calls wait until the provider is back, and few tries are charged.
#[test]
fn a_short_outage_is_waited_for_by_probes() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("letter", 0, 12, Trap::Fault(FaultKind::ModelTransient));
        let progress = kit.run(&of(vec![remote("fake/one", &[])], 20)).await;
        assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (20, 0));
        let attempts = episodes(&kit, "c").await.iter().map(|e| e.failed_attempts).max();
        assert_eq!(attempts, Some(0), "no attempt was spent on it");
    });
}

/// Every key of every model of a campaign together.
#[test]
fn a_provider_is_never_asked_more_at_once_than_it_bears() {
    in_test_system(options(), |kit| async move {
        let mut one = remote("fake/one", &[]);
        one.endpoint.as_mut().unwrap().concurrency = Some(2);
        let mut config = of(vec![one], 20);
        config.concurrency = 8;
        assert_eq!(kit.run(&config).await.episodes.resolved, 20);
        assert_eq!(kit.models.named("fake/one").crowd(), 2);
    });
}

/// A model that says nothing is not waited for by each episode in turn: after a few silent calls it
/// is only probed, and nobody else waits for the probe.
#[test]
fn a_silent_model_is_given_up_after_a_few_calls() {
    in_test_system(options(), |kit| async move {
        let silent = kit.models.named("fake/silent");
        silent.takes(Duration::from_secs(1_000_000));
        let mut config = of(vec![remote("fake/silent", &[])], 40);
        config.concurrency = 4;
        config.episode.attempts = 2;
        let (began, timeout) = (Instant::now(), config.episode.timeout);
        let progress = kit.run(&config).await;
        assert_eq!(
            (progress.state, progress.cause),
            (CampaignState::Paused, Some(FaultKind::OutOfTime))
        );
        // One round of silence, and whatever was a probe when the others had given up.
        assert!(silent.calls().len() <= 6, "{}", silent.calls().len());
        assert!(began.elapsed() < timeout * 2, "{:?}", began.elapsed());
        assert!(kit.services.router.provider_stats()[0].down);
    });
}

/// Told that calls come too often, fewer are sent at once, and more again as they succeed.
#[test]
fn fewer_are_sent_at_once_after_being_told_that_they_are_too_many() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.takes(Duration::from_secs(1));
        model.limits(8, None);
        let mut config = of(vec![remote("fake/one", &[])], 8);
        config.models[0].concurrency = 8;
        config.concurrency = 8;
        let handle = kit.submit(&config).await;
        tokio::time::sleep(Duration::from_millis(1_150)).await;
        let limit = kit.services.router.stats()[0].models[0].key_limiters[0].limit;
        assert_eq!(limit, 4, "half of the eight that were on their way");
        assert_eq!(handle.wait_until_settled().await.episodes.resolved, 8);
        assert!(kit.services.router.stats()[0].models[0].key_limiters[0].limit > 4);
    });
}

/// What calls may use is reserved; what they did not use is given back.
#[test]
fn tokens_a_minute_are_kept() {
    in_test_system(options(), |kit| async move {
        let mut one = remote("fake/one", &[]);
        one.routing.tokens_per_minute = Some(6_000);
        let began = Instant::now();
        let progress = kit.run(&of(vec![one], 40)).await;
        assert_eq!(progress.episodes.resolved, 40);
        // 160 calls of 110 tokens: the first 6,000 are there, the rest comes at 100 a second.
        let least = Duration::from_secs((160 * 110 - 6_000) / 100);
        let took = began.elapsed();
        assert!(took >= least, "{took:?} is less than {least:?}");
    });
}

/// All are measured; from then on the one that answers soonest has them, each episode whole.
#[test]
fn whoever_answers_soonest_has_the_episode() {
    in_test_system(options(), |kit| async move {
        let names = ["fake/fast", "fake/slow", "fake/slower"];
        for (at, name) in names.iter().enumerate() {
            kit.models.named(name).takes(Duration::from_millis(10 + 500 * at as u64));
        }
        let mut config = of(names.iter().map(|name| remote(name, &[])).collect(), 40);
        config.assign = ModelAssignment::LeastLatency;
        assert_eq!(kit.run(&config).await.episodes.resolved, 40);
        let answered = answered(&kit).await;
        let mut by = BTreeMap::new();
        for models in answered.values() {
            assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "{models:?}");
            *by.entry(models[0].as_str()).or_insert(0) += 1;
        }
        assert_eq!(by.len(), 3, "each was tried: {by:?}");
        assert!(by["fake/fast"] > 30, "{by:?}");
    });
}

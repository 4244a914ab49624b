//! What a call needs before it is sent, and what its failure means: a call that waits for money
//! blocks no other call, and faults have what only the router knows.

use super::{ModelAnswer, ModelCall, ModelClients};
use crate::model::{
    AttemptNumber, CallFault, CampaignName, ChatMessage, ChatReply, ChatRequest, ChatRole,
    EpisodeId, Fault, FaultKind, FinishReason, ModelConfig, Money, ProviderEndpoint, SpendingCaps,
    SpendingTotals, Usage,
};
use crate::policy::worst_case;
use crate::ports::{CallContext, ChatModel, ModelFactory};
use crate::supervisor::spawn;
use crate::testkit::{Kit, Options, in_test_system, priced};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

type Says = dyn Fn(&EpisodeId) -> Result<Usage, CallFault> + Send + Sync;

/// A model that answers after a while and records when each call came.
#[derive(Clone)]
pub(super) struct Desk {
    takes: Duration,
    says: Arc<Says>,
    came: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Desk {
    pub(super) fn new(
        takes: Duration,
        says: impl Fn(&EpisodeId) -> Result<Usage, CallFault> + Send + Sync + 'static,
    ) -> Self {
        Self { takes, says: Arc::new(says), came: Arc::default() }
    }

    pub(super) fn came(&self) -> Vec<String> {
        self.came.lock().unwrap().iter().map(|(who, _)| who.clone()).collect()
    }
}

#[async_trait]
impl ChatModel for Desk {
    async fn complete(
        &self,
        _: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        self.came.lock().unwrap().push((context.episode.0.clone(), Instant::now()));
        context.recorder.sent("http://h", "openai", Vec::new(), b"{}");
        sleep(self.takes).await;
        let said = ChatMessage::text(ChatRole::Assistant, "yes");
        Ok(ChatReply::new(said, FinishReason::Stop, (self.says)(&context.episode)?))
    }
}

struct Desks(HashMap<String, Desk>);

impl ModelFactory for Desks {
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        Ok(Arc::new(self.0[&config.name].clone()))
    }
}

pub(super) const CAMPAIGN: &str = "c";

pub(super) async fn open(
    kit: &Kit,
    models: &[ModelConfig],
    desks: &[(&str, &Desk)],
    caps: SpendingCaps,
) {
    let desks = desks.iter().map(|(name, desk)| ((*name).to_owned(), (*desk).clone()));
    let desks = Desks(desks.collect());
    let clients = models.iter().map(|config| ModelClients::new(config, &desks).unwrap()).collect();
    let name = CampaignName(CAMPAIGN.to_owned());
    kit.services.router.open(name, clients, caps, SpendingTotals::default()).await.unwrap();
}

/// No two calls are the same.
static NEXT: AtomicU32 = AtomicU32::new(0);

pub(super) fn call(model: &str, episode: &str, words: usize) -> ModelCall {
    let request = ChatRequest {
        messages: vec![ChatMessage::text(ChatRole::User, "w".repeat(words))],
        tools: Vec::new(),
        max_output_tokens: 84,
        settings: Default::default(),
    };
    ModelCall {
        campaign: CampaignName(CAMPAIGN.to_owned()),
        attempt: AttemptNumber(1),
        model: model.to_owned(),
        request: Arc::new(request),
        sample: 0,
        context: CallContext {
            episode: EpisodeId(episode.to_owned()),
            script: None,
            turn: NEXT.fetch_add(1, Ordering::Relaxed),
            retry: 0,
            recorder: Default::default(),
        },
        limit: Duration::from_secs(600),
    }
}

pub(super) fn begin(kit: &Kit, call: ModelCall) -> AbortOnDropHandle<Result<ModelAnswer, Fault>> {
    let router = kit.services.router.clone();
    spawn("asker", async move { router.call_once(call).await })
}

fn remote(name: &str, nanos: u64) -> ModelConfig {
    let endpoint =
        ProviderEndpoint::new("openai", format!("http://{name}"), Some("A_KEY".to_owned()));
    ModelConfig { endpoint: Some(endpoint), ..priced(name, nanos) }
}

/// A call that waits for its episode's money has no place at the provider.
#[test]
fn who_waits_for_money_keeps_nobody_from_the_only_place() {
    in_test_system(Options::default(), |kit| async move {
        let fine = || |_: &EpisodeId| Ok(Usage::of(10, 1));
        let slow = Desk::new(Duration::from_secs(300), fine());
        let quick = Desk::new(Duration::from_secs(1), fine());
        let mut narrow = remote("fake/quick", 1);
        narrow.concurrency = 1;
        let caps =
            SpendingCaps { episode: Some(Money::from_nanos(300)), ..SpendingCaps::default() };
        let models = [remote("fake/slow", 1), narrow];
        open(&kit, &models, &[("fake/slow", &slow), ("fake/quick", &quick)], caps).await;
        let before = begin(&kit, call("fake/slow", "poor", 100));
        sleep(Duration::from_secs(1)).await;
        let waits = begin(&kit, call("fake/quick", "poor", 100));
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        begin(&kit, call("fake/quick", "rich", 100)).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(quick.came(), ["rich"]);
        before.await.unwrap().unwrap();
        waits.await.unwrap().unwrap();
        assert_eq!(quick.came(), ["rich", "poor"]);
        assert_eq!(kit.services.router.held(&CampaignName(CAMPAIGN.to_owned())), Money::ZERO);
    });
}

/// Nor does it use up a request of the minute: it is sent as soon as it has its money.
#[test]
fn who_waits_for_money_uses_up_no_request_of_the_minute() {
    in_test_system(Options::default(), |kit| async move {
        let slow = Desk::new(Duration::from_secs(10), |_| Ok(Usage::of(10, 1)));
        let rare = Desk::new(Duration::from_secs(1), |_| Ok(Usage::of(10, 1)));
        let model = ModelConfig { requests_per_minute: Some(1), ..remote("fake/rare", 1) };
        let caps =
            SpendingCaps { episode: Some(Money::from_nanos(300)), ..SpendingCaps::default() };
        let models = [remote("fake/slow", 1), model];
        open(&kit, &models, &[("fake/slow", &slow), ("fake/rare", &rare)], caps).await;
        let before = begin(&kit, call("fake/slow", "poor", 100));
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        begin(&kit, call("fake/rare", "poor", 100)).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        before.await.unwrap().unwrap();
    });
}

/// Nor is it the probe that everybody else waits for.
#[test]
fn who_waits_for_money_is_no_probe() {
    in_test_system(Options::default(), |kit| async move {
        let slow = Desk::new(Duration::from_secs(300), |_| Ok(Usage::of(10, 1)));
        let quick = Desk::new(Duration::from_millis(1), |who: &EpisodeId| match who.as_str() {
            "unlucky" => Err(CallFault::free(FaultKind::ModelTransient, "not reached")),
            _ => Ok(Usage::of(10, 1)),
        });
        let caps =
            SpendingCaps { episode: Some(Money::from_nanos(300)), ..SpendingCaps::default() };
        let models = [remote("fake/slow", 1), remote("fake/quick", 1)];
        open(&kit, &models, &[("fake/slow", &slow), ("fake/quick", &quick)], caps).await;
        let before = begin(&kit, call("fake/slow", "poor", 100));
        for _ in 0..8 {
            begin(&kit, call("fake/quick", "unlucky", 1)).await.unwrap().unwrap_err();
        }
        assert!(
            kit.services
                .router
                .provider_stats()
                .iter()
                .any(|provider_limiter| provider_limiter.down)
        );
        // The time of the next probe has come.
        sleep(Duration::from_secs(2)).await;
        let waits = begin(&kit, call("fake/quick", "poor", 100));
        sleep(Duration::from_millis(10)).await;
        let began = Instant::now();
        begin(&kit, call("fake/quick", "rich", 100)).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(
            kit.services
                .router
                .provider_stats()
                .iter()
                .all(|provider_limiter| !provider_limiter.down)
        );
        before.await.unwrap().unwrap();
        waits.await.unwrap().unwrap();
    });
}

fn silent() -> CallFault {
    CallFault { said_nothing: true, ..CallFault::unknown(FaultKind::ModelTransient, "no word") }
}

/// An answer without a word to a long conversation is not asked for over and over, and is no label.
#[test]
fn empty_answers_to_a_long_conversation_end_the_call_without_a_label() {
    assert_eq!(FaultKind::EmptyAnswer.stop_reason(), None);
    assert!(!FaultKind::EmptyAnswer.is_transient());
    for (context, words, kind, tries) in [
        (Some(4_000), 9_000, FaultKind::EmptyAnswer, 2),
        (Some(4_000), 100, FaultKind::ModelTransient, 5),
        (None, 9_000, FaultKind::EmptyAnswer, 2),
        (None, 100, FaultKind::ModelTransient, 5),
    ] {
        in_test_system(Options::default(), move |kit| async move {
            let desk = Desk::new(Duration::from_millis(1), move |_| Err(silent()));
            let model = ModelConfig { context, ..remote("fake/one", 1) };
            open(&kit, &[model], &[("fake/one", &desk)], SpendingCaps::default()).await;
            let told = kit.services.router.call(call("fake/one", "e", words)).await;
            assert_eq!(told.err().map(|fault| fault.kind), Some(kind), "{context:?} {words}");
            assert_eq!(desk.came().len(), tries, "{context:?} {words}");
        });
    }
}

/// Only empty answers of the same model in a row count, whatever failed between or before.
#[test]
fn one_empty_answer_between_other_failures_means_nothing() {
    in_test_system(Options::default(), move |kit| async move {
        let first = Desk::new(Duration::from_millis(1), |_| {
            Err(CallFault::unknown(FaultKind::ModelTransient, "status 500"))
        });
        let tries = Arc::new(AtomicU32::new(0));
        let second = Desk::new(Duration::from_millis(1), move |_| {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 | 2 => Err(silent()),
                1 => Err(CallFault::unknown(FaultKind::ModelTransient, "status 500")),
                _ => Ok(Usage::of(10, 1)),
            }
        });
        let mut planned = remote("fake/first", 1);
        planned.routing.fallback.outage = vec!["other/second".to_owned()];
        let models = [planned, remote("other/second", 1)];
        open(
            &kit,
            &models,
            &[("fake/first", &first), ("other/second", &second)],
            SpendingCaps::default(),
        )
        .await;
        let told = kit.services.router.call(call("fake/first", "e", 9_000)).await.unwrap();
        assert_eq!((told.model.as_str(), second.came().len()), ("other/second", 4));
    });
}

/// Whoever has to replace a key is told which model and which provider it is for.
#[test]
fn a_refused_key_is_told_with_its_model_and_provider() {
    in_test_system(Options::default(), |kit| async move {
        let desk = Desk::new(Duration::from_millis(1), |_| {
            Err(CallFault::free(FaultKind::KeyRejected, "http://h does not take the key in K"))
        });
        open(&kit, &[remote("fake/one", 1)], &[("fake/one", &desk)], SpendingCaps::default()).await;
        let told = kit.services.router.call(call("fake/one", "e", 1)).await.err().unwrap();
        let expected = "fake/one: provider fake at http://h does not take the key in K";
        assert_eq!((told.kind, told.message.as_str()), (FaultKind::KeyRejected, expected));
        assert_eq!(desk.came().len(), 1);
    });
}

/// A call that has waited for money and finds no key free gives the money back. Calls of other
/// models use it in the meantime.
#[test]
fn who_waits_for_a_key_keeps_no_money_from_others() {
    in_test_system(Options::default(), |kit| async move {
        let fine = |seconds| Desk::new(Duration::from_secs(seconds), |_| Ok(Usage::of(10, 1)));
        let (slow, busy, healthy) = (fine(300), fine(500), fine(1));
        let mut narrow = remote("fake/busy", 1);
        narrow.concurrency = 1;
        let one = worst_case(&call("fake/busy", "e", 100).request).total();
        let money = |halves: u64| Some(Money::from_nanos(one * halves / 2));
        let caps =
            SpendingCaps { campaign: money(5), episode: money(3), ..SpendingCaps::default() };
        let models = [remote("fake/slow", 1), narrow, remote("fake/healthy", 1)];
        let desks = [("fake/slow", &slow), ("fake/busy", &busy), ("fake/healthy", &healthy)];
        open(&kit, &models, &desks, caps).await;
        let before = begin(&kit, call("fake/slow", "poor", 100));
        sleep(Duration::from_secs(1)).await;
        let waits = begin(&kit, call("fake/busy", "poor", 100));
        sleep(Duration::from_secs(1)).await;
        let occupies = begin(&kit, call("fake/busy", "rich", 100));
        before.await.unwrap().unwrap();
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        begin(&kit, call("fake/healthy", "other", 100)).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        occupies.await.unwrap().unwrap();
        waits.await.unwrap().unwrap();
        assert_eq!(busy.came(), ["rich", "poor"]);
        assert_eq!(kit.services.router.held(&CampaignName(CAMPAIGN.to_owned())), Money::ZERO);
    });
}

/// If keys and money are both scarce, every call gets both in the end.
#[test]
fn nobody_starves_between_a_narrow_key_and_a_narrow_budget() {
    in_test_system(Options::default(), |kit| async move {
        let fine = |seconds| Desk::new(Duration::from_secs(seconds), |_| Ok(Usage::of(0, 1)));
        let (busy, healthy) = (fine(3), fine(2));
        let mut narrow = remote("fake/busy", 1);
        narrow.concurrency = 1;
        let one = worst_case(&call("fake/busy", "e", 100).request).total();
        let caps = SpendingCaps {
            campaign: Some(Money::from_nanos(one * 5 / 2)),
            ..SpendingCaps::default()
        };
        let models = [narrow, remote("fake/healthy", 1)];
        open(&kit, &models, &[("fake/busy", &busy), ("fake/healthy", &healthy)], caps).await;
        let asked: Vec<_> = (0..60)
            .map(|n| {
                let model = if n % 2 == 0 { "fake/busy" } else { "fake/healthy" };
                begin(&kit, call(model, &format!("e{n}"), 100))
            })
            .collect();
        for call in asked {
            call.await.unwrap().unwrap();
        }
        assert_eq!((busy.came().len(), healthy.came().len()), (30, 30));
        assert_eq!(kit.services.router.held(&CampaignName(CAMPAIGN.to_owned())), Money::ZERO);
    });
}

/// Time that failed tries took is told apart: the record counts it, the agent's time does not.
#[test]
fn what_failed_tries_took_is_told_apart_from_the_answer() {
    in_test_system(Options::default(), |kit| async move {
        let tries = Arc::new(AtomicU32::new(0));
        let desk = Desk::new(Duration::from_secs(7), move |_| {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(CallFault::unknown(FaultKind::ModelTransient, "status 500")),
                _ => Ok(Usage::of(10, 1)),
            }
        });
        open(&kit, &[remote("fake/one", 1)], &[("fake/one", &desk)], SpendingCaps::default()).await;
        let told = kit.services.router.call(call("fake/one", "e", 1)).await.unwrap();
        let seconds = |time: Duration| time.as_secs_f64().round();
        assert_eq!((seconds(told.took), seconds(told.failed)), (7.0, 14.0));
    });
}

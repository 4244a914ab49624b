//! The money of whole calls: whatever is asked, retried, given up by the caller or cut off by a
//! crash, the journal never has less than was charged, and never more than a cap.

use super::{ModelCall, ModelClients};
use crate::model::{
    AttemptNumber, CallFault, CampaignName, ChatMessage, ChatReply, ChatRequest, ChatRole,
    EpisodeId, Fault, FaultKind, FinishReason, ModelConfig, Money, SpendingCaps, Usage, day_of,
};
use crate::policy::worst_case;
use crate::ports::{CallContext, ChatModel, Journal, ModelFactory};
use crate::supervisor::spawn;
use crate::testkit::{MemoryJournal, Options, in_test_system, priced};
use crate::work::EngineServices;
use async_trait::async_trait;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// What a provider does with a request.
#[derive(Clone, Copy, Debug)]
enum Service {
    /// Charges for so many percent of the worst case, and answers.
    Answer(u64),
    /// The same, and does not count its tokens.
    Uncounted(u64),
    /// Charges, and breaks off.
    Cut(u64),
    /// Charges, and never ends.
    Hang(u64),
    Refuse,
    TooOften,
    Die(u64),
}

/// Serves what comes in the order of its script, over and over, and counts what it charges.
struct Till {
    script: Vec<Service>,
    next: AtomicUsize,
    charged: Arc<AtomicU64>,
    died: Arc<AtomicUsize>,
    price: u64,
}

impl Till {
    fn charge(&self, request: &ChatRequest, percent: u64) -> Usage {
        let worst = worst_case(request);
        let part = |tokens: u64| tokens * percent / 100;
        let usage = Usage::of(part(worst.input_tokens), part(worst.output_tokens));
        self.charged.fetch_add(usage.total() * self.price, Ordering::SeqCst);
        usage
    }
}

#[async_trait]
impl ChatModel for Till {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(5 + u64::from(context.turn) % 7)).await;
        let reply = |usage| {
            ChatReply::new(ChatMessage::text(ChatRole::Assistant, "yes"), FinishReason::Stop, usage)
        };
        match self.script[number % self.script.len()] {
            Service::Answer(percent) => Ok(reply(self.charge(request, percent))),
            Service::Uncounted(percent) => {
                self.charge(request, percent);
                Ok(ChatReply { uncounted: true, ..reply(Usage::default()) })
            }
            Service::Cut(percent) => {
                self.charge(request, percent);
                Err(CallFault::unknown(FaultKind::ModelTransient, "cut"))
            }
            Service::Hang(percent) => {
                self.charge(request, percent);
                std::future::pending().await
            }
            Service::Refuse => Err(CallFault::free(FaultKind::ModelTransient, "not reached")),
            Service::TooOften => {
                let told = CallFault::free(FaultKind::ModelTransient, "status 429");
                Err(CallFault { rate_limited: true, ..told })
            }
            Service::Die(percent) => {
                self.charge(request, percent);
                self.died.fetch_add(1, Ordering::SeqCst);
                panic!("an adapter that panics");
            }
        }
    }
}

struct Tills(Mutex<Option<Till>>);

impl ModelFactory for Tills {
    fn model(&self, _: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        Ok(Arc::new(self.0.lock().unwrap().take().unwrap()))
    }
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let percent = || 0u64..=100;
    let service = prop_oneof![
        6 => percent().prop_map(Service::Answer),
        1 => percent().prop_map(Service::Uncounted),
        2 => percent().prop_map(Service::Cut),
        1 => percent().prop_map(Service::Hang),
        2 => Just(Service::Refuse),
        2 => Just(Service::TooOften),
        1 => percent().prop_map(Service::Die),
    ];
    prop::collection::vec(service, 1..20)
}

/// One who asks: in which episode, when, for how long.
#[derive(Clone, Debug)]
struct Asker {
    episode: u8,
    after_ms: u64,
    patience_ms: u64,
    words: usize,
}

fn askers() -> impl Strategy<Value = Vec<Asker>> {
    let asker = (0u8..4, 0u64..60, 1u64..3_000, 0usize..400).prop_map(
        |(episode, after_ms, patience_ms, words)| Asker { episode, after_ms, patience_ms, words },
    );
    prop::collection::vec(asker, 1..40)
}

const PRICE: u64 = 3;

struct Scene {
    services: EngineServices,
    journal: Arc<MemoryJournal>,
    name: CampaignName,
    caps: SpendingCaps,
    charged: Arc<AtomicU64>,
    died: Arc<AtomicUsize>,
    lives: AtomicUsize,
    script: Vec<Service>,
}

impl Scene {
    /// Opens the account as a start of the engine does: by what the journal says.
    async fn open(&self) {
        let till = Till {
            script: self.script.clone(),
            next: AtomicUsize::new(0),
            charged: self.charged.clone(),
            died: self.died.clone(),
            price: PRICE,
        };
        let factory = Tills(Mutex::new(Some(till)));
        let model = ModelClients::new(&priced("till/one", PRICE), &factory).unwrap();
        let today = day_of(self.services.clock.now_ms());
        let before = self.journal.spending(&self.name, today).await.unwrap();
        let router = &self.services.router;
        router.open(self.name.clone(), vec![model], self.caps.clone(), before).await.unwrap();
    }

    fn ask_all(self: &Arc<Self>, askers: &[Asker]) -> Vec<AbortOnDropHandle<()>> {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        let call = |(number, asker): (usize, &Asker)| {
            let (scene, asker) = (self.clone(), asker.clone());
            spawn("asker", async move { scene.ask(life * 100 + number, &asker).await })
        };
        askers.iter().enumerate().map(call).collect()
    }

    async fn ask(&self, number: usize, asker: &Asker) {
        sleep(Duration::from_millis(asker.after_ms)).await;
        let request = ChatRequest {
            messages: vec![ChatMessage::text(ChatRole::User, "w".repeat(asker.words))],
            tools: Vec::new(),
            max_output_tokens: 100,
            settings: Default::default(),
        };
        let call = ModelCall {
            campaign: self.name.clone(),
            attempt: AttemptNumber(1),
            model: "till/one".to_owned(),
            request: Arc::new(request),
            sample: 0,
            context: CallContext {
                episode: EpisodeId(format!("e{}", asker.episode)),
                script: None,
                turn: number as u32,
                retry: 0,
                recorder: Default::default(),
            },
            limit: Duration::from_secs(2),
        };
        // A caller whose patience is over drops the call.
        let patience = Duration::from_millis(asker.patience_ms);
        timeout(patience, self.services.router.call(call)).await.ok();
    }

    async fn check(&self) {
        let spent = self.journal.spent(&self.name).await.unwrap().nanos();
        let charged = self.charged.load(Ordering::SeqCst);
        assert!(spent >= charged, "{spent} are recorded of {charged}");
        let cap = self.caps.campaign.unwrap_or(Money::from_nanos(u64::MAX));
        assert!(self.journal.peak() <= cap, "{} of {cap}", self.journal.peak());
        let today = day_of(self.services.clock.now_ms());
        let spending = self.journal.spending(&self.name, today).await.unwrap();
        let most = self.caps.episode.unwrap_or(Money::from_nanos(u64::MAX));
        assert!(spending.episodes.values().all(|spent| *spent <= most), "{spending:?}");
        let model = self.caps.models.get("till/one").copied();
        assert!(spending.models.values().all(|spent| model.is_none_or(|most| *spent <= most)));
        assert!(self.caps.day.is_none_or(|most| spending.day.1 <= most));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Up to forty callers in each of nearly a hundred histories, each call up to five tries.
    #[test]
    fn whatever_happens_the_record_covers_what_was_charged(
        script in services(),
        askers in askers(),
        caps in prop::array::uniform4(prop::option::of(0u64..30_000)),
        crash_after_ms in prop::option::of(0u64..100),
    ) {
        let money = |cap: Option<u64>| cap.map(Money::from_nanos);
        let models = money(caps[3]).map(|cap| ("till/one".to_owned(), cap)).into_iter().collect();
        let caps = SpendingCaps { campaign: money(caps[0]), day: money(caps[1]), episode: money(caps[2]), models };
        in_test_system(Options::default(), move |kit| async move {
            let name = CampaignName("c".to_owned());
            let scene = Arc::new(Scene { services: kit.services.clone(), journal: kit.journal.clone(), name, caps, charged: Arc::default(), died: Arc::default(), lives: AtomicUsize::new(0), script });
            scene.open().await;
            if let Some(after) = crash_after_ms {
                // From then on every write fails, also those of calls in flight.
                let calls = scene.ask_all(&askers);
                sleep(Duration::from_millis(after)).await;
                scene.journal.break_down(true);
                join(calls).await;
                scene.services.router.wait_until_settled(&scene.name).await;
                scene.check().await;
                scene.journal.break_down(false);
                scene.open().await;
            }
            join(scene.ask_all(&askers)).await;
            scene.services.router.wait_until_settled(&scene.name).await;
            scene.check().await;
            if crash_after_ms.is_none() {
                assert_nothing_held(&scene);
            }
        });
    }
}

async fn join(calls: Vec<AbortOnDropHandle<()>>) {
    for call in calls {
        call.await.unwrap();
    }
}

/// Nothing is left held, in memory or in the record, but for calls whose adapter panicked: those
/// count in full in both.
fn assert_nothing_held(scene: &Scene) {
    assert_eq!(scene.services.router.held(&scene.name), Money::ZERO);
    assert_eq!(scene.journal.unsettled(), scene.died.load(Ordering::SeqCst));
}

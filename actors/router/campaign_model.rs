//! One model as one campaign uses it, through any of its keys. It is where calls wait for a key:
//! the calls of a model wait in one line, and the first of them gets a free key, its episode's own
//! key if possible.

use super::key_limiter::{CallPermit, KeyBlockReason, KeyLimiter, KeyStats};
use super::provider_limiter::ProviderLimiters;
use super::unanswered_calls::UnansweredCalls;
use crate::model::{
    CallFault, ChatReply, EpisodeId, Fault, FaultKind, ModelConfig, ProviderSign, Usage, digest_of,
};
use crate::policy::{LatencyRank, LatencyTracker, reserved};
use crate::ports::{ChatModel, ModelFactory};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// No call begins a wait for a rate limit that is longer than this. A longer wait needs a person's
/// decision.
pub(super) const MOST_WAITED: Duration = Duration::from_secs(30 * 60);
/// The assumed context in tokens, if the campaign does not state it. It is small, because a user's
/// own server often has a small context.
const SMALL_CONTEXT: u64 = 4_096;
/// A call that waits while all providers are down gives up after this many failed probes, times the
/// number of the model's keys. It does not matter with which keys the probes were made.
const PROBES: u64 = 5;

/// One model of one campaign, with the line of its calls.
pub(super) struct CampaignModel {
    pub(super) config: ModelConfig,
    /// One limiter for each key; at least one.
    key_limiters: Vec<Arc<KeyLimiter>>,
    /// Shared by all limiters of the engine: notified when a call ends anywhere.
    changed: Arc<Notify>,
    /// The line of calls that wait for a key. The lock is fair (first in, first out).
    line: tokio::sync::Mutex<()>,
    /// Tries that were sent, for status reports.
    pub(super) calls: AtomicU64,
    /// Tries that followed a failed try of the same call.
    pub(super) retries: AtomicU64,
    /// Tries that failed.
    pub(super) failures: AtomicU64,
    /// The recent latency, for least-latency assignment.
    pace: Mutex<LatencyTracker>,
    /// Calls in flight and failures in a row, for status reports.
    pub(super) unanswered: Arc<UnansweredCalls>,
    /// Whether the model has the abilities that the campaign needs.
    able: bool,
}

/// One model of a campaign in status reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    pub model: String,
    /// Tries that were sent.
    pub calls: u64,
    pub retries: u64,
    pub failures: u64,
    pub in_flight: usize,
    /// The moving average of recent calls, in which a failure of the provider counts as ten seconds
    /// at least. None before the first result.
    pub latency_ms: Option<u64>,
    /// One entry for each key.
    #[serde(rename = "ways")]
    pub key_limiters: Vec<KeyStats>,
}

/// A model with one adapter for each of its keys. A campaign prepares it and gives it to the
/// router.
#[derive(Clone)]
pub struct ModelClients {
    pub(super) config: ModelConfig,
    /// The adapter of each key, with the configuration that has only this key.
    key_limiters: Vec<(ModelConfig, Arc<dyn ChatModel>)>,
    able: bool,
}

impl ModelClients {
    /// Makes an adapter for each key. Err if the factory cannot make one, for example because a key
    /// is missing in the environment.
    pub fn new(config: &ModelConfig, factory: &dyn ModelFactory) -> Result<Self, Fault> {
        let key_limiters = config.with_each_key().into_iter().map(|alone| {
            let model = factory.model(&alone)?;
            Ok((alone, model))
        });
        Ok(Self {
            config: config.clone(),
            key_limiters: key_limiters.collect::<Result<_, Fault>>()?,
            able: true,
        })
    }

    /// Sets whether the model has the abilities that the campaign needs. A model without them is
    /// not chosen by least latency.
    pub fn able(self, able: bool) -> Self {
        Self { able, ..self }
    }
}

impl CampaignModel {
    /// The model of a campaign. Its provider limiters are shared with other campaigns.
    pub(super) fn new(clients: ModelClients, provider_limiters: &ProviderLimiters) -> Self {
        let key_limiter = |(config, model): (ModelConfig, Arc<dyn ChatModel>)| {
            let provider_limiter =
                config.endpoint.as_ref().map(|at| provider_limiters.of(config.provider(), at));
            Arc::new(KeyLimiter::new(
                &config,
                provider_limiter,
                model,
                provider_limiters.changed.clone(),
            ))
        };
        Self {
            config: clients.config,
            key_limiters: clients.key_limiters.into_iter().map(key_limiter).collect(),
            changed: provider_limiters.changed.clone(),
            line: tokio::sync::Mutex::default(),
            calls: AtomicU64::default(),
            retries: AtomicU64::default(),
            failures: AtomicU64::default(),
            pace: Mutex::default(),
            unanswered: Arc::default(),
            able: clients.able,
        }
    }

    /// Waits until one of the keys is free, and takes a permit. Calls get permits in the order in
    /// which they asked.
    ///
    /// An episode uses the same key as long as that key is free, because the provider's cache
    /// belongs to a key. If all providers are down, the call waits for probes and gives up after
    /// enough of them have failed since the call began to wait. It gives up at once if the provider
    /// is silent, or if `stands_ready` says that a fallback model is available. Err also if the
    /// wait would be longer than [`MOST_WAITED`].
    pub(super) async fn acquire_permit(
        &self,
        episode: &EpisodeId,
        tokens: u64,
        stands_ready: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<CallPermit, Fault> {
        let failed_before = self.probes_failed();
        let _first = self.line.lock().await;
        let home = self.home(episode);
        loop {
            // The wait is registered before the limits are checked, so that no change in between is
            // missed.
            let changed = self.changed.notified();
            let obstacles = match self.try_pass(home, tokens) {
                Ok(pass) => return Ok(pass),
                Err(obstacles) => obstacles,
            };
            if obstacles.iter().all(|blocked| matches!(blocked, KeyBlockReason::Down(_))) {
                self.give_up_after(failed_before, stands_ready())?;
            }
            let waits = || obstacles.iter().map(|blocked| blocked.wait().unwrap_or_default());
            if let Some(least) = waits().min().filter(|least| *least > MOST_WAITED) {
                return Err(self.too_long(least));
            }
            let wait = obstacles.iter().filter_map(KeyBlockReason::wait).min();
            let wait = wait.unwrap_or(MOST_WAITED).min(MOST_WAITED);
            tokio::select! { () = changed => {} () = sleep(wait) => {} }
        }
    }

    /// A permit if a key is free now, without waiting in the line. Only for a call that was the
    /// first in the line before.
    pub(super) fn free_pass(&self, episode: &EpisodeId, tokens: u64) -> Option<CallPermit> {
        self.try_pass(self.home(episode), tokens).ok()
    }

    /// A permit for the first free key, beginning with the episode's own key. Err has the reason
    /// for each key.
    fn try_pass(&self, home: usize, tokens: u64) -> Result<CallPermit, Vec<KeyBlockReason>> {
        let now = Instant::now();
        let mut obstacles = Vec::new();
        for key_limiter in self.key_limiters.iter().cycle().skip(home).take(self.key_limiters.len())
        {
            match key_limiter.try_acquire(tokens, now) {
                Ok(pass) => return Ok(pass),
                Err(blocked) => obstacles.push(blocked),
            }
        }
        Err(obstacles)
    }

    /// The index of the episode's own key: a hash of the episode, so that episodes are spread
    /// evenly over the keys.
    fn home(&self, episode: &EpisodeId) -> usize {
        if self.key_limiters.len() < 2 {
            return 0;
        }
        let digest = digest_of(&["key", episode.as_str()]);
        u64::from_str_radix(&digest[..15], 16).unwrap_or(0) as usize % self.key_limiters.len()
    }

    /// The number of failed probes of all providers of this model so far.
    fn probes_failed(&self) -> u64 {
        self.key_limiters.iter().map(|key_limiter| key_limiter.recent_failures().0).sum()
    }

    /// Whether the last failure of every provider was a silent call. Then nobody waits for the next
    /// probe, because it may take as long as the silent call.
    fn is_silent(&self) -> bool {
        let sign = |key_limiter: &Arc<KeyLimiter>| {
            key_limiter.recent_failures().1.map(|last| last.kind.policy().sign)
        };
        self.key_limiters.iter().all(|key_limiter| sign(key_limiter) == Some(ProviderSign::Silent))
    }

    /// Err if a call must not wait any longer for a provider that is down. `failed_before` is the
    /// number of failed probes when the call began to wait.
    fn give_up_after(&self, failed_before: u64, stands_ready: bool) -> Result<(), Fault> {
        let enough = PROBES * self.key_limiters.len() as u64;
        let failed = self.probes_failed() - failed_before;
        if failed < enough && !stands_ready && !self.is_silent() {
            return Ok(());
        }
        let last = self.key_limiters.iter().find_map(|key_limiter| key_limiter.recent_failures().1);
        // If a fallback is ready, the fault must be of a kind with a fallback. Otherwise it keeps
        // the kind of the last failure.
        let kind = last.as_ref().filter(|_| !stands_ready).map(|last| last.kind);
        let said = last.map_or_else(String::new, |last| format!(": {}", last.message));
        let what = format!("{} does not answer{said}", self.config.provider());
        Err(Fault::new(kind.unwrap_or(FaultKind::ModelTransient), what))
    }

    /// The fault of a wait that is longer than any call waits.
    fn too_long(&self, wait: Duration) -> Fault {
        let (name, wait) = (&self.config.name, wait.as_secs());
        let what = format!("{name} is asked too often, and asks to wait for {wait} s");
        Fault::new(FaultKind::ModelTransient, what)
    }

    /// Whether the conversation likely fills half of the model's context or more.
    pub(super) fn may_be_full(&self, worst: Usage) -> bool {
        let likely = reserved(Usage::of(worst.input_tokens, 0));
        likely >= self.config.context.unwrap_or(SMALL_CONTEXT) / 2
    }

    /// The time for which no key may be used. None if it is short enough that calls wait for it.
    pub(super) fn asks_to_wait(&self) -> Option<Duration> {
        let wait = |key_limiter: &Arc<KeyLimiter>| {
            Duration::from_millis(key_limiter.stats().wait_ms.unwrap_or_default())
        };
        self.key_limiters.iter().map(wait).min().filter(|least| *least > MOST_WAITED)
    }

    /// The index of a key. 0 for a limiter of another model.
    pub(super) fn number_of(&self, key_limiter: &Arc<KeyLimiter>) -> usize {
        self.key_limiters.iter().position(|own| Arc::ptr_eq(own, key_limiter)).unwrap_or_default()
    }

    /// Whether the providers of all keys are down and none of them admits a probe now.
    pub(super) fn is_down(&self) -> bool {
        let now = Instant::now();
        self.key_limiters.iter().all(|key_limiter| key_limiter.is_down(now))
    }

    /// Counts the result of a call that took this long.
    pub(super) fn answered(&self, reply: &Result<ChatReply, CallFault>, took: Duration) {
        self.unanswered.heard(reply);
        match reply {
            Ok(_) => self.latency_of().measured(took),
            Err(failure) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                if failure.fault.kind.policy().slows {
                    self.latency_of().failed(took);
                }
            }
        }
    }

    fn latency_of(&self) -> MutexGuard<'_, LatencyTracker> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moving average of [`ModelStats::latency_ms`].
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency_of().lately()
    }

    /// What is wrong with the model at the moment, with its name; none if nothing is.
    pub(super) fn warning(&self) -> Option<String> {
        let what = self.unanswered.warning(self.latency())?;
        Some(format!("{}: {what}", self.config.name))
    }

    /// The rank for least-latency assignment. A model that is down comes after all others.
    pub(super) fn rank(&self) -> (bool, LatencyRank) {
        (self.is_down(), self.latency_of().rank(Instant::now()))
    }

    /// Counts that a call is sent to this model because of its rank.
    pub(super) fn tried(&self) {
        self.latency_of().tried();
    }

    /// Whether least-latency assignment may choose this model: it has the needed abilities and is
    /// not a reserve.
    pub(super) fn is_able(&self) -> bool {
        self.able && !self.config.routing.reserve
    }

    /// The state for status reports.
    pub(super) fn stats(&self) -> ModelStats {
        let key_limiters: Vec<KeyStats> =
            self.key_limiters.iter().map(|key_limiter| key_limiter.stats()).collect();
        ModelStats {
            model: self.config.name.clone(),
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            in_flight: key_limiters.iter().map(|key_limiter| key_limiter.in_flight).sum(),
            latency_ms: self.latency().map(|latency| latency.as_millis() as u64),
            key_limiters,
        }
    }
}

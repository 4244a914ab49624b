//! One model of one campaign. A call uses a free key of the model.

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

/// If a wait would be longer than this, synthd does not wait: a person must look.
pub(super) const MOST_WAITED: Duration = Duration::from_secs(30 * 60);
/// The context of the user's own server, if the campaign does not state it.
const SMALL_CONTEXT: u64 = 4_096;
/// The number of failed probes after which a waiting call stops waiting.
const PROBES: u64 = 5;

pub(super) struct CampaignModel {
    pub(super) config: ModelConfig,
    key_limiters: Vec<Arc<KeyLimiter>>,
    changed: Arc<Notify>,
    /// The calls that want to leave wait in this line. The first call leaves first.
    line: tokio::sync::Mutex<()>,
    pub(super) calls: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) failures: AtomicU64,
    pace: Mutex<LatencyTracker>,
    pub(super) unanswered: Arc<UnansweredCalls>,
    /// Whether it can do what the campaign needs.
    able: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    pub model: String,
    pub calls: u64,
    pub retries: u64,
    pub failures: u64,
    pub in_flight: usize,
    /// The time of recent answers. None before the first answer.
    pub latency_ms: Option<u64>,
    /// One for each key.
    #[serde(rename = "ways")]
    pub key_limiters: Vec<KeyStats>,
}

/// A model with a way for each of its keys.
pub struct ModelClients {
    pub(super) config: ModelConfig,
    key_limiters: Vec<(ModelConfig, Arc<dyn ChatModel>)>,
    able: bool,
}

impl ModelClients {
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

    /// Whether it can do what the campaign needs, to be chosen for anything.
    pub fn able(self, able: bool) -> Self {
        Self { able, ..self }
    }
}

impl CampaignModel {
    pub(super) fn new(manned: ModelClients, provider_limiters: &ProviderLimiters) -> Self {
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
            config: manned.config,
            key_limiters: manned.key_limiters.into_iter().map(key_limiter).collect(),
            changed: provider_limiters.changed.clone(),
            line: tokio::sync::Mutex::default(),
            calls: AtomicU64::default(),
            retries: AtomicU64::default(),
            failures: AtomicU64::default(),
            pace: Mutex::default(),
            unanswered: Arc::default(),
            able: manned.able,
        }
    }

    /// Waits until one of its keys may be used, in the order in which it was wanted. An episode
    /// keeps to one key while it can: what its provider has cached is that key's. Who stands
    /// in the line gives up together with its head, once a provider that is down has failed
    /// often enough since he came; where it is silent or somebody else stands ready, at once.
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
            // Made before the look, so that no change in between is missed.
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

    /// A key that may be used at once, for a call that was once the first in the line.
    pub(super) fn free_pass(&self, episode: &EpisodeId, tokens: u64) -> Option<CallPermit> {
        self.try_pass(self.home(episode), tokens).ok()
    }

    /// The first key that is free, from the episode's own on; else what is in the way of each.
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

    fn home(&self, episode: &EpisodeId) -> usize {
        if self.key_limiters.len() < 2 {
            return 0;
        }
        let digest = digest_of(&["key", episode.as_str()]);
        u64::from_str_radix(&digest[..15], 16).unwrap_or(0) as usize % self.key_limiters.len()
    }

    fn probes_failed(&self) -> u64 {
        self.key_limiters.iter().map(|key_limiter| key_limiter.trouble().0).sum()
    }

    /// Whether nobody waits for the next probe: it may take as long as the silent calls before.
    fn is_silent(&self) -> bool {
        let sign = |key_limiter: &Arc<KeyLimiter>| {
            key_limiter.trouble().1.map(|last| last.kind.policy().sign)
        };
        self.key_limiters.iter().all(|key_limiter| sign(key_limiter) == Some(ProviderSign::Silent))
    }

    fn give_up_after(&self, failed_before: u64, stands_ready: bool) -> Result<(), Fault> {
        let enough = PROBES * self.key_limiters.len() as u64;
        let failed = self.probes_failed() - failed_before;
        if failed < enough && !stands_ready && !self.is_silent() {
            return Ok(());
        }
        let last = self.key_limiters.iter().find_map(|key_limiter| key_limiter.trouble().1);
        // The fault stays silence, unless another model is asked now.
        let kind = last.as_ref().filter(|_| !stands_ready).map(|last| last.kind);
        let said = last.map_or_else(String::new, |last| format!(": {}", last.message));
        let what = format!("{} does not answer{said}", self.config.provider());
        Err(Fault::new(kind.unwrap_or(FaultKind::ModelTransient), what))
    }

    fn too_long(&self, wait: Duration) -> Fault {
        let (name, wait) = (&self.config.name, wait.as_secs());
        let what = format!("{name} is asked too often, and asks to wait for {wait} s");
        Fault::new(FaultKind::ModelTransient, what)
    }

    /// Whether a conversation likely fills half of what the model reads.
    pub(super) fn may_be_full(&self, worst: Usage) -> bool {
        let likely = reserved(Usage::of(worst.input_tokens, 0));
        likely >= self.config.context.unwrap_or(SMALL_CONTEXT) / 2
    }

    /// How long no key may be used, if this is longer than any call waits.
    pub(super) fn asks_to_wait(&self) -> Option<Duration> {
        let wait = |key_limiter: &Arc<KeyLimiter>| {
            Duration::from_millis(key_limiter.stats().wait_ms.unwrap_or_default())
        };
        self.key_limiters.iter().map(wait).min().filter(|least| *least > MOST_WAITED)
    }

    pub(super) fn number_of(&self, key_limiter: &Arc<KeyLimiter>) -> usize {
        self.key_limiters.iter().position(|own| Arc::ptr_eq(own, key_limiter)).unwrap_or_default()
    }

    /// Whether none of its providers answers.
    pub(super) fn is_down(&self) -> bool {
        let now = Instant::now();
        self.key_limiters.iter().all(|key_limiter| key_limiter.is_down(now))
    }

    /// One that left so long ago was answered, or was not.
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

    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency_of().lately()
    }

    /// What is wrong with it at the moment, with its name.
    pub(super) fn trouble(&self) -> Option<String> {
        let what = self.unanswered.trouble(self.latency())?;
        Some(format!("{}: {what}", self.config.name))
    }

    /// Where it stands among those that could be asked, by how soon they answer.
    pub(super) fn rank(&self) -> (bool, LatencyRank) {
        (self.is_down(), self.latency_of().rank(Instant::now()))
    }

    /// It is asked because it may be the soonest.
    pub(super) fn tried(&self) {
        self.latency_of().tried();
    }

    pub(super) fn is_able(&self) -> bool {
        self.able && !self.config.standing.reserve
    }

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

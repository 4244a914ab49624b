//! The limiter of one model with one key: how many calls may be in flight, how many requests and
//! tokens a minute may be sent, and until when the provider wants no call.
//!
//! ```text
//!  call ─► asked to wait? ─► window ─► provider ─► tokens, requests a minute ─► permit
//!             │                │          │                  │
//!             └────────────────┴──────────┴── how long ◄─────┘
//! ```
//! A limiter never waits itself. It gives a permit at once, or the reason why not.
//! `campaign_model.rs` waits and asks again.

use super::key_rate_limiter::KeyRateLimiter;
use super::provider_limiter::{
    ProviderBlockReason, ProviderHealth, ProviderLimiter, ProviderPermit,
};
use crate::model::{CallFault, ChatReply, Fault, ModelConfig, ProviderSign};
use crate::policy::ConcurrencyWindow;
use crate::ports::ChatModel;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The limits of one model with one key.
pub(super) struct KeyLimiter {
    /// The limiter of the provider, shared with other models and campaigns. None for models of the
    /// engine's own, which have no provider.
    provider_limiter: Option<Arc<ProviderLimiter>>,
    /// The adapter that asks the model with this key.
    pub(super) model: Arc<dyn ChatModel>,
    /// Requests and tokens a minute.
    pace: KeyRateLimiter,
    state: Mutex<KeyLimiterState>,
    /// Shared by all limiters: wakes the calls that wait, and each tries again.
    changed: Arc<Notify>,
}

/// The changing part of a limiter.
struct KeyLimiterState {
    window: ConcurrencyWindow,
    /// Calls in flight.
    on_their_way: usize,
    /// The provider asked for no call before this time (retry after).
    not_before: Option<Instant>,
    /// How often the provider refused because of too many requests.
    too_often: u64,
}

/// Why no call can be sent with this key now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyBlockReason {
    /// Too many calls are in flight; one of them must end first.
    Crowded,
    /// A rate limit, or a time that the provider asked for. It is known how long to wait.
    For(Duration),
    /// The provider is down. The time until the next probe; none while a probe is in flight.
    Down(Option<Duration>),
}

impl From<ProviderBlockReason> for KeyBlockReason {
    fn from(shut: ProviderBlockReason) -> Self {
        match shut {
            ProviderBlockReason::Full => Self::Crowded,
            ProviderBlockReason::Down(wait) => Self::Down(wait),
        }
    }
}

impl KeyBlockReason {
    /// How long to wait, if it is known.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Crowded => None,
            Self::For(wait) => Some(*wait),
            Self::Down(wait) => *wait,
        }
    }
}

/// One key of a model in status reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStats {
    /// None for models of the engine's own.
    pub provider: Option<String>,
    /// Calls that were sent and have no answer yet.
    pub in_flight: usize,
    /// The present concurrency window.
    pub limit: usize,
    /// How often the provider refused because of too many requests.
    pub too_often: u64,
    /// The remaining time in which the provider wants no call.
    pub wait_ms: Option<u64>,
}

impl KeyLimiter {
    /// The limiter of a model whose `config` has at most one key. `changed` is shared by all
    /// limiters.
    pub(super) fn new(
        config: &ModelConfig,
        provider_limiter: Option<Arc<ProviderLimiter>>,
        model: Arc<dyn ChatModel>,
        changed: Arc<Notify>,
    ) -> Self {
        let window = ConcurrencyWindow::new(config.concurrency);
        Self {
            provider_limiter,
            model,
            pace: KeyRateLimiter::new(config.requests_per_minute, config.routing.tokens_per_minute),
            state: Mutex::new(KeyLimiterState {
                window,
                on_their_way: 0,
                not_before: None,
                too_often: 0,
            }),
            changed,
        }
    }

    fn state(&self) -> MutexGuard<'_, KeyLimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the provider and key for records; it does not contain the key.
    pub(super) fn provider(&self) -> Option<&str> {
        self.provider_limiter.as_ref().map(|provider_limiter| provider_limiter.name())
    }

    /// Whether the provider accepts no call now, not even a probe.
    pub(super) fn is_down(&self, now: Instant) -> bool {
        self.provider_limiter.as_ref().is_some_and(|provider_limiter| provider_limiter.is_down(now))
    }

    /// The number of failed probes of the provider so far, and its last failure.
    pub(super) fn recent_failures(&self) -> (u64, Option<Fault>) {
        self.provider_limiter
            .as_ref()
            .map_or((0, None), |provider_limiter| provider_limiter.recent_failures())
    }

    pub(super) fn stats(&self) -> KeyStats {
        let state = self.state();
        let wait = state.not_before.map(|at| at.saturating_duration_since(Instant::now()));
        KeyStats {
            provider: self.provider().map(str::to_owned),
            in_flight: state.on_their_way,
            limit: state.window.limit(),
            too_often: state.too_often,
            wait_ms: wait.filter(|wait| !wait.is_zero()).map(|w| w.as_millis() as u64),
        }
    }

    /// Takes a permit for a call that may use `tokens` tokens. Err if a limit blocks it; then no
    /// tokens and no place are taken.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        tokens: u64,
        now: Instant,
    ) -> Result<CallPermit, KeyBlockReason> {
        let mut state = self.state();
        if let Some(wait) = state.not_before.and_then(|at| at.checked_duration_since(now))
            && !wait.is_zero()
        {
            return Err(KeyBlockReason::For(wait));
        }
        if state.on_their_way >= state.window.limit() {
            return Err(KeyBlockReason::Crowded);
        }
        // The provider is checked before anything is taken, and its permit is taken last. Otherwise
        // a permit that is taken and given back at once would wake other calls without need.
        if let Some(shut) = self
            .provider_limiter
            .as_ref()
            .and_then(|provider_limiter| provider_limiter.block_reason(now))
        {
            return Err(shut.into());
        }
        let taken = self.pace.take(tokens, now).map_err(KeyBlockReason::For)?;
        let inside = self
            .provider_limiter
            .as_ref()
            .map(|provider_limiter| provider_limiter.try_acquire(now))
            .transpose();
        let inside = inside.map_err(|shut| {
            // Another call took the last place at the provider in the meantime.
            self.pace.unused(taken, now);
            KeyBlockReason::from(shut)
        })?;
        state.on_their_way += 1;
        Ok(CallPermit { key_limiter: self.clone(), inside, taken, began: now })
    }

    /// Adjusts the window and the time of the next call after the result of a call that was sent at
    /// `began`.
    fn hear(&self, began: Instant, reply: &Result<ChatReply, CallFault>) {
        let now = Instant::now();
        let mut state = self.state();
        match reply {
            Ok(_) => state.window.succeeded(),
            Err(failure) => {
                if failure.rate_limited {
                    let crowd = state.on_their_way;
                    state.window.refused(began, now, crowd);
                    state.too_often += 1;
                }
                if let Some(wait) = failure.retry_after {
                    state.not_before = state.not_before.max(now.checked_add(wait));
                }
            }
        }
    }
}

/// What a result says about the health of the provider.
fn health(reply: &Result<ChatReply, CallFault>) -> ProviderHealth {
    let Err(failure) = reply else { return ProviderHealth::Answers };
    match failure.fault.kind.policy().sign {
        // A provider that answers with a rate limit works.
        ProviderSign::Fails if failure.rate_limited => ProviderHealth::Answers,
        ProviderSign::Fails => ProviderHealth::Fails(failure.fault.clone()),
        ProviderSign::Silent => ProviderHealth::Silent(failure.fault.clone()),
        ProviderSign::Nothing => ProviderHealth::Unknown,
        ProviderSign::Answers => ProviderHealth::Answers,
    }
}

/// The permission to send one call. If it is dropped without a report, the call counts as unknown:
/// it says nothing about the provider, and its tokens are not given back.
pub(super) struct CallPermit {
    key_limiter: Arc<KeyLimiter>,
    /// The permit of the provider, if there is one.
    inside: Option<ProviderPermit>,
    /// The tokens taken from the token limit.
    taken: u64,
    /// When the permit was given.
    began: Instant,
}

impl CallPermit {
    /// The limiter that gave the permit.
    pub(super) fn key_limiter(&self) -> &Arc<KeyLimiter> {
        &self.key_limiter
    }

    /// Gives the permit back for a call that was never sent. Its tokens and its request go back.
    pub(super) fn unused(self) {
        self.key_limiter.pace.unused(self.taken, Instant::now());
    }

    /// Ends the permit with the result of the call. If there is an answer with counted tokens,
    /// those that were not used are given back. A failed call gives back none.
    pub(super) fn heard(mut self, reply: &Result<ChatReply, CallFault>) {
        self.key_limiter.hear(self.began, reply);
        if let Ok(reply) = reply
            && !reply.uncounted
        {
            self.key_limiter.pace.settle(self.taken, reply.usage.total(), Instant::now());
        }
        if let Some(inside) = self.inside.take() {
            inside.report(health(reply));
        }
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.key_limiter.state().on_their_way -= 1;
        self.key_limiter.changed.notify_waiters();
    }
}

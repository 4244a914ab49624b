//! A model with one key: how many calls may be open, how often calls may leave, and until when the
//! provider wants no call.
//!
//! ```text
//!  call ─► asked to wait? ─► window ─► provider (lane) ─► tokens, requests a minute ─► Pass
//!             │                │            │                    │
//!             └────────────────┴────────────┴── how long ◄───────┘
//! ```

use super::provider_limiter::{
    ProviderBlockReason, ProviderHealth, ProviderLimiter, ProviderPermit,
};
use super::rate_limiter::KeyRateLimiter;
use crate::model::{CallFault, ChatReply, Fault, ModelConfig, ProviderSign};
use crate::policy::ConcurrencyWindow;
use crate::ports::ChatModel;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) struct KeyLimiter {
    /// None for models of the engine's own, which have no provider that could fail.
    provider_limiter: Option<Arc<ProviderLimiter>>,
    pub(super) model: Arc<dyn ChatModel>,
    pace: KeyRateLimiter,
    state: Mutex<KeyLimiterState>,
    /// Shared by all ways: wakes the waiting calls, which then look again.
    changed: Arc<Notify>,
}

struct KeyLimiterState {
    window: ConcurrencyWindow,
    on_their_way: usize,
    /// What the provider said.
    not_before: Option<Instant>,
    too_often: u64,
}

/// Why a call cannot leave this way now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyBlockReason {
    /// Until others have come back.
    Crowded,
    For(Duration),
    /// The provider does not answer; until the next probe.
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
    /// How long, where that is known.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Crowded => None,
            Self::For(wait) => Some(*wait),
            Self::Down(wait) => *wait,
        }
    }
}

/// A way at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStats {
    /// None for models of the engine's own.
    pub provider: Option<String>,
    pub in_flight: usize,
    /// Calls at once, as far as the provider bears them.
    pub limit: usize,
    /// How often it said that calls come too often.
    pub too_often: u64,
    /// The time for which the provider wants no call.
    pub wait_ms: Option<u64>,
}

impl KeyLimiter {
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
            pace: KeyRateLimiter::new(
                config.requests_per_minute,
                config.standing.tokens_per_minute,
            ),
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

    pub(super) fn provider(&self) -> Option<&str> {
        self.provider_limiter.as_ref().map(|provider_limiter| provider_limiter.name())
    }

    pub(super) fn is_down(&self, now: Instant) -> bool {
        self.provider_limiter.as_ref().is_some_and(|provider_limiter| provider_limiter.is_down(now))
    }

    /// How many probes of its provider have failed so far, and what the last failure was.
    pub(super) fn trouble(&self) -> (u64, Option<Fault>) {
        self.provider_limiter
            .as_ref()
            .map_or((0, None), |provider_limiter| provider_limiter.trouble())
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

    /// One call more that may use so many tokens, unless something is in its way.
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
        // The lane is checked before anything is taken and entered last: a call that leaves a
        // lane wakes the others.
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
            self.pace.settle(taken, 0, now);
            KeyBlockReason::from(shut)
        })?;
        state.on_their_way += 1;
        Ok(CallPermit { key_limiter: self.clone(), inside, taken, began: now })
    }

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

/// What a reply tells of its provider.
fn health(reply: &Result<ChatReply, CallFault>) -> ProviderHealth {
    let Err(failure) = reply else { return ProviderHealth::Answers };
    match failure.fault.kind.policy().sign {
        // It says when to come back.
        ProviderSign::Fails if failure.rate_limited => ProviderHealth::Answers,
        ProviderSign::Fails => ProviderHealth::Fails(failure.fault.clone()),
        ProviderSign::Silent => ProviderHealth::Silent(failure.fault.clone()),
        ProviderSign::Nothing => ProviderHealth::Unknown,
        ProviderSign::Answers => ProviderHealth::Answers,
    }
}

/// A call that may leave. Dropped, it has said nothing and used all it had taken.
pub(super) struct CallPermit {
    key_limiter: Arc<KeyLimiter>,
    inside: Option<ProviderPermit>,
    taken: u64,
    began: Instant,
}

impl CallPermit {
    pub(super) fn key_limiter(&self) -> &Arc<KeyLimiter> {
        &self.key_limiter
    }

    /// It never left, and none of what it had taken was used.
    pub(super) fn unused(self) {
        self.key_limiter.pace.settle(self.taken, 0, Instant::now());
    }

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

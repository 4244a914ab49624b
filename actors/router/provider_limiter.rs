//! A provider as one key reaches it, whichever campaign and model: how many calls are on their
//! way, and whether it answers at all.
//!
//! ```text
//!  closed ──failures in a row──► open ──cool-down──► one probe ──answered──► closed
//!                                 ▲                      │
//!                                 └───────failed─────────┘
//! ```

use crate::model::{Fault, ProviderEndpoint};
use crate::policy::{BreakerAdmission, CircuitBreaker};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// After this number of failures in a row, the provider counts as down.
const FAILURES: u32 = 8;
/// A call that was not answered in all the time it may take says more than one that failed at once:
/// three of them in a row are enough.
const SILENCE: u32 = 3;
const COOL_DOWN: Duration = Duration::from_millis(500);

pub(super) struct ProviderLimiter {
    name: String,
    state: Mutex<ProviderLimiterState>,
    /// Shared by all lanes: wakes the waiting calls, which then look again.
    changed: Arc<Notify>,
}

struct ProviderLimiterState {
    most: usize,
    breaker: CircuitBreaker,
    on_their_way: usize,
    probes_failed: u64,
    last: Option<Fault>,
}

impl ProviderLimiterState {
    /// A failure, which counts for so many where it was no probe.
    fn failed(&mut self, now: Instant, what: BreakerAdmission, weight: u32, fault: Fault) {
        let times = if what == BreakerAdmission::Probe { 1 } else { weight };
        (0..times).for_each(|_| self.breaker.failed(now, what));
        self.probes_failed += u64::from(what == BreakerAdmission::Probe);
        self.last = Some(fault);
    }
}

/// Why a lane takes no call now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProviderBlockReason {
    /// As many are on their way as may be.
    Full,
    /// It does not answer; the time of the next probe, unless that is out.
    Down(Option<Duration>),
}

/// A lane at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderStats {
    /// The provider's address, and the variable that holds the key.
    pub provider: String,
    pub in_flight: usize,
    /// None where nothing bounds it.
    pub limit: Option<usize>,
    /// Whether it has failed so often that it is only probed.
    pub down: bool,
    pub last_failure: Option<String>,
}

impl ProviderLimiter {
    fn new(name: String, changed: Arc<Notify>) -> Self {
        let breaker = CircuitBreaker::new(FAILURES, COOL_DOWN);
        let state = ProviderLimiterState {
            most: usize::MAX,
            breaker,
            on_their_way: 0,
            probes_failed: 0,
            last: None,
        };
        Self { name, state: Mutex::new(state), changed }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, ProviderLimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What would keep a call from entering.
    pub(super) fn block_reason(&self, now: Instant) -> Option<ProviderBlockReason> {
        let state = self.state();
        if state.on_their_way >= state.most {
            return Some(ProviderBlockReason::Full);
        }
        (!state.breaker.admits(now)).then(|| ProviderBlockReason::Down(state.breaker.wait(now)))
    }

    /// One call more, unless it is shut.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        now: Instant,
    ) -> Result<ProviderPermit, ProviderBlockReason> {
        let mut state = self.state();
        if state.on_their_way >= state.most {
            return Err(ProviderBlockReason::Full);
        }
        let what = state.breaker.admit(now);
        let what = what.ok_or_else(|| ProviderBlockReason::Down(state.breaker.wait(now)))?;
        state.on_their_way += 1;
        Ok(ProviderPermit { provider_limiter: self.clone(), what, told: false })
    }

    /// How many probes have failed in its life, and what the last failure was.
    pub(super) fn trouble(&self) -> (u64, Option<Fault>) {
        let state = self.state();
        (state.probes_failed, state.last.clone())
    }

    /// Whether nothing can be asked of it now, not even by a probe.
    pub(super) fn is_down(&self, now: Instant) -> bool {
        !self.state().breaker.admits(now)
    }

    fn stats(&self) -> ProviderStats {
        let state = self.state();
        let down = state.breaker.is_open();
        ProviderStats {
            provider: self.name.clone(),
            in_flight: state.on_their_way,
            limit: Some(state.most).filter(|most| *most < usize::MAX),
            down,
            last_failure: state.last.as_ref().filter(|_| down).map(ToString::to_string),
        }
    }
}

/// What a call tells of the provider's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProviderHealth {
    Answers,
    Fails(Fault),
    /// The provider had not answered when the time of the call was up.
    Silent(Fault),
    /// It was not heard out.
    Unknown,
}

/// A call on its way. Dropped, it says nothing.
pub(super) struct ProviderPermit {
    provider_limiter: Arc<ProviderLimiter>,
    what: BreakerAdmission,
    told: bool,
}

impl ProviderPermit {
    pub(super) fn report(mut self, health: ProviderHealth) {
        let now = Instant::now();
        let mut state = self.provider_limiter.state();
        match health {
            ProviderHealth::Answers => state.breaker.succeeded(),
            ProviderHealth::Unknown => state.breaker.abandoned(self.what),
            ProviderHealth::Fails(fault) => state.failed(now, self.what, 1, fault),
            ProviderHealth::Silent(fault) => state.failed(now, self.what, SILENCE, fault),
        }
        drop(state);
        self.told = true;
    }
}

impl Drop for ProviderPermit {
    fn drop(&mut self) {
        let mut state = self.provider_limiter.state();
        if !self.told {
            state.breaker.abandoned(self.what);
        }
        state.on_their_way -= 1;
        drop(state);
        self.provider_limiter.changed.notify_waiters();
    }
}

/// A provider's address, and the variable with the key.
type LimiterKey = (String, Option<String>);

/// All lanes of the engine.
#[derive(Clone, Default)]
pub(super) struct ProviderLimiters {
    known: Arc<Mutex<HashMap<LimiterKey, Arc<ProviderLimiter>>>>,
    pub(super) changed: Arc<Notify>,
}

impl ProviderLimiters {
    /// The lane of an endpoint with a single key, shared by all who reach it so. The newest to
    /// say how many calls it bears is believed.
    pub(super) fn of(&self, provider: &str, endpoint: &ProviderEndpoint) -> Arc<ProviderLimiter> {
        let key = (endpoint.base_url.clone(), endpoint.key_env.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let provider_limiter = known.entry(key).or_insert_with(|| {
            let name = match &endpoint.key_env {
                Some(variable) => format!("{provider} {variable}"),
                None => format!("{provider} {}", endpoint.base_url),
            };
            Arc::new(ProviderLimiter::new(name, self.changed.clone()))
        });
        if let Some(most) = endpoint.concurrency {
            provider_limiter.state().most = most;
        }
        provider_limiter.clone()
    }

    pub(super) fn stats(&self) -> Vec<ProviderStats> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stats: Vec<ProviderStats> =
            known.values().map(|provider_limiter| provider_limiter.stats()).collect();
        stats.sort_by(|a, b| a.provider.cmp(&b.provider));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;

    fn provider_limiter(most: Option<usize>) -> Arc<ProviderLimiter> {
        let endpoint = ProviderEndpoint {
            concurrency: most,
            ..ProviderEndpoint::new("openai", "http://h", None)
        };
        ProviderLimiters::default().of("p", &endpoint)
    }

    fn fails() -> ProviderHealth {
        ProviderHealth::Fails(Fault::new(FaultKind::ModelTransient, "status 500"))
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_decides_whether_it_is_back() {
        let provider_limiter = provider_limiter(None);
        for _ in 0..FAILURES {
            provider_limiter.try_acquire(Instant::now()).unwrap().report(fails());
        }
        assert_eq!(
            provider_limiter.try_acquire(Instant::now()).err(),
            Some(ProviderBlockReason::Down(Some(COOL_DOWN)))
        );
        tokio::time::advance(COOL_DOWN).await;
        let probe = provider_limiter.try_acquire(Instant::now()).unwrap();
        assert_eq!(
            provider_limiter.try_acquire(Instant::now()).err(),
            Some(ProviderBlockReason::Down(None))
        );
        // Nobody waits for this call any more. Another call takes its place at once.
        drop(probe);
        provider_limiter.try_acquire(Instant::now()).unwrap().report(fails());
        assert_eq!(provider_limiter.trouble().0, 1);
        assert!(provider_limiter.stats().down);
        tokio::time::advance(COOL_DOWN * 2).await;
        provider_limiter.try_acquire(Instant::now()).unwrap().report(ProviderHealth::Answers);
        assert!(!provider_limiter.stats().down);
        assert!(
            provider_limiter.try_acquire(Instant::now()).is_ok()
                && provider_limiter.try_acquire(Instant::now()).is_ok()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_outage_sooner_than_failures_are() {
        let silent = || ProviderHealth::Silent(Fault::new(FaultKind::OutOfTime, "no word"));
        let provider_limiter = provider_limiter(None);
        for calls in 0..3 {
            assert!(!provider_limiter.stats().down, "{calls}");
            provider_limiter.try_acquire(Instant::now()).unwrap().report(silent());
        }
        assert!(provider_limiter.stats().down);
        assert_eq!(provider_limiter.trouble().0, 0);
        tokio::time::advance(COOL_DOWN).await;
        provider_limiter.try_acquire(Instant::now()).unwrap().report(silent());
        assert_eq!(provider_limiter.trouble().0, 1);
        tokio::time::advance(COOL_DOWN * 2).await;
        provider_limiter.try_acquire(Instant::now()).unwrap().report(ProviderHealth::Answers);
        provider_limiter.try_acquire(Instant::now()).unwrap().report(silent());
        assert!(!provider_limiter.stats().down, "one answer ends it");
    }

    #[tokio::test]
    async fn no_more_than_it_bears_are_on_their_way() {
        let provider_limiter = provider_limiter(Some(2));
        let (first, _second) = (
            provider_limiter.try_acquire(Instant::now()),
            provider_limiter.try_acquire(Instant::now()),
        );
        assert_eq!(
            provider_limiter.try_acquire(Instant::now()).err(),
            Some(ProviderBlockReason::Full)
        );
        drop(first);
        assert!(provider_limiter.try_acquire(Instant::now()).is_ok());
    }
}

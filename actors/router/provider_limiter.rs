//! The limiter of one provider address with one key, over all campaigns and models: how many calls
//! may be in flight, and whether the provider answers at all (circuit breaker).
//!
//! ```text
//!  closed ──failures in a row──► open ──cool-down──► one probe ──answered──► closed
//!                                 ▲                      │
//!                                 └───────failed─────────┘
//! ```
//! Two campaigns with the same key share the limits of the provider, so they share this limiter.

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
/// A silent call (one that reached its timeout) counts as this many failures, so three silent calls
/// in a row are enough. It costs minutes to find out, and it says more than a failure that comes at
/// once.
const SILENCE: u32 = 3;
/// The time until the first probe after the provider went down. It doubles with each failed probe.
const COOL_DOWN: Duration = Duration::from_millis(500);

/// The limits of one provider address with one key.
pub(super) struct ProviderLimiter {
    /// The provider with the environment variable of the key, or with its address if there is no
    /// key. For records and reports.
    name: String,
    state: Mutex<ProviderLimiterState>,
    /// Shared by all limiters: wakes the calls that wait, and each tries again.
    changed: Arc<Notify>,
}

/// The changing part of a limiter.
struct ProviderLimiterState {
    /// The most calls in flight.
    most: usize,
    breaker: CircuitBreaker,
    /// Calls in flight.
    on_their_way: usize,
    /// Failed probes since the limiter was made. A waiting call compares the number to find out how
    /// many have failed since it began to wait.
    probes_failed: u64,
    /// The last failure.
    last: Option<Fault>,
}

impl ProviderLimiterState {
    /// Counts a failure. A failure that was not a probe counts `weight` times. A call from before
    /// the last change of the breaker counts for nothing.
    fn failed(&mut self, now: Instant, what: BreakerAdmission, weight: u32, fault: Fault) {
        if !self.breaker.failed(now, what) {
            return;
        }
        let more = if what.is_probe() { 1 } else { weight };
        (1..more).for_each(|_| {
            self.breaker.failed(now, what);
        });
        self.probes_failed += u64::from(what.is_probe());
        self.last = Some(fault);
    }
}

/// Why no call can be sent to the provider now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProviderBlockReason {
    /// The most calls are in flight.
    Full,
    /// The provider is down. The time until the next probe; none while a probe is in flight.
    Down(Option<Duration>),
}

/// One provider with one key in status reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderStats {
    /// The provider with the variable that holds the key, or with its address if there is no key.
    pub provider: String,
    /// Calls that were sent and have no answer yet, over all campaigns.
    pub in_flight: usize,
    /// The most calls in flight; none if nothing limits them.
    pub limit: Option<usize>,
    /// Whether the provider counts as down, so that only probes are sent.
    pub down: bool,
    /// The last failure; only while the provider is down.
    pub last_failure: Option<String>,
}

impl ProviderLimiter {
    /// A limiter for a provider that counts as healthy, without a limit of calls.
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

    /// The name for records and reports; it does not contain the key.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, ProviderLimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a call could not be sent now; none if it could. It takes nothing.
    pub(super) fn block_reason(&self, now: Instant) -> Option<ProviderBlockReason> {
        let state = self.state();
        if state.on_their_way >= state.most {
            return Some(ProviderBlockReason::Full);
        }
        (!state.breaker.admits(now)).then(|| ProviderBlockReason::Down(state.breaker.wait(now)))
    }

    /// Takes a permit for one call. If the breaker is open and a probe is due, the call becomes the
    /// probe.
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

    /// The number of failed probes so far, and the last failure.
    pub(super) fn recent_failures(&self) -> (u64, Option<Fault>) {
        let state = self.state();
        (state.probes_failed, state.last.clone())
    }

    /// Whether the circuit breaker admits no call now, not even as a probe.
    pub(super) fn is_down(&self, now: Instant) -> bool {
        !self.state().breaker.admits(now)
    }

    /// The state for status reports.
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

/// What the result of a call says about the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProviderHealth {
    /// It works.
    Answers,
    /// A failure.
    Fails(Fault),
    /// It had not answered when the timeout of the call was reached.
    Silent(Fault),
    /// Nothing, because the call was not sent or not finished.
    Unknown,
}

/// The permission to send one call to the provider. If it is dropped without a report, the call
/// says nothing about the provider; if it was the probe, another call may become the probe.
pub(super) struct ProviderPermit {
    provider_limiter: Arc<ProviderLimiter>,
    /// Whether the call is the probe.
    what: BreakerAdmission,
    /// Whether the result was reported.
    told: bool,
}

impl ProviderPermit {
    /// Reports what the result says about the provider, and ends the permit.
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

/// The base URL, and the environment variable of the key.
type LimiterKey = (String, Option<String>);

/// All provider limiters of the engine.
#[derive(Clone, Default)]
pub(super) struct ProviderLimiters {
    known: Arc<Mutex<HashMap<LimiterKey, Arc<ProviderLimiter>>>>,
    /// Notified whenever a call ends anywhere, so that waiting calls try again.
    pub(super) changed: Arc<Notify>,
}

impl ProviderLimiters {
    /// The limiter for an endpoint with at most one key. Everyone with the same address and key
    /// gets the same limiter. If endpoints name different limits of calls, the newest one applies.
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

    /// The state of all providers, sorted by name.
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
        assert_eq!(provider_limiter.recent_failures().0, 1);
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
        assert_eq!(provider_limiter.recent_failures().0, 0);
        tokio::time::advance(COOL_DOWN).await;
        provider_limiter.try_acquire(Instant::now()).unwrap().report(silent());
        assert_eq!(provider_limiter.recent_failures().0, 1);
        tokio::time::advance(COOL_DOWN * 2).await;
        provider_limiter.try_acquire(Instant::now()).unwrap().report(ProviderHealth::Answers);
        provider_limiter.try_acquire(Instant::now()).unwrap().report(silent());
        assert!(!provider_limiter.stats().down, "one answer ends it");
    }

    /// Calls that were under way when the provider went down say nothing of it once it is back.
    #[tokio::test(start_paused = true)]
    async fn failures_of_an_outage_that_is_over_begin_no_other() {
        let provider_limiter = provider_limiter(None);
        let permit = || provider_limiter.try_acquire(Instant::now()).unwrap();
        let slow: Vec<_> = (0..FAILURES).map(|_| permit()).collect();
        (0..FAILURES).for_each(|_| permit().report(fails()));
        tokio::time::advance(COOL_DOWN).await;
        permit().report(ProviderHealth::Answers);
        slow.into_iter().for_each(|permit| permit.report(fails()));
        assert!(!provider_limiter.stats().down);
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

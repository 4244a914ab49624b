//! A circuit breaker for something that can fail for everybody at once: a provider, or a sandbox
//! backend. After several failures in a row, or after one failure that proves that it is down, the
//! breaker refuses all tries for a while (the cool-down). Then it admits one try as a probe, and
//! the result of the probe decides.
//!
//! ```text
//!  closed ──N failures──► open ──cool-down──► probing ──success──► closed
//!                          ▲                     │
//!                          └──────failure────────┘  (cool-down doubles, capped)
//! ```
//! The caller reports the result of each admitted try with `succeeded`, `failed`, `tripped` or
//! `abandoned`. The breaker has no clock; the caller passes the time.

use std::time::Duration;
use tokio::time::Instant;

/// The state of a breaker. It is open while `open_until` is set, also while a probe runs.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    /// The number of failures in a row that opens it.
    threshold: u32,
    /// The time until the first probe. It doubles with each failed probe.
    cool_down: Duration,
    /// Failures in a row, failed probes included.
    failures: u32,
    /// When a probe may be admitted; none while the breaker is closed.
    open_until: Option<Instant>,
    /// Whether a probe was admitted and has not been reported yet.
    probing: bool,
}

/// How a try was admitted. The caller passes it back with the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerAdmission {
    /// The breaker was closed.
    Plain,
    /// The breaker was open, and this try decides whether it closes.
    Probe,
}

/// The longest cool-down after ordinary failures.
const MAX_COOL_DOWN: Duration = Duration::from_secs(30);
/// The longest cool-down if the other side is known to be down. It is shorter, because somebody may
/// repair it at any time.
const MAX_COOL_DOWN_TRIPPED: Duration = Duration::from_secs(5);

impl CircuitBreaker {
    /// A closed breaker.
    pub fn new(threshold: u32, cool_down: Duration) -> Self {
        Self { threshold, cool_down, failures: 0, open_until: None, probing: false }
    }

    /// Whether [`Self::admit`] would admit a try. It changes nothing.
    pub fn admits(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until && !self.probing)
    }

    /// Admits a try, or not. None means that the try must not be made now.
    pub fn admit(&mut self, now: Instant) -> Option<BreakerAdmission> {
        match self.open_until {
            None => Some(BreakerAdmission::Plain),
            Some(until) if now >= until && !self.probing => {
                self.probing = true;
                Some(BreakerAdmission::Probe)
            }
            Some(_) => None,
        }
    }

    /// The time until a try may be admitted. None while the breaker is closed, or while a probe
    /// runs.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let until = self.open_until.filter(|_| !self.probing)?;
        Some(until.saturating_duration_since(now))
    }

    /// Reports a success. It closes the breaker, whichever try it was.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.open_until = None;
        self.probing = false;
    }

    /// Reports a try that ended without any result, for example because it was cancelled. If it was
    /// the probe, the next try becomes the probe.
    pub fn abandoned(&mut self, what: BreakerAdmission) {
        self.probing &= what != BreakerAdmission::Probe;
    }

    /// Reports a failure. While the breaker is open, a try that was admitted before it opened
    /// changes nothing, because only the probe decides.
    pub fn failed(&mut self, now: Instant, what: BreakerAdmission) {
        if self.is_open() && what == BreakerAdmission::Plain {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        if self.failures >= self.threshold {
            self.open(now, MAX_COOL_DOWN);
        }
    }

    /// Reports a failure that proves that the other side is down. It opens the breaker at once.
    pub fn tripped(&mut self, now: Instant, what: BreakerAdmission) {
        if self.is_open() && what == BreakerAdmission::Plain {
            return;
        }
        self.failures = self.failures.saturating_add(1).max(self.threshold);
        self.probing = false;
        self.open(now, MAX_COOL_DOWN_TRIPPED);
    }

    /// Opens the breaker. The cool-down doubles with each failure above the threshold, but is at
    /// most `most`.
    fn open(&mut self, now: Instant, most: Duration) {
        let doublings = (self.failures - self.threshold).min(10);
        self.open_until = Some(now + (self.cool_down * 2_u32.pow(doublings)).min(most));
    }

    /// Whether only probes are admitted.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trip_opens_it_and_probes_never_grow_rare() {
        let mut now = Instant::now();
        let mut breaker = CircuitBreaker::new(8, Duration::from_millis(500));
        breaker.tripped(now, BreakerAdmission::Plain);
        for _ in 0..20 {
            assert_eq!(breaker.admit(now), None);
            assert!(breaker.wait(now).is_some_and(|wait| wait <= Duration::from_secs(5)));
            now += Duration::from_secs(5);
            assert!(breaker.admits(now));
            assert_eq!(breaker.admit(now), Some(BreakerAdmission::Probe));
            assert!(!breaker.admits(now));
            breaker.tripped(now, BreakerAdmission::Probe);
        }
        breaker.succeeded();
        assert_eq!(breaker.admit(now), Some(BreakerAdmission::Plain));
    }

    #[test]
    fn opens_probes_and_closes() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut breaker = CircuitBreaker::new(2, second);
        breaker.failed(start, BreakerAdmission::Plain);
        assert_eq!(breaker.admit(start), Some(BreakerAdmission::Plain));
        breaker.failed(start, BreakerAdmission::Plain);
        assert_eq!(breaker.admit(start), None);
        assert_eq!(breaker.admit(start + second), Some(BreakerAdmission::Probe));
        assert_eq!(breaker.admit(start + second), None, "one probe at a time");
        breaker.failed(start + second, BreakerAdmission::Plain);
        assert_eq!(breaker.admit(start + second), None, "a straggler is not the probe");
        breaker.failed(start + second, BreakerAdmission::Probe);
        assert_eq!(breaker.admit(start + 2 * second), None, "the cool-down has doubled");
        assert_eq!(breaker.admit(start + 3 * second), Some(BreakerAdmission::Probe));
        breaker.abandoned(BreakerAdmission::Plain);
        assert_eq!(breaker.admit(start + 3 * second), None, "the probe is still out");
        breaker.abandoned(BreakerAdmission::Probe);
        assert_eq!(breaker.admit(start + 3 * second), Some(BreakerAdmission::Probe));
        breaker.succeeded();
        assert_eq!(breaker.admit(start), Some(BreakerAdmission::Plain));
    }
}

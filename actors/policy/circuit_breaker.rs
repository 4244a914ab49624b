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
//! `abandoned`. A failure counts only in the state in which its try was admitted: a try from before
//! an outage decides no later probe. The breaker has no clock; the caller passes the time.

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
    /// How often it has opened or closed.
    changes: u64,
}

/// How a try was admitted. The caller passes it back with the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerAdmission {
    /// Whether the breaker was open, so that this try decides whether it closes.
    is_probe: bool,
    /// How often the breaker had opened or closed.
    changes: u64,
}

impl BreakerAdmission {
    /// Whether the breaker was open, so that this try decides whether it closes.
    pub fn is_probe(self) -> bool {
        self.is_probe
    }
}

/// The longest cool-down after ordinary failures.
const MAX_COOL_DOWN: Duration = Duration::from_secs(30);
/// The longest cool-down if the other side is known to be down. It is shorter, because somebody may
/// repair it at any time.
const MAX_COOL_DOWN_TRIPPED: Duration = Duration::from_secs(5);

impl CircuitBreaker {
    /// A closed breaker.
    pub fn new(threshold: u32, cool_down: Duration) -> Self {
        Self { threshold, cool_down, failures: 0, open_until: None, probing: false, changes: 0 }
    }

    /// Whether [`Self::admit`] would admit a try. It changes nothing.
    pub fn admits(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until && !self.probing)
    }

    /// Admits a try, or not. None means that the try must not be made now.
    pub fn admit(&mut self, now: Instant) -> Option<BreakerAdmission> {
        if !self.admits(now) {
            return None;
        }
        self.probing = self.is_open();
        Some(BreakerAdmission { is_probe: self.probing, changes: self.changes })
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
        self.probing = false;
        self.changes += u64::from(self.open_until.take().is_some());
    }

    /// Reports a try that ended without any result, for example because it was cancelled. If it was
    /// the probe, the next try becomes the probe.
    pub fn abandoned(&mut self, what: BreakerAdmission) {
        self.probing &= !(what.is_probe && self.counts(what));
    }

    /// Reports a failure. Returns whether it counts: a try that was admitted before the breaker
    /// last opened or closed changes nothing.
    pub fn failed(&mut self, now: Instant, what: BreakerAdmission) -> bool {
        if !self.counts(what) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        if self.failures >= self.threshold {
            self.open(now, MAX_COOL_DOWN);
        }
        true
    }

    /// Reports a failure that proves that the other side is down. It opens the breaker at once.
    /// Returns whether it counts, like [`Self::failed`].
    pub fn tripped(&mut self, now: Instant, what: BreakerAdmission) -> bool {
        if !self.counts(what) {
            return false;
        }
        self.failures = self.failures.saturating_add(1).max(self.threshold);
        self.probing = false;
        self.open(now, MAX_COOL_DOWN_TRIPPED);
        true
    }

    /// Whether the breaker has neither opened nor closed since the try was admitted.
    fn counts(&self, what: BreakerAdmission) -> bool {
        what.changes == self.changes
    }

    /// Opens the breaker. The cool-down doubles with each failure above the threshold, but is at
    /// most `most`.
    fn open(&mut self, now: Instant, most: Duration) {
        let doublings = (self.failures - self.threshold).min(10);
        self.open_until = Some(now + (self.cool_down * 2_u32.pow(doublings)).min(most));
        self.changes += 1;
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
        let plain = breaker.admit(now).unwrap();
        breaker.tripped(now, plain);
        for _ in 0..20 {
            assert_eq!(breaker.admit(now), None);
            assert!(breaker.wait(now).is_some_and(|wait| wait <= Duration::from_secs(5)));
            now += Duration::from_secs(5);
            assert!(breaker.admits(now));
            let probe = breaker.admit(now).unwrap();
            assert!(probe.is_probe() && !breaker.admits(now));
            breaker.tripped(now, probe);
        }
        breaker.succeeded();
        assert!(!breaker.admit(now).unwrap().is_probe());
    }

    #[test]
    fn opens_probes_and_closes() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut breaker = CircuitBreaker::new(2, second);
        let [one, two, three] = [(); 3].map(|()| breaker.admit(start).unwrap());
        assert!(breaker.failed(start, one) && !breaker.is_open());
        assert!(breaker.failed(start, two));
        assert_eq!(breaker.admit(start), None);
        let probe = breaker.admit(start + second).unwrap();
        assert!(probe.is_probe());
        assert_eq!(breaker.admit(start + second), None, "one probe at a time");
        assert!(!breaker.failed(start + second, three), "a straggler is not the probe");
        assert_eq!(breaker.admit(start + second), None);
        breaker.failed(start + second, probe);
        assert_eq!(breaker.admit(start + 2 * second), None, "the cool-down has doubled");
        let probe = breaker.admit(start + 3 * second).unwrap();
        breaker.abandoned(three);
        assert_eq!(breaker.admit(start + 3 * second), None, "the probe is still out");
        breaker.abandoned(probe);
        assert!(breaker.admit(start + 3 * second).unwrap().is_probe());
        breaker.succeeded();
        assert!(!breaker.admit(start).unwrap().is_probe());
    }

    #[test]
    fn a_try_from_before_an_outage_decides_nothing_after_it() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut breaker = CircuitBreaker::new(1, Duration::from_secs(1));
        let [one, slow] = [(); 2].map(|()| breaker.admit(start).unwrap());
        breaker.failed(start, one);
        let old_probe = breaker.admit(later).unwrap();
        breaker.succeeded();
        assert!(!breaker.failed(later, slow) && !breaker.is_open());
        let next = breaker.admit(later).unwrap();
        breaker.failed(later, next);
        let probe = breaker.admit(later + Duration::from_secs(1)).unwrap();
        breaker.abandoned(old_probe);
        assert!(!breaker.failed(later, old_probe) && !breaker.tripped(later, old_probe));
        assert_eq!(breaker.admit(later + Duration::from_secs(9)), None, "one probe at a time");
        assert!(breaker.failed(later, probe));
    }
}

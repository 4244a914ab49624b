//! A breaker over what may fail all at once, creations of sandboxes and providers of models: after several failures in a row, or one that says that nothing
//! can succeed, it fails fast for a while, then lets one probe through.
//!
//! ```text
//!  closed ──N failures──► open ──cool-down──► probing ──success──► closed
//!                          ▲                     │
//!                          └──────failure────────┘  (cool-down doubles, capped)
//! ```

use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    threshold: u32,
    cool_down: Duration,
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// What a try is admitted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerAdmission {
    Plain,
    /// The one that decides whether the breaker closes.
    Probe,
}

const MAX_COOL_DOWN: Duration = Duration::from_secs(30);
/// What is known to be down is looked for more often: somebody may be mending it.
const MAX_COOL_DOWN_TRIPPED: Duration = Duration::from_secs(5);

impl CircuitBreaker {
    pub fn new(threshold: u32, cool_down: Duration) -> Self {
        Self { threshold, cool_down, failures: 0, open_until: None, probing: false }
    }

    /// Whether [`Breaker::admit`] would let a try through.
    pub fn admits(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until && !self.probing)
    }

    /// Whether a try may go ahead now, and as what.
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

    /// How long until a try may be admitted; none while it is closed or a probe is out.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let until = self.open_until.filter(|_| !self.probing)?;
        Some(until.saturating_duration_since(now))
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.open_until = None;
        self.probing = false;
    }

    /// A probe that nothing was learnt from: the next one decides.
    pub fn abandoned(&mut self, what: BreakerAdmission) {
        self.probing &= what != BreakerAdmission::Probe;
    }

    /// A straggler of before it opened decides nothing: that is for the probe.
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

    /// A failure after which nothing else needs to be tried.
    pub fn tripped(&mut self, now: Instant, what: BreakerAdmission) {
        if self.is_open() && what == BreakerAdmission::Plain {
            return;
        }
        self.failures = self.failures.saturating_add(1).max(self.threshold);
        self.probing = false;
        self.open(now, MAX_COOL_DOWN_TRIPPED);
    }

    fn open(&mut self, now: Instant, most: Duration) {
        let doublings = (self.failures - self.threshold).min(10);
        self.open_until = Some(now + (self.cool_down * 2_u32.pow(doublings)).min(most));
    }

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

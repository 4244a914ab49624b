//! A breaker over creations: after several failures in a row it fails fast for a while,
//! then lets one probe through.
//!
//! ```text
//!  closed ──N failures──► open ──cool-down──► probing ──success──► closed
//!                          ▲                     │
//!                          └──────failure────────┘  (cool-down doubles, capped)
//! ```

use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Debug)]
pub struct Breaker {
    threshold: u32,
    cool_down: Duration,
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
    last_failure: String,
}

const MAX_COOL_DOWN: Duration = Duration::from_secs(30);

impl Breaker {
    pub fn new(threshold: u32, cool_down: Duration) -> Self {
        Self {
            threshold,
            cool_down,
            failures: 0,
            open_until: None,
            probing: false,
            last_failure: String::new(),
        }
    }

    /// Whether a try may go ahead now; the reason if not.
    pub fn admit(&mut self, now: Instant) -> Result<(), String> {
        match self.open_until {
            None => Ok(()),
            Some(until) if now >= until && !self.probing => {
                self.probing = true;
                Ok(())
            }
            Some(_) => {
                Err(format!("{} failures in a row, the last: {}", self.failures, self.last_failure))
            }
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

    pub fn failed(&mut self, now: Instant, why: &str) {
        self.failures = self.failures.saturating_add(1);
        why.clone_into(&mut self.last_failure);
        self.probing = false;
        if self.failures >= self.threshold {
            let doublings = (self.failures - self.threshold).min(10);
            self.open_until =
                Some(now + (self.cool_down * 2_u32.pow(doublings)).min(MAX_COOL_DOWN));
        }
    }

    /// Whether the one try that is under way decides.
    pub fn is_probing(&self) -> bool {
        self.probing
    }

    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_probes_and_closes() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut breaker = Breaker::new(2, second);
        breaker.failed(start, "no");
        assert!(breaker.admit(start).is_ok());
        breaker.failed(start, "no");
        assert!(breaker.admit(start).is_err());
        assert!(breaker.admit(start + second).is_ok());
        assert!(breaker.admit(start + second).is_err(), "one probe at a time");
        breaker.failed(start + second, "still no");
        assert!(breaker.admit(start + 2 * second).is_err(), "the cool-down has doubled");
        assert!(breaker.admit(start + 3 * second).is_ok());
        breaker.succeeded();
        assert!(breaker.admit(start).is_ok());
    }
}

//! How soon a model answers, as far as is known; and who is asked to find out.

use std::time::Duration;
use tokio::time::Instant;

/// What was measured before tells little of now.
const FRESH: Duration = Duration::from_secs(300);
/// Asked at once to find out; one that never comes back costs no more than these.
const TRIALS: u32 = 2;
/// A failure counts as an answer at least as late as this.
const FAILURE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default)]
pub struct LatencyTracker {
    lately: Option<Duration>,
    at: Option<Instant>,
    /// Since the last measurement, and when the last of them was sent.
    trials: u32,
    tried_at: Option<Instant>,
}

/// Who is asked first: who has to be measured, then who answers sooner, then who was tried in
/// vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyRank {
    Untried(u32),
    Known(Duration),
    InVain,
}

impl LatencyTracker {
    /// What is old says nothing beside what is new.
    pub fn measured(&mut self, took: Duration) {
        let now = Instant::now();
        let known = self.lately.filter(|_| is_fresh(self.at, now));
        let newer = known.map_or(took, |lately| lately - lately / 8 + took / 8);
        *self = Self { lately: Some(newer), at: Some(now), ..Self::default() };
    }

    pub fn failed(&mut self, took: Duration) {
        self.measured(took.max(FAILURE));
    }

    /// Somebody is sent to find out. Trials that came to nothing are forgotten in time.
    pub fn tried(&mut self) {
        let now = Instant::now();
        self.trials = if is_fresh(self.tried_at, now) { self.trials.saturating_add(1) } else { 1 };
        self.tried_at = Some(now);
    }

    pub fn lately(&self) -> Option<Duration> {
        self.lately
    }

    pub fn rank(&self, now: Instant) -> LatencyRank {
        let trials = if is_fresh(self.tried_at, now) { self.trials } else { 0 };
        match self.lately {
            Some(lately) if is_fresh(self.at, now) || trials >= TRIALS => {
                LatencyRank::Known(lately)
            }
            None if trials >= TRIALS => LatencyRank::InVain,
            _ => LatencyRank::Untried(trials),
        }
    }
}

fn is_fresh(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_never_answers_is_not_asked_for_ever() {
        let (mut silent, mut quick) = (LatencyTracker::default(), LatencyTracker::default());
        quick.measured(Duration::from_millis(20));
        let rank = |latency: &LatencyTracker| latency.rank(Instant::now());
        for _ in 0..TRIALS {
            assert!(rank(&silent) < rank(&quick));
            silent.tried();
        }
        assert!(rank(&silent) > rank(&quick), "it has not come back");
        silent.failed(Duration::from_millis(1));
        assert_eq!(rank(&silent), LatencyRank::Known(FAILURE));
        assert!(rank(&silent) > rank(&quick));
    }

    /// One slow moment is no judgement for ever.
    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_measured_again() {
        let (mut slow, mut quick) = (LatencyTracker::default(), LatencyTracker::default());
        slow.measured(Duration::from_secs(9));
        tokio::time::advance(FRESH).await;
        quick.measured(Duration::from_millis(20));
        assert!(slow.rank(Instant::now()) < quick.rank(Instant::now()));
        (0..TRIALS).for_each(|_| slow.tried());
        assert!(slow.rank(Instant::now()) > quick.rank(Instant::now()));
        // Nobody came back to tell; somebody else is sent in time.
        tokio::time::advance(FRESH).await;
        assert_eq!(slow.rank(Instant::now()), LatencyRank::Untried(0));
        slow.measured(Duration::from_millis(5));
        assert_eq!(slow.lately(), Some(Duration::from_millis(5)), "and is believed");
    }
}

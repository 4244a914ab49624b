//! The latency of a model and its rank among the models of a campaign, for assignment by least
//! latency. Models without a recent measurement are asked first, a few calls at a time, so that
//! every model is measured again from time to time.

use std::time::Duration;
use tokio::time::Instant;

/// A measurement that is older than this is not used.
const FRESH: Duration = Duration::from_secs(300);
/// The most calls that may be sent to a model to measure it before one of them is answered. A model
/// that never answers costs no more calls than these in five minutes.
const TRIALS: u32 = 2;
/// A failed call counts as an answer that took at least this long.
const FAILURE: Duration = Duration::from_secs(10);

/// The recent latency of one model.
#[derive(Clone, Debug, Default)]
pub struct LatencyTracker {
    /// The moving average of the answers and failures; none before the first one.
    lately: Option<Duration>,
    /// When the last answer or failure was measured.
    at: Option<Instant>,
    /// Calls that were sent to the model because of its rank since the last measurement.
    trials: u32,
    /// When the last of these calls was sent.
    tried_at: Option<Instant>,
}

/// The rank of a model; lower is asked first. First come models that must be measured, then models
/// by their latency, then models that did not answer when they were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyRank {
    /// It must be measured. The number of calls that are sent for it so far: fewer come first.
    Untried(u32),
    /// Its moving average.
    Known(Duration),
    /// All calls that were sent to measure it are unanswered.
    InVain,
}

impl LatencyTracker {
    /// Adds the time of an answer. Each answer counts an eighth of the moving average. An average
    /// that is too old is replaced.
    pub fn measured(&mut self, took: Duration) {
        let now = Instant::now();
        let known = self.lately.filter(|_| is_fresh(self.at, now));
        let newer = known.map_or(took, |lately| lately - lately / 8 + took / 8);
        *self = Self { lately: Some(newer), at: Some(now), ..Self::default() };
    }

    /// Adds a failed call as a slow answer.
    pub fn failed(&mut self, took: Duration) {
        self.measured(took.max(FAILURE));
    }

    /// Counts a call that was sent to the model because of its rank. Five minutes after the last
    /// such call, the calls before are forgotten, so that the model gets another chance.
    pub fn tried(&mut self) {
        let now = Instant::now();
        self.trials = if is_fresh(self.tried_at, now) { self.trials.saturating_add(1) } else { 1 };
        self.tried_at = Some(now);
    }

    /// The moving average, however old it is.
    pub fn lately(&self) -> Option<Duration> {
        self.lately
    }

    /// The rank at the time `now`.
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

/// Whether the time is recent.
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

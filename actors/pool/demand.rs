//! Decides how many sandboxes of a specification to keep warm: as many as were recently taken
//! within the time of about two creations. Taken sandboxes can then be replaced before the warm
//! ones run out.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The assumed time of a creation before the first one.
const FIRST_GUESS: Duration = Duration::from_millis(250);
/// The shortest time over which taken sandboxes are counted.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest time over which taken sandboxes are counted.
const LONGEST: Duration = Duration::from_secs(10);
/// At each call of `decay`, the peak falls by one part in this many.
const FORGOTTEN: usize = 8;

/// The demand for one specification.
pub(super) struct SpecDemand {
    /// When sandboxes were taken recently, oldest first.
    recent: VecDeque<Instant>,
    /// The greatest length that `recent` has had, falling slowly.
    peak: usize,
    /// The moving average of the time of a creation.
    creation: Duration,
}

impl Default for SpecDemand {
    fn default() -> Self {
        Self { recent: VecDeque::new(), peak: 0, creation: FIRST_GUESS }
    }
}

impl SpecDemand {
    /// Counts a sandbox that was taken or asked for. The count is at most `most`.
    pub(super) fn taken(&mut self, now: Instant, most: usize) {
        self.recent.push_back(now);
        self.forget_before(now);
        if self.recent.len() > most {
            self.recent.pop_front();
        }
        self.peak = self.peak.max(self.recent.len());
    }

    /// Adds the time of a creation to the moving average.
    pub(super) fn made(&mut self, took: Duration) {
        self.creation = (self.creation * 3 + took) / 4;
    }

    /// Lets the peak fall a little. The pool calls it every few seconds.
    pub(super) fn decay(&mut self, now: Instant) {
        self.forget_before(now);
        let decayed = self.peak - self.peak.div_ceil(FORGOTTEN);
        // One sandbox stays warm between rare requests. The demand ends when nobody has asked for
        // `PoolConfig::max_idle`.
        self.peak = decayed.max(self.recent.len()).max(1).min(self.peak);
    }

    /// Lowers the peak by one, after a warm sandbox had to give its place to another specification.
    /// So it is not created again at once.
    pub(super) fn gives_way(&mut self) {
        self.peak = self.peak.saturating_sub(1);
    }

    /// The number of sandboxes to keep warm.
    pub(super) fn target(&self) -> usize {
        self.peak
    }

    /// Removes the takings that are too old to count.
    fn forget_before(&mut self, now: Instant) {
        let span = (self.creation * 2).clamp(SHORTEST, LONGEST);
        while self.recent.front().is_some_and(|then| now.duration_since(*then) > span) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_raises_the_target_and_quiet_lowers_it() {
        let start = Instant::now();
        let mut demand = SpecDemand::default();
        assert_eq!(demand.target(), 0);
        (0..20).for_each(|_| demand.taken(start, 8));
        assert_eq!(demand.target(), 8, "never more than allowed");
        for look in 1..100 {
            demand.decay(start + Duration::from_secs(5) * look);
        }
        assert_eq!(demand.target(), 1, "one for whoever comes next");
    }

    #[test]
    fn what_is_slow_to_make_is_kept_in_number() {
        let start = Instant::now();
        let takes = |creation: Duration| {
            let mut demand = SpecDemand::default();
            (0..40).for_each(|_| demand.made(creation));
            // One every 200 ms.
            (0..50).for_each(|n| demand.taken(start + Duration::from_millis(200) * n, 64));
            demand.target()
        };
        assert!(takes(Duration::from_millis(5)) <= 2);
        assert!((10..=12).contains(&takes(Duration::from_secs(1))));
    }
}

//! The restart intensity, as in Erlang/OTP: at most so many restarts within so many seconds. A
//! supervisor that exceeds the limit gives up instead of restarting its actor for ever. A campaign
//! uses the same count for panics of its attempts, and pauses when the limit is exceeded.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Counts restarts in a sliding window of time.
#[derive(Clone, Debug)]
pub struct RestartIntensity {
    /// The most restarts within the window.
    restarts: usize,
    window: Duration,
    /// The times of recent restarts, oldest first.
    seen: VecDeque<Instant>,
}

impl RestartIntensity {
    /// A count of zero.
    pub fn new(restarts: usize, window: Duration) -> Self {
        Self { restarts, window, seen: VecDeque::new() }
    }

    /// Counts a restart at `now`. False means that there were too many within the window.
    pub fn allows(&mut self, now: Instant) -> bool {
        while self.seen.front().is_some_and(|then| now.duration_since(*then) > self.window) {
            self.seen.pop_front();
        }
        self.seen.push_back(now);
        self.seen.len() <= self.restarts
    }

    /// Forgets all restarts.
    pub fn reset(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The same as counting over the whole history.
        #[test]
        fn agrees_with_a_recount(limit in 1usize..5, gaps in proptest::collection::vec(0u64..20, 1..60)) {
            let window = Duration::from_secs(10);
            let mut intensity = RestartIntensity::new(limit, window);
            let start = Instant::now();
            let mut at = Duration::ZERO;
            let mut all: Vec<Duration> = Vec::new();
            for gap in gaps {
                at += Duration::from_secs(gap);
                all.push(at);
                let recent = all.iter().filter(|then| at - **then <= window).count();
                prop_assert_eq!(intensity.allows(start + at), recent <= limit);
            }
        }
    }
}

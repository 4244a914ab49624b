//! The time of checks. Each check of a verification has its own time. The milestones of one
//! measurement have theirs together, because the agent waits for them.

use crate::model::ExecEnd;
use std::time::Duration;
use tokio::time::Instant;

/// The time that the checks of one run may still take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckTime {
    /// The longest time of one check.
    each: Duration,
    /// What is left for all of them; none if each has its own time.
    left: Option<Duration>,
    began: Instant,
}

impl CheckTime {
    /// Each check has this time.
    pub(crate) fn for_each(each: Duration) -> Self {
        Self { each, left: None, began: Instant::now() }
    }

    /// All checks together have this time.
    pub(crate) fn for_all(all: Duration) -> Self {
        Self { left: Some(all), ..Self::for_each(all) }
    }

    /// Begins the next check and returns its time. None: the time is over.
    pub(crate) fn begin(&mut self) -> Option<Duration> {
        self.began = Instant::now();
        let time = self.left.map_or(self.each, |left| left.min(self.each));
        (!time.is_zero()).then_some(time)
    }

    /// Ends a check. Returns whether it had its whole time, or ended by itself.
    pub(crate) fn end(&mut self, end: &ExecEnd) -> bool {
        let had = self.left.map_or(self.each, |left| left.min(self.each));
        let took = self.began.elapsed();
        self.left = self.left.map(|left| left.saturating_sub(took));
        had == self.each || *end != ExecEnd::TimedOut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn checks_with_a_common_time_share_it() {
        let mut time = CheckTime::for_all(MINUTE);
        assert_eq!(time.begin(), Some(MINUTE));
        tokio::time::advance(MINUTE / 4).await;
        assert!(time.end(&ExecEnd::Exited(1)));
        assert_eq!(time.begin(), Some(MINUTE / 4 * 3));
        tokio::time::advance(MINUTE).await;
        assert!(!time.end(&ExecEnd::TimedOut), "it had less than its whole time");
        assert_eq!(time.begin(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_check_has_the_whole_time() {
        let mut time = CheckTime::for_all(MINUTE);
        time.begin();
        tokio::time::advance(MINUTE).await;
        assert!(time.end(&ExecEnd::TimedOut));
        assert_eq!(time.begin(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn checks_with_their_own_time_have_it_each() {
        let mut time = CheckTime::for_each(MINUTE);
        for _ in 0..3 {
            assert_eq!(time.begin(), Some(MINUTE));
            tokio::time::advance(2 * MINUTE).await;
            assert!(time.end(&ExecEnd::TimedOut));
        }
    }
}

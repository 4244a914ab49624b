//! The concurrency window: how many calls may be in flight at the same time, for one model with one
//! key. When the provider says that there are too many requests (a 429), the window is halved.
//! After each round of good answers it grows by one. This is the additive increase and
//! multiplicative decrease of TCP.

use tokio::time::Instant;

/// The window is counted in parts of a call, so that each success can add a fraction of a call, and
/// a whole round of successes adds one.
const PARTS: u64 = 1_000_000;

/// The window. It is never below one call and never above `most`.
#[derive(Clone, Debug)]
pub struct ConcurrencyWindow {
    /// The configured limit, in calls.
    most: u64,
    /// The present limit, in parts.
    parts: u64,
    /// When the window was last halved.
    cut_at: Option<Instant>,
}

impl ConcurrencyWindow {
    /// A window of the full size.
    pub fn new(most: usize) -> Self {
        let most = (most as u64).max(1);
        Self { most, parts: most * PARTS, cut_at: None }
    }

    /// The most calls in flight now; at least one.
    pub fn limit(&self) -> usize {
        usize::try_from(self.parts / PARTS).unwrap_or(usize::MAX)
    }

    /// Reports a good answer.
    pub fn succeeded(&mut self) {
        let limit = self.parts / PARTS;
        self.parts = (self.parts + PARTS.div_ceil(limit)).min(self.most * PARTS);
    }

    /// Reports a refusal for too many requests. `began` is when the call was sent, and
    /// `on_their_way` is the number of calls in flight, this one included. The window becomes a
    /// half of that number, or of the present window if that is smaller; it is never below one
    /// call. Calls that were sent before the last cut are ignored: all calls of one round get the
    /// same refusal, and it must halve the window only once.
    pub fn refused(&mut self, began: Instant, now: Instant, on_their_way: usize) {
        if self.cut_at.is_some_and(|cut| began <= cut) {
            return;
        }
        let crowd = (on_their_way as u64).clamp(1, self.parts / PARTS);
        self.parts = (crowd * PARTS / 2).max(PARTS);
        self.cut_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_most(most in 1usize..500, results in prop::collection::vec(any::<Option<u8>>(), 0..400)) {
            let mut window = ConcurrencyWindow::new(most);
            let mut now = Instant::now();
            for result in results {
                now += Duration::from_millis(1);
                match result {
                    Some(crowd) => window.refused(now, now, crowd.into()),
                    None => window.succeeded(),
                }
                prop_assert!((1..=most).contains(&window.limit()));
            }
        }
    }

    #[test]
    fn one_round_of_refusals_halves_it_once_and_it_comes_back() {
        let (mut window, start) = (ConcurrencyWindow::new(64), Instant::now());
        let later = start + Duration::from_secs(1);
        (0..64).for_each(|_| window.refused(start, later, 64));
        assert_eq!(window.limit(), 32);
        window.refused(later + Duration::from_secs(1), later + Duration::from_secs(2), 32);
        assert_eq!(window.limit(), 16);
        (0..17).for_each(|_| window.succeeded());
        assert_eq!(window.limit(), 17);
        (0..10_000).for_each(|_| window.succeeded());
        assert_eq!(window.limit(), 64);
    }
}

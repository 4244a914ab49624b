//! How many calls may be on their way at once: fewer after being told that they come too often,
//! one more for every round that went well.

use tokio::time::Instant;

/// A place is counted in so many parts, so that a round of successes adds one.
const PARTS: u64 = 1_000_000;

#[derive(Clone, Debug)]
pub struct ConcurrencyWindow {
    most: u64,
    parts: u64,
    cut_at: Option<Instant>,
}

impl ConcurrencyWindow {
    pub fn new(most: usize) -> Self {
        let most = (most as u64).max(1);
        Self { most, parts: most * PARTS, cut_at: None }
    }

    /// At least one.
    pub fn limit(&self) -> usize {
        usize::try_from(self.parts / PARTS).unwrap_or(usize::MAX)
    }

    pub fn succeeded(&mut self) {
        let limit = self.parts / PARTS;
        self.parts = (self.parts + PARTS.div_ceil(limit)).min(self.most * PARTS);
    }

    /// Half of those that were on their way. All of them hear the same: only the first that
    /// left after the last cut counts.
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
        fn it_stays_between_one_and_the_most(most in 1usize..500, deeds in prop::collection::vec(any::<Option<u8>>(), 0..400)) {
            let mut window = ConcurrencyWindow::new(most);
            let mut now = Instant::now();
            for deed in deeds {
                now += Duration::from_millis(1);
                match deed {
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

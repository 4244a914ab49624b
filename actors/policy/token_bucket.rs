//! Tokens a minute: what a call may use is taken before it leaves, what it did not use is
//! given back.

use std::time::Duration;
use tokio::time::Instant;

/// So that a nanosecond is worth a whole number of parts, and nothing is ever rounded.
const PARTS: i128 = 60_000_000_000;

#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_minute: u64,
    /// In parts of a token; less than nothing where a call used more than it had taken.
    level: i128,
    at: Instant,
}

impl TokenBucket {
    /// Full, which is one minute's worth.
    pub fn new(per_minute: u64, now: Instant) -> Self {
        Self { per_minute, level: i128::from(per_minute) * PARTS, at: now }
    }

    fn full(&self) -> i128 {
        i128::from(self.per_minute) * PARTS
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_nanos();
        let since = i128::try_from(since).unwrap_or(i128::MAX / PARTS);
        let more = since.saturating_mul(i128::from(self.per_minute));
        self.level = self.level.saturating_add(more).min(self.full());
        self.at = self.at.max(now);
    }

    /// What was taken: all that is wanted, or a whole minute's worth where that is less. Where
    /// there is not enough, how long until there is.
    pub fn take(&mut self, wanted: u64, now: Instant) -> Result<u64, Duration> {
        self.refill(now);
        let taken = wanted.min(self.per_minute);
        let short = i128::from(taken) * PARTS - self.level;
        if short <= 0 {
            self.level -= i128::from(taken) * PARTS;
            return Ok(taken);
        }
        let wait = (short + i128::from(self.per_minute) - 1) / i128::from(self.per_minute);
        Err(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// A call is over that had taken so much and used so much.
    pub fn settle(&mut self, taken: u64, used: u64, now: Instant) {
        self.refill(now);
        let back = (i128::from(taken) - i128::from(used)).saturating_mul(PARTS);
        self.level = self.level.saturating_add(back).min(self.full());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However calls come and whatever they use: from the start to any moment no more is
        /// used than the first minute's worth, what the time since then is worth, and by how
        /// much calls outdid what they had taken.
        #[test]
        fn no_minute_has_more(
            per_minute in 1u64..10_000,
            calls in prop::collection::vec((0u64..20_000, 0u64..20_000, 0u64..200_000), 1..60),
        ) {
            let start = Instant::now();
            let (mut now, mut used, mut outdone) = (start, 0u128, 0u128);
            let mut bucket = TokenBucket::new(per_minute, start);
            for (wanted, uses, millis) in calls {
                now += Duration::from_millis(millis);
                let taken = match bucket.take(wanted, now) {
                    Ok(taken) => taken,
                    Err(wait) => {
                        prop_assert!(bucket.clone().take(wanted, now + wait - Duration::from_nanos(1)).is_err());
                        now += wait;
                        bucket.take(wanted, now).unwrap()
                    }
                };
                bucket.settle(taken, uses, now);
                used += u128::from(uses);
                outdone += u128::from(uses.saturating_sub(taken));
                let worth = u128::from(per_minute) * (60_000_000_000 + (now - start).as_nanos());
                prop_assert!(used * 60_000_000_000 <= worth + outdone * 60_000_000_000);
            }
        }
    }

    #[test]
    fn a_call_larger_than_a_minute_waits_for_a_full_bucket_and_then_leaves() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(600, now);
        assert_eq!(bucket.take(100, now), Ok(100));
        assert_eq!(bucket.take(10_000, now), Err(Duration::from_secs(10)));
        assert_eq!(bucket.take(10_000, now + Duration::from_secs(10)), Ok(600));
    }
}

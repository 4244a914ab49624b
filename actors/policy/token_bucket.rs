//! A token bucket: the limit of tokens a minute for one model with one key. Before a call is sent,
//! it takes what it will likely use at most ([`super::reserved`]), and afterwards it gives back
//! what it did not use. A call that uses more than it took makes the level lower, even negative,
//! and later calls wait longer.

use std::time::Duration;
use tokio::time::Instant;

/// The level is counted in parts of a token: one token has as many parts as a minute has
/// nanoseconds. So each nanosecond adds exactly `per_minute` parts, and nothing is rounded.
const PARTS: i128 = 60_000_000_000;

/// The bucket. It holds at most the tokens of one minute, and it refills continuously.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_minute: u64,
    /// The tokens that are left, in parts. Negative after a call that used more than it had taken.
    level: i128,
    /// The time of the last refill.
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(per_minute: u64, now: Instant) -> Self {
        Self { per_minute, level: i128::from(per_minute) * PARTS, at: now }
    }

    /// The level of a full bucket.
    fn full(&self) -> i128 {
        i128::from(self.per_minute) * PARTS
    }

    /// Adds what the time since the last refill is worth. A clock that goes back adds nothing.
    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_nanos();
        let since = i128::try_from(since).unwrap_or(i128::MAX / PARTS);
        let more = since.saturating_mul(i128::from(self.per_minute));
        self.level = self.level.saturating_add(more).min(self.full());
        self.at = self.at.max(now);
    }

    /// Takes tokens for a call: all of `wanted`, or the tokens of one minute if `wanted` is more;
    /// otherwise such a call could never be sent. Ok has the number of tokens that were taken. Err
    /// has the time after which there will be enough, and nothing is taken.
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

    /// Ends a call that had `taken` tokens and used `used`. The difference goes back into the
    /// bucket, or is taken from it if the call used more.
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

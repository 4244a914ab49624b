//! The rate limits of one model with one key: requests a minute and tokens a minute. Both use
//! tokio's clock, so that tests can advance the time.

use crate::policy::TokenBucket;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A clock for `governor`: the time since the limiter was made.
#[derive(Clone, Debug)]
struct ElapsedClock(Instant);

impl Clock for ElapsedClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The limit of requests a minute.
type RequestLimiter = RateLimiter<
    NotKeyed,
    InMemoryState,
    ElapsedClock,
    NoOpMiddleware<<ElapsedClock as Clock>::Instant>,
>;

/// Both limits. A limit that the campaign does not set is none.
pub(super) struct KeyRateLimiter {
    requests: Option<RequestLimiter>,
    clock: ElapsedClock,
    tokens: Option<Mutex<TokenBucket>>,
}

/// The shortest wait, because tokio's timers count milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// Spreads the requests evenly over the minute: at most the requests of one second may be sent at
/// once.
fn quota(per_minute: NonZeroU32) -> Quota {
    let burst = NonZeroU32::new(per_minute.get() / 60).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(per_minute).allow_burst(burst)
}

impl KeyRateLimiter {
    /// A limiter with `requests` and `tokens` a minute; none means no limit.
    pub(super) fn new(requests: Option<u32>, tokens: Option<u64>) -> Self {
        let clock = ElapsedClock(Instant::now());
        let requests = requests.and_then(NonZeroU32::new);
        let requests =
            requests.map(|rate| RateLimiter::direct_with_clock(quota(rate), clock.clone()));
        let tokens = tokens.map(|rate| Mutex::new(TokenBucket::new(rate, Instant::now())));
        Self { requests, clock, tokens }
    }

    /// The token limit, if there is one.
    fn bucket(&self) -> Option<MutexGuard<'_, TokenBucket>> {
        Some(self.tokens.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes one request and `tokens` tokens. Ok has the tokens that were taken. Err has the time
    /// to wait, and nothing is taken from either limit.
    pub(super) fn take(&self, tokens: u64, now: Instant) -> Result<u64, Duration> {
        let taken = self.bucket().map_or(Ok(0), |mut bucket| bucket.take(tokens, now));
        let taken = taken.map_err(|wait| wait.max(TICK))?;
        let early = self.requests.as_ref().and_then(|requests| requests.check().err());
        let Some(early) = early else { return Ok(taken) };
        self.settle(taken, 0, now);
        Err(early.wait_time_from(self.clock.now()).max(TICK))
    }

    /// Gives back the tokens that a call had taken and did not use.
    pub(super) fn settle(&self, taken: u64, used: u64, now: Instant) {
        if let Some(mut bucket) = self.bucket() {
            bucket.settle(taken, used, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_over_the_minute() {
        let pace = KeyRateLimiter::new(Some(60), None);
        assert_eq!(pace.take(5, Instant::now()), Ok(0));
        let wait = pace.take(5, Instant::now()).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        tokio::time::advance(wait).await;
        assert_eq!(pace.take(5, Instant::now()), Ok(0));
    }

    /// A request that must wait takes none of the minute's tokens.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_one_limit_uses_up_nothing_of_the_other() {
        let pace = KeyRateLimiter::new(Some(60), Some(100));
        assert_eq!(pace.take(60, Instant::now()), Ok(60));
        assert!(pace.take(40, Instant::now()).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(
            pace.take(41, Instant::now()),
            Ok(41),
            "one second is worth more than one token"
        );
        pace.settle(41, 1, Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pace.take(40, Instant::now()), Ok(40), "what was not used was given back");
    }
}

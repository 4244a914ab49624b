//! The rate limits of one model with one key: requests a minute and tokens a minute. A call takes
//! from both or from none, and a call that is never sent gives both back. Both use tokio's clock,
//! so that tests can advance the time.

use crate::policy::TokenBucket;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Both limits.
pub(super) struct KeyRateLimiter(Mutex<RateBuckets>);

/// The buckets of both limits. A limit that the campaign does not set is none.
struct RateBuckets {
    /// At most the requests of one second may be sent at once.
    requests: Option<TokenBucket>,
    tokens: Option<TokenBucket>,
}

/// The shortest wait, because tokio's timers count milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// Takes from a bucket. Without a bucket there is nothing to take.
fn take(bucket: &mut Option<TokenBucket>, wanted: u64, now: Instant) -> Result<u64, Duration> {
    let taken = bucket.as_mut().map_or(Ok(0), |bucket| bucket.take(wanted, now));
    taken.map_err(|wait| wait.max(TICK))
}

/// Ends what took `taken` and used `used`.
fn settle(bucket: &mut Option<TokenBucket>, taken: u64, used: u64, now: Instant) {
    if let Some(bucket) = bucket {
        bucket.settle(taken, used, now);
    }
}

impl KeyRateLimiter {
    /// A limiter with `requests` and `tokens` a minute; none means no limit.
    pub(super) fn new(requests: Option<u32>, tokens: Option<u64>) -> Self {
        let now = Instant::now();
        let requests = requests.filter(|rate| *rate > 0);
        let requests = requests.map(|rate| TokenBucket::spread(rate.into(), now));
        let tokens = tokens.map(|rate| TokenBucket::new(rate, now));
        Self(Mutex::new(RateBuckets { requests, tokens }))
    }

    fn buckets(&self) -> MutexGuard<'_, RateBuckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one request and `tokens` tokens. Ok has the tokens that were taken. Err has the time
    /// to wait, and nothing is taken from either limit.
    pub(super) fn take(&self, tokens: u64, now: Instant) -> Result<u64, Duration> {
        let mut buckets = self.buckets();
        let taken = take(&mut buckets.tokens, tokens, now)?;
        take(&mut buckets.requests, 1, now).map(|_| taken).inspect_err(|_| {
            settle(&mut buckets.tokens, taken, 0, now);
        })
    }

    /// Gives back the tokens that a call had taken and did not use.
    pub(super) fn settle(&self, taken: u64, used: u64, now: Instant) {
        settle(&mut self.buckets().tokens, taken, used, now);
    }

    /// Gives back the request and the tokens of a call that was never sent.
    pub(super) fn unused(&self, taken: u64, now: Instant) {
        let mut buckets = self.buckets();
        settle(&mut buckets.tokens, taken, 0, now);
        settle(&mut buckets.requests, 1, 0, now);
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

    /// A call that was never sent leaves its place in the minute to the next one.
    #[tokio::test(start_paused = true)]
    async fn who_is_never_sent_uses_up_nothing() {
        let pace = KeyRateLimiter::new(Some(60), Some(100));
        let now = Instant::now();
        assert_eq!(pace.take(60, now), Ok(60));
        pace.unused(60, now);
        assert_eq!(pace.take(100, now), Ok(100));
    }
}

//! The rate limits of one model with one key: requests a minute (by `governor`) and tokens a minute.
//! A call takes from both or from none, and a call that is never sent gives both back. Both use
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

/// The limit of requests a minute, as `governor` has it.
type RequestLimiter = RateLimiter<
    NotKeyed,
    InMemoryState,
    ElapsedClock,
    NoOpMiddleware<<ElapsedClock as Clock>::Instant>,
>;

/// The requests of one second, or one where a minute has fewer than 60: so many may be sent at once.
fn burst(per_minute: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(per_minute.get() / 60).unwrap_or(NonZeroU32::MIN)
}

/// The limit of requests a minute. They are spread evenly over the minute.
///
/// `governor` cannot take a request back. So requests that were granted and never sent are counted
/// here, and the next call that would have to wait uses one of them. They are worth something only
/// until `governor` would have granted them anew by itself.
struct RequestPace {
    limiter: RequestLimiter,
    clock: ElapsedClock,
    /// At most so many may be sent at once.
    burst: u32,
    /// The time in which a whole burst is granted anew.
    refill: Duration,
    /// Granted requests that were never sent, and until when they count.
    unsent: Mutex<(u32, Instant)>,
}

impl RequestPace {
    fn new(per_minute: NonZeroU32) -> Self {
        let (now, burst) = (Instant::now(), burst(per_minute));
        let clock = ElapsedClock(now);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            burst: burst.get(),
            refill: Duration::from_secs(60) * burst.get() / per_minute.get(),
            unsent: Mutex::new((0, now)),
        }
    }

    fn unsent(&self) -> MutexGuard<'_, (u32, Instant)> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one request, or says how long to wait.
    fn take(&self, now: Instant) -> Result<(), Duration> {
        let Err(early) = self.limiter.check() else { return Ok(()) };
        let mut unsent = self.unsent();
        if unsent.0 > 0 && now < unsent.1 {
            unsent.0 -= 1;
            return Ok(());
        }
        Err(early.wait_time_from(self.clock.now()).max(TICK))
    }

    /// Gives a request back that was never sent.
    fn give_back(&self, now: Instant) {
        let mut unsent = self.unsent();
        let left = if now < unsent.1 { unsent.0 } else { 0 };
        *unsent = (left.saturating_add(1).min(self.burst), now + self.refill);
    }
}

/// Both limits. A limit that the campaign does not set is none.
pub(super) struct KeyRateLimiter {
    requests: Option<RequestPace>,
    tokens: Option<Mutex<TokenBucket>>,
}

/// The shortest wait, because tokio's timers count milliseconds.
const TICK: Duration = Duration::from_millis(1);

impl KeyRateLimiter {
    /// A limiter with `requests` and `tokens` a minute; none means no limit.
    pub(super) fn new(requests: Option<u32>, tokens: Option<u64>) -> Self {
        let requests = requests.and_then(NonZeroU32::new).map(RequestPace::new);
        let tokens = tokens.map(|rate| Mutex::new(TokenBucket::new(rate, Instant::now())));
        Self { requests, tokens }
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
        let request = self.requests.as_ref().map_or(Ok(()), |requests| requests.take(now));
        request.map(|()| taken).inspect_err(|_| self.settle(taken, 0, now))
    }

    /// Gives back the tokens that a call had taken and did not use.
    pub(super) fn settle(&self, taken: u64, used: u64, now: Instant) {
        if let Some(mut bucket) = self.bucket() {
            bucket.settle(taken, used, now);
        }
    }

    /// Gives back the request and the tokens of a call that was never sent.
    pub(super) fn unused(&self, taken: u64, now: Instant) {
        self.settle(taken, 0, now);
        if let Some(requests) = &self.requests {
            requests.give_back(now);
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

    /// A call that was never sent leaves its place in the minute to the next one.
    #[tokio::test(start_paused = true)]
    async fn who_is_never_sent_uses_up_nothing() {
        let pace = KeyRateLimiter::new(Some(60), Some(100));
        let now = Instant::now();
        assert_eq!(pace.take(60, now), Ok(60));
        pace.unused(60, now);
        assert_eq!(pace.take(100, now), Ok(100));
    }

    /// Requests that were given back are used once, and no more of them than may be sent at once.
    /// They are worth nothing when the limit has granted them anew.
    #[tokio::test(start_paused = true)]
    async fn requests_that_were_given_back_raise_no_limit() {
        let pace = KeyRateLimiter::new(Some(120), None);
        let now = Instant::now();
        assert_eq!((pace.take(1, now), pace.take(1, now)), (Ok(0), Ok(0)));
        (0..5).for_each(|_| pace.unused(0, now));
        assert_eq!((pace.take(1, now), pace.take(1, now)), (Ok(0), Ok(0)));
        assert_eq!(pace.take(1, now), Err(Duration::from_millis(500)));
        pace.unused(0, now);
        tokio::time::advance(Duration::from_secs(1)).await;
        let now = Instant::now();
        assert_eq!((pace.take(1, now), pace.take(1, now)), (Ok(0), Ok(0)));
        assert!(pace.take(1, now).is_err());
    }
}

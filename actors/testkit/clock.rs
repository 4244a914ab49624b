//! A clock that goes with tokio's, paused or not.

use crate::ports::Clock;
use tokio::time::Instant;

/// Milliseconds since it was made.
pub struct FakeClock(Instant);

impl Default for FakeClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn stamp(&self, at_ms: i64) -> String {
        format!("{at_ms} ms")
    }
}

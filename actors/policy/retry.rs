//! Decides what follows a fault: another try after a wait, or the end. The router uses it for tries
//! of a call, and campaigns use it for attempts at an episode.

use crate::model::{Fault, digest_of};
use std::time::Duration;

/// The limits of trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries, including the first one.
    pub attempts: u32,
    /// The longest wait after the first failure. It doubles with each failure; see [`backoff`].
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

/// What to do after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Try again after this wait.
    Again { after: Duration },
    /// The fault is final.
    GiveUp,
}

impl RetryPolicy {
    /// The decision after a fault. `failed` is the number of failed tries that count, including
    /// this one. `salt` is the same as in [`backoff`].
    pub fn decide(&self, fault: &Fault, failed: u32, salt: &str) -> RetryDecision {
        if !fault.kind.is_transient() || failed >= self.attempts {
            return RetryDecision::GiveUp;
        }
        RetryDecision::Again { after: backoff(self.base, self.cap, failed, salt) }
    }
}

/// The wait after `failed` failures (exponential backoff with jitter): it doubles each time up to
/// `cap`, and lies between a half and the whole of that. The jitter is a hash of `salt` and not a
/// random number, so that a run can be repeated. Callers with different salts wait for different
/// times and do not all come back at once.
pub fn backoff(base: Duration, cap: Duration, failed: u32, salt: &str) -> Duration {
    let whole =
        base.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1).min(16))).min(cap);
    let digest = digest_of(&["backoff", salt, &failed.to_string()]);
    let share = u32::from_str_radix(&digest[..4], 16).unwrap_or(0);
    whole / 2 + whole / 2 * share / 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;
    use proptest::prelude::*;

    const RETRY: RetryPolicy =
        RetryPolicy { attempts: 3, base: Duration::from_millis(100), cap: Duration::from_secs(5) };

    proptest! {
        #[test]
        fn waits_stay_between_half_and_cap(failed in 1u32..40, salt in ".*") {
            let wait = backoff(RETRY.base, RETRY.cap, failed, &salt);
            let whole = (RETRY.base * 2_u32.pow((failed - 1).min(16))).min(RETRY.cap);
            prop_assert!(wait >= whole / 2 && wait <= whole);
        }
    }

    #[test]
    fn only_passing_faults_are_tried_again() {
        let lost = Fault::new(FaultKind::SandboxLost, "gone");
        let wrong = Fault::new(FaultKind::TaskSetup, "does not fit");
        assert!(matches!(RETRY.decide(&lost, 1, ""), RetryDecision::Again { .. }));
        assert_eq!(RETRY.decide(&lost, 3, ""), RetryDecision::GiveUp);
        assert_eq!(RETRY.decide(&wrong, 1, ""), RetryDecision::GiveUp);
    }
}

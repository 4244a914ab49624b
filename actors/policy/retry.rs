//! What follows a fault: another attempt after a wait, or the end.

use crate::model::{Fault, digest_of};
use std::time::Duration;

/// Bounds on trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all.
    pub attempts: u32,
    pub base: Duration,
    pub cap: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    Again { after: Duration },
    GiveUp,
}

impl RetryPolicy {
    /// `failed` tries have ended in a fault that counts, this one included.
    pub fn decide(&self, fault: &Fault, failed: u32, salt: &str) -> RetryDecision {
        if !fault.kind.is_transient() || failed >= self.attempts {
            return RetryDecision::GiveUp;
        }
        RetryDecision::Again { after: backoff(self.base, self.cap, failed, salt) }
    }
}

/// Doubling waits with a spread of a half to the whole, told apart by `salt` instead of a
/// random number so that a run can be repeated.
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

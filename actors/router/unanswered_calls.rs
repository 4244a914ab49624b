//! How a model fares at this moment: calls that have left and were not answered yet, and
//! failures in a row. People are told of it within seconds, long before a call's time is up.

use crate::model::{CallFault, ChatReply, ProviderSign};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A model that has said nothing for so long is worth a word.
const SILENT: Duration = Duration::from_secs(10);
/// Or for so many times what its answers take of late.
const TIMES_USUAL: u32 = 4;
/// So many failures in a row are worth a word.
const FAILURES: u32 = 3;

#[derive(Default)]
pub(super) struct UnansweredCalls {
    state: Mutex<UnansweredState>,
}

#[derive(Default)]
struct UnansweredState {
    next: u64,
    /// When each call left, oldest first.
    left: BTreeMap<u64, Instant>,
    failed_in_a_row: u32,
    /// Those that were given up because no answer came in time, since the provider last said a word.
    given_up: u32,
    last_failure: String,
}

/// A call that has left. Dropped, it is waited for no more.
pub(super) struct PendingCallGuard {
    of: Arc<UnansweredCalls>,
    id: u64,
}

impl Drop for PendingCallGuard {
    fn drop(&mut self) {
        self.of.state().left.remove(&self.id);
    }
}

impl UnansweredCalls {
    fn state(&self) -> MutexGuard<'_, UnansweredState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn track_call(self: &Arc<Self>) -> PendingCallGuard {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.left.insert(id, Instant::now());
        PendingCallGuard { of: self.clone(), id }
    }

    pub(super) fn heard(&self, reply: &Result<ChatReply, CallFault>) {
        let mut state = self.state();
        match reply {
            Ok(_) => (state.failed_in_a_row, state.given_up) = (0, 0),
            Err(failure) => {
                match failure.fault.kind.policy().sign {
                    ProviderSign::Silent => state.given_up += 1,
                    ProviderSign::Answers | ProviderSign::Fails => state.given_up = 0,
                    ProviderSign::Nothing => {}
                }
                state.failed_in_a_row += 1;
                state.last_failure = failure.fault.message.clone();
            }
        }
    }

    /// What is wrong at the moment; `usual` is how long answers take of late. After a call that was
    /// given up nothing is usual, and the next call is in trouble from its first second on.
    pub(super) fn trouble(&self, usual: Option<Duration>) -> Option<String> {
        let state = self.state();
        let usual = usual.filter(|_| state.given_up == 0);
        let patience = usual.map_or(SILENT, |usual| SILENT.max(usual * TIMES_USUAL));
        let oldest = state.left.values().next().map(Instant::elapsed);
        if let Some(silent) = oldest.filter(|silent| *silent >= patience) {
            let calls = state.left.len();
            let many = if calls == 1 { "call waits" } else { "calls wait" };
            return Some(format!("no answer for {} s, {calls} {many}", silent.as_secs()));
        }
        match state.given_up {
            0 => {}
            1 => return Some("no answer to the last call, which was given up".to_owned()),
            many => {
                return Some(format!("no answer to the last {many} calls, which were given up"));
            }
        }
        let failed = state.failed_in_a_row;
        (failed >= FAILURES).then(|| format!("failed {failed} times, last: {}", state.last_failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;

    #[tokio::test(start_paused = true)]
    async fn silence_is_told_until_it_ends() {
        let model = Arc::new(UnansweredCalls::default());
        let first = model.track_call();
        let second = model.track_call();
        assert_eq!(model.trouble(None), None);
        tokio::time::advance(Duration::from_secs(12)).await;
        assert_eq!(model.trouble(None).unwrap(), "no answer for 12 s, 2 calls wait");
        let slow = Some(Duration::from_secs(5));
        assert_eq!(model.trouble(slow), None, "it is slow, and not silent");
        drop((first, second));
        assert_eq!(model.trouble(None), None);
    }

    /// The time of a call that was given up is no time that answers take.
    #[tokio::test(start_paused = true)]
    async fn silence_goes_on_with_the_next_call() {
        let model = Arc::new(UnansweredCalls::default());
        let late = || Err(CallFault::free(FaultKind::OutOfTime, "no word"));
        let minute = Some(Duration::from_secs(60));
        model.heard(&late());
        let told = "no answer to the last call, which was given up";
        assert_eq!(model.trouble(minute).as_deref(), Some(told));
        let next = model.track_call();
        assert_eq!(model.trouble(minute).as_deref(), Some(told));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(model.trouble(minute).unwrap(), "no answer for 11 s, 1 call waits");
        drop(next);
        model.heard(&late());
        // A call that the asker left says nothing.
        model.heard(&Err(CallFault::free(FaultKind::Cancelled, "left")));
        let told = "no answer to the last 2 calls, which were given up";
        assert_eq!(model.trouble(minute).as_deref(), Some(told));
        model.heard(&Err(CallFault::free(FaultKind::ModelTransient, "status 500")));
        assert!(!model.trouble(minute).unwrap_or_default().starts_with("no answer"));
    }

    #[test]
    fn failures_in_a_row_are_told_until_an_answer() {
        let model = UnansweredCalls::default();
        for _ in 0..FAILURES {
            assert_eq!(model.trouble(None), None);
            model.heard(&Err(CallFault::free(FaultKind::ModelTransient, "refused")));
        }
        assert_eq!(model.trouble(None).unwrap(), "failed 3 times, last: refused");
    }
}

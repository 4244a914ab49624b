//! What is wrong with a model at this moment: calls that were sent and have no answer yet, and
//! failures in a row. Status reports show it within seconds, long before the timeout of a call.

use crate::model::{CallFault, ChatReply, ProviderSign};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A call that waits this long for its answer is reported.
const SILENT: Duration = Duration::from_secs(10);
/// If answers of the model are slow, a call is reported only when it waits this many times as long
/// as recent answers took.
const TIMES_USUAL: u32 = 4;
/// This many failures in a row are reported.
const FAILURES: u32 = 3;

/// The calls of one model that have no answer yet, and its failures in a row.
#[derive(Default)]
pub(super) struct UnansweredCalls {
    state: Mutex<UnansweredState>,
}

/// What is known about the calls, behind one lock.
#[derive(Default)]
struct UnansweredState {
    /// The id of the next call.
    next: u64,
    /// When each waiting call was sent. Ids ascend, so the first entry is the oldest call.
    left: BTreeMap<u64, Instant>,
    /// Failures since the last answer. Calls that were cancelled count too.
    failed_in_a_row: u32,
    /// Calls that reached their timeout since the provider last sent anything.
    given_up: u32,
    /// The message of the last failure.
    last_failure: String,
}

/// A call that was sent. When the guard is dropped, the call no longer counts as waiting.
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

    /// Counts a call that is sent now, until the guard is dropped.
    pub(super) fn track_call(self: &Arc<Self>) -> PendingCallGuard {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.left.insert(id, Instant::now());
        PendingCallGuard { of: self.clone(), id }
    }

    /// Counts the result of a call.
    pub(super) fn heard(&self, reply: &Result<ChatReply, CallFault>) {
        let mut state = self.state();
        match reply {
            Ok(_) => (state.failed_in_a_row, state.given_up) = (0, 0),
            Err(failure) => {
                match failure.fault.kind.policy().sign {
                    ProviderSign::Silent => state.given_up += 1,
                    ProviderSign::Answers | ProviderSign::Fails => state.given_up = 0,
                    // Such a call was cancelled here, for example by a pause. The model has not
                    // failed.
                    ProviderSign::Nothing => return,
                }
                state.failed_in_a_row += 1;
                state.last_failure = failure.fault.message.clone();
            }
        }
    }

    /// What is wrong at the moment, for people; none if nothing is. `usual` is the latency of
    /// recent answers. After a call that reached its timeout, `usual` is ignored: the next call is
    /// reported as soon as it has waited for `SILENT`.
    pub(super) fn warning(&self, usual: Option<Duration>) -> Option<String> {
        let state = self.state();
        let usual = usual.filter(|_| state.given_up == 0);
        let limit = usual.map_or(SILENT, |usual| SILENT.max(usual * TIMES_USUAL));
        let oldest = state.left.values().next().map(Instant::elapsed);
        if let Some(silent) = oldest.filter(|silent| *silent >= limit) {
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
        assert_eq!(model.warning(None), None);
        tokio::time::advance(Duration::from_secs(12)).await;
        assert_eq!(model.warning(None).unwrap(), "no answer for 12 s, 2 calls wait");
        let slow = Some(Duration::from_secs(5));
        assert_eq!(model.warning(slow), None, "it is slow, and not silent");
        drop((first, second));
        assert_eq!(model.warning(None), None);
    }

    /// The time of a call that was given up is no time that answers take.
    #[tokio::test(start_paused = true)]
    async fn silence_goes_on_with_the_next_call() {
        let model = Arc::new(UnansweredCalls::default());
        let late = || Err(CallFault::free(FaultKind::OutOfTime, "no word"));
        let minute = Some(Duration::from_secs(60));
        model.heard(&late());
        let told = "no answer to the last call, which was given up";
        assert_eq!(model.warning(minute).as_deref(), Some(told));
        let next = model.track_call();
        assert_eq!(model.warning(minute).as_deref(), Some(told));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(model.warning(minute).unwrap(), "no answer for 11 s, 1 call waits");
        drop(next);
        model.heard(&late());
        // A cancelled call does not end the silence.
        model.heard(&Err(CallFault::free(FaultKind::Cancelled, "left")));
        let told = "no answer to the last 2 calls, which were given up";
        assert_eq!(model.warning(minute).as_deref(), Some(told));
        model.heard(&Err(CallFault::free(FaultKind::ModelTransient, "status 500")));
        assert!(!model.warning(minute).unwrap_or_default().starts_with("no answer"));
    }

    #[test]
    fn failures_in_a_row_are_told_until_an_answer() {
        let model = UnansweredCalls::default();
        for _ in 0..FAILURES {
            assert_eq!(model.warning(None), None);
            model.heard(&Err(CallFault::free(FaultKind::ModelTransient, "refused")));
        }
        assert_eq!(model.warning(None).unwrap(), "failed 3 times, last: refused");
        // A pause cancels calls. The model did not fail at them.
        model.heard(&Err(CallFault::free(FaultKind::Cancelled, "left")));
        assert_eq!(model.warning(None).unwrap(), "failed 3 times, last: refused");
        let paused = UnansweredCalls::default();
        for _ in 0..FAILURES {
            paused.heard(&Err(CallFault::free(FaultKind::Cancelled, "left")));
        }
        assert_eq!(paused.warning(None), None);
    }
}

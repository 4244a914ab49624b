//! Replay for external agents. The answers that an earlier attempt has paid for are given again, as
//! long as the program's calls are what they were. A program cannot be replayed command by command,
//! because it decides itself what it runs.

use super::ExternalAttempt;
use crate::agent_access::CallDecision;
use crate::model::{ChatMessage, ChatRequest, ExecEnd, Fault, FaultKind, Turn};
use crate::policy::{messages_since, same_message_by};
use crate::work::trajectory::phase::AttemptPhase;
use crate::work::trajectory::replay_match::matches_recorded;
use tokio::sync::oneshot;

impl ExternalAttempt<'_> {
    /// Checks that a call is the recorded one, except for times. In the call after the last
    /// recorded one of a stage, only the messages since the last recorded reply are compared. Err is
    /// `ReplayDiffers`.
    pub(super) fn ensure_repeats(&self, request: &ChatRequest) -> Result<(), Fault> {
        let stages = &self.acting.stages;
        let next = self.recorded.front();
        let next = next.filter(|turn| !stages.is_before(turn.step.stage.as_deref()));
        let repeats = match (next, self.repeated.last()) {
            (Some(Turn { opening: Some(opening), .. }), _) => {
                repeat(&opening.messages, &request.messages)
            }
            (Some(_), _) => repeat(&self.acting.history, &request.messages),
            (None, Some(last)) => {
                let then = last.messages.get(1..).unwrap_or_default();
                repeat(then, messages_since(&last.reply.message, &request.messages))
            }
            (None, None) => true,
        };
        let index = self.repeated.len();
        let differs = || format!("call {index} does not repeat");
        repeats.then_some(()).ok_or_else(|| Fault::new(FaultKind::ReplayDiffers, differs()))
    }

    /// Whether the program has ended a stage of the record as it ended it then. What it is asked next
    /// in the record belongs to a later stage.
    pub(super) fn repeats_end_of_stage(&self, end: &ExecEnd) -> bool {
        let next = self.recorded.front().and_then(|turn| turn.step.stage.as_deref());
        let ended = self.repeated.last().and_then(|turn| turn.step.end());
        self.acting.stages.is_before(next) && ended == Some(end)
    }

    /// Gives the next recorded answer, and takes over what its turn left. If the program does not
    /// wait for the answer any more, the turn stays for the next call.
    pub(super) fn replay_answer(&mut self, decision: oneshot::Sender<CallDecision>) {
        let Some(turn) = self.recorded.pop_front() else { return };
        let told =
            CallDecision::Recorded { turn: turn.step.index, reply: Box::new(turn.reply.clone()) };
        if decision.send(told).is_err() {
            return self.recorded.push_front(turn);
        }
        self.acting.attempt_state.enter_phase(AttemptPhase::Replaying { turn: turn.step.index });
        if let Some(opening) = &turn.opening {
            self.acting.history.clone_from(&opening.messages);
        }
        self.acting.resume_from(&turn);
        self.acting.stages.count_turn();
        self.acting.history.extend(turn.messages.iter().cloned());
        self.repeated.push(turn);
    }
}

/// Whether two conversations are equal, except for times and dates.
fn repeat(then: &[ChatMessage], now: &[ChatMessage]) -> bool {
    then.len() == now.len()
        && then.iter().zip(now).all(|(one, other)| same_message_by(one, other, matches_recorded))
}

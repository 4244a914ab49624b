//! Answers that an earlier attempt has paid for, told again for as long as the questions are what
//! they were.

use super::Hosting;
use crate::agents::Leave;
use crate::episode::phase::Phase;
use crate::episode::repeat::repeats;
use crate::model::{ChatRequest, Fault, FaultKind, Message, Turn};
use crate::policy::{says_as, since};
use tokio::sync::oneshot;

impl Hosting<'_> {
    /// While answers are told again, the questions must be what they were: so must what the
    /// last of them has led to.
    pub(super) fn must_repeat(&self, request: &ChatRequest) -> Result<(), Fault> {
        let repeats = match (self.recorded.front(), self.repeated.last()) {
            (Some(Turn { opening: Some(opening), .. }), _) => {
                repeat(&opening.messages, &request.messages)
            }
            (Some(_), _) => repeat(&self.acting.history, &request.messages),
            (None, Some(last)) => {
                let then = last.messages.get(1..).unwrap_or_default();
                repeat(then, since(&last.reply.message, &request.messages))
            }
            (None, None) => true,
        };
        let index = self.repeated.len();
        let differs = || format!("call {index} does not repeat");
        repeats.then_some(()).ok_or_else(|| Fault::new(FaultKind::ReplayDiffers, differs()))
    }

    /// An earlier attempt has paid for this answer. Who does not wait for it asks again.
    pub(super) fn tell_again(&mut self, leave: oneshot::Sender<Leave>) {
        let Some(turn) = self.recorded.pop_front() else { return };
        let told = Leave::Told { turn: turn.step.index, reply: Box::new(turn.reply.clone()) };
        if leave.send(told).is_err() {
            return self.recorded.push_front(turn);
        }
        self.acting.standing.become_phase(Phase::Replaying { turn: turn.step.index });
        if let Some(opening) = &turn.opening {
            self.acting.history.clone_from(&opening.messages);
        }
        self.acting.resume_from(&turn);
        self.acting.history.extend(turn.messages.iter().cloned());
        self.repeated.push(turn);
    }
}

/// Whether a conversation is what it was, times aside.
fn repeat(then: &[Message], now: &[Message]) -> bool {
    then.len() == now.len() && then.iter().zip(now).all(|(one, other)| says_as(one, other, repeats))
}

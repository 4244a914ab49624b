//! An answer as a turn of its own: nothing ran, and no later request follows from it.

use super::ModelAnswer;
use crate::model::{ActionType, ChatRequest, Step, StepAction, StepState, Turn, TurnAction};
use std::time::Duration;

impl ModelAnswer {
    /// The turn with this number. The whole request stands in it. `arguments` says what was asked, as JSON.
    pub fn into_turn(self, index: u32, arguments: String, request: ChatRequest) -> Turn {
        let reply = self.reply;
        let step = Step {
            index,
            state: StepState::default(),
            actions: vec![TurnAction::unrun(StepAction {
                kind: ActionType::Message,
                tool: String::new(),
                arguments,
            })],
            reasoning: reply.message.thoughts(),
            potential: 0.0,
            milestones: None,
            usage: reply.usage,
            cost: self.cost,
            model_ms: Some(millis(self.took.saturating_add(self.failed))),
            failed_ms: (!self.failed.is_zero()).then(|| millis(self.failed)),
            stage: None,
        };
        Turn {
            step,
            messages: vec![reply.message.clone()],
            reply,
            changes: Vec::new(),
            calls: self.tries,
            model: Some(self.model),
            opening: Some(Box::new(request)),
        }
    }
}

/// Whole milliseconds.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

//! How an answered call becomes a turn, as soon as it is known what it led to.

use super::{ExternalAttempt, OpenTurn};
use crate::model::{ActionType, ChatRequest, ExecEnd, ExecReport, Fault, Money, Step, Turn};
use crate::policy::{messages_since, told};
use crate::scaffold::ExternalScaffold;
use crate::work::trajectory::turns::{describe, failed_ms, millis};

impl ExternalAttempt<'_> {
    /// Completes the open turn and records it. Returns when it is durable, before the next call is
    /// paid for. `next` is the next call, whose new messages are the observation. `end` is the
    /// report of the program if it has ended. Repeated turns of an earlier attempt are recorded
    /// first, all at once.
    pub(super) async fn record_open_turn(
        &mut self,
        next: Option<&ChatRequest>,
        end: Option<&ExecReport>,
    ) -> Result<(), Fault> {
        let repeats = self.repeats();
        if !self.repeated.is_empty() && self.recorded.is_empty() {
            let repeated = std::mem::take(&mut self.repeated);
            self.acting.append_turns(repeated).await?;
        }
        let Some(open) = self.open.take() else {
            // Changes that were repeated, or made before the first call, belong to no turn. Those
            // after a call that was not answered belong to the next turn, as its tries do.
            if repeats || (self.acting.turns.is_empty() && self.tries == 0) {
                self.changes.clear();
            }
            return Ok(());
        };
        // Milestones can change only if files have changed.
        if std::mem::take(&mut self.changed) || self.acting.is_unmeasured {
            self.acting.evaluate_milestones().await?;
        }
        // What the program added to the conversation after the reply is the observation.
        let new = next.map_or(&[][..], |next| messages_since(&open.reply.message, &next.messages));
        let mut messages = vec![open.reply.message.clone()];
        messages.extend(new.iter().cloned());
        if open.is_opening {
            // The conversation began anew, so the history begins with this request.
            self.acting.history.clone_from(&open.request.messages);
        }
        let opening = open.is_opening.then(|| Box::new((*open.request).clone()));
        let turn = Turn {
            step: self.step(&open, told(new), end),
            messages,
            command: None,
            more_commands: Vec::new(),
            changes: std::mem::take(&mut self.changes),
            calls: std::mem::take(&mut self.tries),
            model: Some(open.heard.model).filter(|model| *model != self.acting.orders.plan.model),
            reply: open.reply,
            opening,
        };
        self.acting.record(vec![turn]).await
    }

    /// The step of a turn. The action is `Submit` if the program exited with code 0 after it,
    /// unless the model declined. The counters of tries, cost and failed time begin anew.
    fn step(&mut self, open: &OpenTurn, observation: String, end: Option<&ExecReport>) -> Step {
        let mut action = ExternalScaffold::action(&open.reply);
        // A program that ends with exit code 0 has submitted its work.
        let handed_in = end.is_some_and(|report| report.end == ExecEnd::Exited(0));
        if handed_in && action.kind != ActionType::Refusal {
            action.kind = ActionType::Submit;
        }
        let failed = std::mem::take(&mut self.failed);
        Step {
            index: self.acting.turns.len() as u32,
            state: open.before.clone(),
            action,
            observation,
            reasoning: open.reply.message.thoughts(),
            potential: self.acting.potential,
            end: end.map(|report| report.end.clone()),
            error: end.filter(|report| !report.end.success()).map(describe),
            truncated: false,
            usage: open.reply.usage,
            cost: std::mem::replace(&mut self.cost, Money::ZERO),
            duration_ms: millis(open.worked),
            model_ms: Some(millis(open.heard.took.saturating_add(failed))),
            failed_ms: failed_ms(failed),
        }
    }
}

//! How an answered call becomes a turn, as soon as it is known what it led to.

use super::{ExternalAttempt, OpenTurn};
use crate::agent::ExternalAgent;
use crate::model::{
    ActionType, ChatMessage, ChatRequest, ExecEnd, ExecReport, Fault, Money, Step, Turn,
};
use crate::policy::messages_since;
use crate::work::trajectory::active_attempt::{failed_ms, millis};

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
        self.acting.stages.count_turn();
        let turn = Turn {
            step: self.step(&open, new, end),
            messages,
            changes: std::mem::take(&mut self.changes),
            calls: std::mem::take(&mut self.tries),
            model: Some(open.result.model).filter(|model| *model != self.acting.orders.plan.model),
            reply: open.reply,
            opening,
        };
        self.acting.record(vec![turn]).await
    }

    /// The step of a turn. `told` are the messages that the program added after the reply. The last
    /// action is `Submit` if the program exited with code 0 after it, unless the model declined. The
    /// counters of tries, cost and lost time begin anew.
    fn step(&mut self, open: &OpenTurn, told: &[ChatMessage], end: Option<&ExecReport>) -> Step {
        let mut actions = ExternalAgent::actions(&open.reply, told);
        // A program that ends with exit code 0 has submitted its work.
        let handed_in = end.is_some_and(|report| report.end == ExecEnd::Exited(0));
        if let Some(last) = actions.last_mut() {
            if handed_in && last.request.kind != ActionType::Refusal {
                last.request.kind = ActionType::Submit;
            }
            last.end = end.map(|report| report.end.clone());
            let failed = end.filter(|report| !report.end.success());
            last.error = failed.map(|report| report.end.describe());
            // The program does not say how long each of its actions took.
            last.duration_ms = millis(open.worked);
        }
        let failed = std::mem::take(&mut self.failed);
        let abandoned = std::mem::take(&mut self.abandoned);
        let model = open.result.took.saturating_add(failed).saturating_add(abandoned);
        Step {
            index: self.acting.turns.len() as u32,
            state: open.before.clone(),
            actions,
            reasoning: open.reply.message.thoughts(),
            potential: self.acting.potential,
            milestones: self.acting.held.clone(),
            usage: open.reply.usage,
            cost: std::mem::replace(&mut self.cost, Money::ZERO),
            model_ms: Some(millis(model)),
            failed_ms: failed_ms(failed),
            stage: self.acting.stages.step_stage(),
        }
    }
}

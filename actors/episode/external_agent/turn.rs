//! What becomes of an answer: a turn, as soon as it is known what it has led to.

use super::{ExternalAttempt, OpenTurn};
use crate::episode::turns::{describe, failed_ms, millis};
use crate::model::{ActionType, ChatRequest, ExecEnd, ExecReport, Fault, Money, Step, Turn};
use crate::policy::{messages_since, told};
use crate::scaffold::ExternalScaffold;

impl ExternalAttempt<'_> {
    /// What the last answer has led to, durable before the next one is paid for.
    pub(super) async fn record_open_turn(
        &mut self,
        next: Option<&ChatRequest>,
        end: Option<&ExecReport>,
    ) -> Result<(), Fault> {
        if !self.repeated.is_empty() && self.recorded.is_empty() {
            let repeated = std::mem::take(&mut self.repeated);
            self.acting.append_turns(repeated).await?;
        }
        let Some(open) = self.open.take() else {
            // Of no turn: what was done before the first, or done again.
            self.changes.clear();
            return Ok(());
        };
        if std::mem::take(&mut self.changed) {
            self.acting.potential = self.acting.evaluate_milestones().await?;
        }
        let new = next.map_or(&[][..], |next| messages_since(&open.reply.message, &next.messages));
        let mut messages = vec![open.reply.message.clone()];
        messages.extend(new.iter().cloned());
        if open.is_opening {
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

    fn step(&mut self, open: &OpenTurn, observation: String, end: Option<&ExecReport>) -> Step {
        let mut action = ExternalScaffold::action(&open.reply);
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

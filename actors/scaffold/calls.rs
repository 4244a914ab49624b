//! Replies with several tool calls. The calls run in their order. Each call gets a message as its
//! answer. The turn records all calls.

use super::{AgentObservation, ParsedAction, Scaffold};
use crate::model::{ChatMessage, ExecReport, StepAction};
use serde_json::{Value, json};
use std::iter::once;

/// The tool name of a recorded action with several calls. Its arguments list the calls as `calls`.
pub const PARALLEL: &str = "parallel";

const NOT_RUN: &str = "This call was not run: the episode ended with an earlier call of the reply.";

impl ParsedAction {
    /// Every call of the reply, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ParsedAction> {
        once(self).chain(&self.rest)
    }

    /// The action as it is recorded.
    pub fn recorded(&self) -> StepAction {
        if self.rest.is_empty() {
            return self.action.clone();
        }
        let calls: Vec<Value> = self.calls().map(|call| described(&call.action)).collect();
        StepAction {
            kind: self.action.kind,
            tool: PARALLEL.to_owned(),
            arguments: json!({ "calls": calls }).to_string(),
        }
    }
}

fn described(action: &StepAction) -> Value {
    let arguments: Value = serde_json::from_str(&action.arguments).unwrap_or_default();
    json!({ "tool": action.tool, "arguments": arguments })
}

/// What the agent sees after a reply with several calls. `reports` has the calls that ran: the
/// first ones.
pub fn observe_calls(
    scaffold: &dyn Scaffold,
    action: &ParsedAction,
    reports: &[ExecReport],
) -> AgentObservation {
    if let ([report], true) = (reports, action.rest.is_empty()) {
        return scaffold.observe(action, report);
    }
    let mut seen = AgentObservation { text: String::new(), messages: Vec::new(), submitted: false };
    for (at, call) in action.calls().enumerate() {
        let told = match reports.get(at) {
            Some(report) => scaffold.observe(call, report),
            None => not_run(call),
        };
        let gap = if at == 0 { "" } else { "\n" };
        seen.text.push_str(&format!("{gap}<call>\n{}\n</call>", told.text));
        seen.messages.extend(told.messages);
        seen.submitted |= told.submitted;
    }
    seen
}

fn not_run(call: &ParsedAction) -> AgentObservation {
    let messages = vec![ChatMessage::tool_result(&call.call_id, NOT_RUN)];
    AgentObservation { text: NOT_RUN.to_owned(), messages, submitted: false }
}

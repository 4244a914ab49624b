//! Replies with several tool calls. The calls run in their order. Each call gets a message as its
//! answer, because providers refuse a conversation with an unanswered call. The turn records all
//! calls.

use super::{AgentObservation, ParsedAction, Scaffold};
use crate::model::{ChatMessage, ExecReport, StepAction};
use serde_json::{Value, json};
use std::iter::once;

/// The tool name of a recorded action with several calls. Its arguments list the calls: `{"calls":
/// [{"tool": "bash", "arguments": {"command": "ls"}}, ...]}`.
pub const PARALLEL: &str = "parallel";

/// The answer to a call that did not run, because an earlier call ended the episode.
const NOT_RUN: &str = "This call was not run: the episode ended with an earlier call of the reply.";

impl ParsedAction {
    /// Every call of the reply, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ParsedAction> {
        once(self).chain(&self.rest)
    }

    /// The action as it is recorded: a single call as it is, several calls under the name
    /// [`PARALLEL`].
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

/// One call of the list. Arguments that are no JSON become null.
fn described(action: &StepAction) -> Value {
    let arguments: Value = serde_json::from_str(&action.arguments).unwrap_or_default();
    json!({ "tool": action.tool, "arguments": arguments })
}

/// What the agent sees after a reply with any number of calls. `reports` belong to the first calls,
/// which ran; the calls behind them are answered as not run. With several calls, each observation
/// stands between `<call>` and `</call>`.
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

/// The observation of a call that did not run.
fn not_run(call: &ParsedAction) -> AgentObservation {
    let messages = vec![ChatMessage::tool_result(&call.call_id, NOT_RUN)];
    AgentObservation { text: NOT_RUN.to_owned(), messages, submitted: false }
}

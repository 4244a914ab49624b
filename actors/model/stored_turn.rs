//! The forms in which turns are stored. Present turns have a list of actions. Turns of older versions
//! have one action for the whole reply, and the commands that ran beside it; they are read into the
//! present form, and nothing of them is lost.
//!
//! An older turn with several calls did not say which of them went wrong, how each ended and how
//! long it took. These stand at the last call that ran.

use super::{
    ActionType, ChatMessage, ChatReply, ChatRequest, ChatRole, ExecEnd, Money, PARALLEL, Step,
    StepAction, StepStage, StepState, Turn, TurnAction, Usage, WorkspaceChange, joined_observation,
};
use serde::Deserialize;
use serde_json::Value;

/// A turn as it may stand in a store.
#[derive(Deserialize)]
pub(super) struct StoredTurn {
    step: StoredStep,
    reply: ChatReply,
    messages: Vec<ChatMessage>,
    /// Only in older turns: the first command that ran.
    #[serde(default)]
    command: Option<String>,
    /// Only in older turns: the commands of further calls.
    #[serde(default)]
    more_commands: Vec<String>,
    #[serde(default)]
    changes: Vec<WorkspaceChange>,
    calls: u32,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    opening: Option<Box<ChatRequest>>,
}

/// A step as it may stand in a store.
#[derive(Deserialize)]
struct StoredStep {
    index: u32,
    state: StepState,
    /// None in older steps.
    #[serde(default)]
    actions: Option<Vec<TurnAction>>,
    /// Only in older steps, as the next fields.
    #[serde(default)]
    action: Option<StepAction>,
    #[serde(default)]
    observation: String,
    #[serde(default)]
    end: Option<ExecEnd>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    duration_ms: u64,
    reasoning: String,
    potential: f64,
    /// None in older steps.
    #[serde(default)]
    milestones: Option<Vec<String>>,
    usage: Usage,
    cost: Money,
    #[serde(default)]
    model_ms: Option<u64>,
    #[serde(default)]
    failed_ms: Option<u64>,
    #[serde(default)]
    stage: Option<Box<StepStage>>,
}

impl From<StoredTurn> for Turn {
    fn from(mut stored: StoredTurn) -> Self {
        let actions = match stored.step.actions.take() {
            Some(actions) => actions,
            None => stored.older_actions(),
        };
        let StoredStep { index, state, reasoning, potential, milestones, usage, cost, .. } =
            stored.step;
        let (model_ms, failed_ms, stage) =
            (stored.step.model_ms, stored.step.failed_ms, stored.step.stage);
        Self {
            step: Step {
                index,
                state,
                actions,
                reasoning,
                potential,
                milestones,
                usage,
                cost,
                model_ms,
                failed_ms,
                stage,
            },
            reply: stored.reply,
            messages: stored.messages,
            changes: stored.changes,
            calls: stored.calls,
            model: stored.model,
            opening: stored.opening,
        }
    }
}

impl StoredTurn {
    /// The actions of an older turn.
    fn older_actions(&self) -> Vec<TurnAction> {
        let ran = usize::from(self.command.is_some()) + self.more_commands.len();
        let whole = self.step.action.clone();
        let whole = whole.unwrap_or_else(|| StepAction::bare(ActionType::Message));
        let mut actions = self.older_calls(&whole).unwrap_or_else(|| {
            let id = self.reply.message.tool_calls.first().map(|call| call.id.clone());
            let observation = self.step.observation.clone();
            let call_id = id.unwrap_or_default();
            vec![TurnAction { call_id, observation, ..TurnAction::unrun(whole.clone()) }]
        });
        for action in actions.iter_mut().take(ran) {
            action.ran = true;
        }
        let last = ran.min(actions.len()).saturating_sub(1);
        if let Some(last) = actions.get_mut(last) {
            // The kind of the whole was `Submit` if one of its calls submitted; none ran after it.
            last.request.kind = whole.kind;
            (last.error, last.end) = (self.step.error.clone(), self.step.end.clone());
            (last.truncated, last.duration_ms) = (self.step.truncated, self.step.duration_ms);
        }
        actions
    }

    /// The calls of an older turn with several, each with the message that answers it. None: the
    /// turn had one action, or its messages do not say what the agent saw of each call.
    fn older_calls(&self, whole: &StepAction) -> Option<Vec<TurnAction>> {
        if whole.tool != PARALLEL || whole.kind == ActionType::Malformed {
            return None;
        }
        let arguments: Value = serde_json::from_str(&whole.arguments).ok()?;
        let calls = arguments.get("calls")?.as_array()?;
        let written = &self.reply.message.tool_calls;
        let one = |(call, written): (&Value, &super::ToolCall)| {
            let tool = call.get("tool")?.as_str()?.to_owned();
            let arguments = call.get("arguments")?.to_string();
            let request = StepAction { kind: ActionType::ToolCall, tool, arguments };
            let call_id = written.id.clone();
            let observation = answer_to(&self.messages, &call_id)?;
            Some(TurnAction { call_id, observation, ..TurnAction::unrun(request) })
        };
        let actions: Vec<TurnAction> = calls.iter().zip(written).map(one).collect::<Option<_>>()?;
        // What the agent saw must be told by the parts as it was by the whole.
        let shown = joined_observation(actions.iter().map(|action| action.observation.as_str()));
        let is_whole = actions.len() == calls.len() && shown == self.step.observation;
        (is_whole && !actions.is_empty()).then_some(actions)
    }
}

/// The text of the message that answers a call.
fn answer_to(messages: &[ChatMessage], id: &str) -> Option<String> {
    let answers =
        |m: &&ChatMessage| m.role == ChatRole::Tool && m.tool_call_id.as_deref() == Some(id);
    messages.iter().find(answers).map(|message| message.content.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A turn as a version without lists of actions stored it. `calls` are the ids of the calls of
    /// the reply, each with the message that answers it.
    fn older(step: Value, calls: &[(&str, &str)], commands: &[&str]) -> Turn {
        let tool_calls: Vec<Value> = calls
            .iter()
            .map(|(id, _)| json!({ "id": id, "name": "bash", "arguments": "{}" }))
            .collect();
        let message = json!({ "role": "assistant", "content": "now", "tool_calls": tool_calls });
        let mut messages = vec![message.clone()];
        messages.extend(
            calls
                .iter()
                .map(|(id, text)| json!({ "role": "tool", "content": text, "tool_call_id": id })),
        );
        let usage = json!({ "input_tokens": 5, "output_tokens": 2 });
        let mut whole = json!({
            "index": 0, "state": { "cwd": "/work", "files": [] }, "reasoning": "now",
            "potential": 0.5, "usage": usage, "cost": "0.000000003", "duration_ms": 12, "truncated": true,
            "end": { "end": "exited", "value": 3 }, "error": "killed by signal 9"
        });
        for (key, value) in step.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let mut turn = json!({
            "step": whole, "messages": messages, "calls": 1, "command": commands.first(),
            "reply": { "message": message, "finish": "tool_calls", "usage": usage }
        });
        if commands.len() > 1 {
            turn["more_commands"] = json!(commands[1..]);
        }
        serde_json::from_value(turn).unwrap()
    }

    fn step(kind: &str, tool: &str, arguments: &str, observation: &str) -> Value {
        let action = json!({ "type": kind, "tool": tool, "arguments": arguments });
        json!({ "action": action, "observation": observation })
    }

    #[test]
    fn an_older_turn_with_one_call_has_one_action() {
        let arguments = r#"{"command":"ls"}"#;
        let turn = older(step("submit", "bash", arguments, "a"), &[("c1", "a")], &["ls"]);
        let [action] = turn.step.actions.as_slice() else { panic!("{turn:?}") };
        assert_eq!((action.call_id.as_str(), action.ran), ("c1", true));
        assert_eq!((action.observation.as_str(), action.duration_ms), ("a", 12));
        assert_eq!(
            (turn.step.kind(), turn.step.end()),
            (ActionType::Submit, Some(&ExecEnd::Exited(3)))
        );
        assert_eq!(turn.step.error(), Some("killed by signal 9"));
        assert_eq!((turn.step.potential, turn.step.milestones.as_ref()), (0.5, None));
        assert!(turn.step.truncated());
    }

    /// What the agent saw, and what the row says of the whole, stays as it was.
    #[test]
    fn an_older_turn_with_several_calls_has_an_action_for_each() {
        let arguments = r#"{"calls":[{"arguments":{"command":"ls"},"tool":"bash"},{"arguments":{"command":"exit 3"},"tool":"bash"},{"arguments":{"command":"pwd"},"tool":"bash"}]}"#;
        let calls = [("c1", "one"), ("c2", "two"), ("c3", "not run")];
        let seen = "<call>\none\n</call>\n<call>\ntwo\n</call>\n<call>\nnot run\n</call>";
        let turn = older(step("submit", PARALLEL, arguments, seen), &calls, &["ls", "exit 3"]);
        let ran: Vec<bool> = turn.step.actions.iter().map(|action| action.ran).collect();
        assert_eq!(ran, [true, true, false]);
        assert_eq!(turn.step.observation(), seen);
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&turn.step.action().arguments), value(arguments));
        assert_eq!(turn.step.kind(), ActionType::Submit);
        let ends: Vec<bool> = turn.step.actions.iter().map(|a| a.end.is_some()).collect();
        assert_eq!((ends, turn.step.duration_ms()), (vec![false, true, false], 12));
    }

    /// The program of an external agent said more than the results of its calls: the turn stays
    /// whole.
    #[test]
    fn an_older_turn_that_shows_more_than_its_calls_stays_one_action() {
        let arguments = r#"{"calls":[{"arguments":{},"tool":"a"},{"arguments":{},"tool":"b"}]}"#;
        let calls = [("c1", "one"), ("c2", "two")];
        let turn = older(step("tool_call", PARALLEL, arguments, "one\ntwo\nand more"), &calls, &[]);
        assert_eq!(
            (turn.step.actions.len(), turn.step.observation().as_str()),
            (1, "one\ntwo\nand more")
        );
    }

    /// An agent's program answered in its own way: the turn stays whole.
    #[test]
    fn an_older_turn_whose_calls_are_not_answered_stays_one_action() {
        let arguments = r#"{"calls":[{"arguments":{},"tool":"a"},{"arguments":{},"tool":"b"}]}"#;
        let mut turn = older(step("tool_call", PARALLEL, arguments, "seen"), &[], &[]);
        assert_eq!((turn.step.actions.len(), turn.step.observation().as_str()), (1, "seen"));
        assert_eq!((turn.step.action().tool.as_str(), turn.ran().count()), (PARALLEL, 0));
        // The present form is read back as it was written.
        turn.step.actions.push(TurnAction::unrun(StepAction::bare(ActionType::Message)));
        turn.step.milestones = Some(vec!["begun".to_owned()]);
        let text = serde_json::to_string(&turn).unwrap();
        assert_eq!(serde_json::from_str::<Turn>(&text).unwrap(), turn);
    }
}

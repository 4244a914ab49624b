//! `external/NAME`: an external agent. It is a program that runs in the sandbox and calls its model
//! itself. The engine reads the program's actions from its conversation.

use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRole, FinishReason, StepAction, ToolCall, TurnAction,
};
use serde_json::{Map, Value, json};

/// An agent that is a program. Its command and settings are the campaign's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAgent {
    /// The full name, with the prefix.
    name: String,
}

impl ExternalAgent {
    /// The prefix before the program's name.
    pub const PREFIX: &'static str = "external/";

    /// Whether the agent with that name is a program.
    pub fn is(name: &str) -> bool {
        name.starts_with(Self::PREFIX)
    }

    /// The agent for a full name such as `external/NAME`. None for every other name.
    pub fn named(name: &str) -> Option<Self> {
        Self::is(name).then(|| Self { name: name.to_owned() })
    }

    /// The full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the program in the campaign.
    pub fn program(&self) -> &str {
        self.name.strip_prefix(Self::PREFIX).unwrap_or_default()
    }

    /// The actions that a reply asks for, for the record. It works for the tools of every program,
    /// because it only names the tool and its arguments. A reply without a call is a `Message`.
    /// `told` are the messages that the program added after the reply. A tool result is the
    /// observation of its call; everything else that the program said is shown after the last one.
    pub fn actions(reply: &ChatReply, told: &[ChatMessage]) -> Vec<TurnAction> {
        let calls = reply.message.tool_calls.as_slice();
        let mut actions: Vec<TurnAction> = match calls {
            _ if reply.finish == FinishReason::Refusal => vec![bare(ActionType::Refusal)],
            [] => vec![bare(ActionType::Message)],
            calls => calls.iter().map(called).collect(),
        };
        let last = actions.len().saturating_sub(1);
        for message in told.iter().filter(|message| message.role != ChatRole::Assistant) {
            let id = message.tool_call_id.as_deref();
            let of = |action: &TurnAction| id.is_some_and(|id| action.call_id == id);
            // Some hosts give several calls one id. Their results come in the order of the calls.
            let unanswered = |action: &TurnAction| of(action) && action.observation.is_empty();
            let at = actions.iter().position(unanswered).or(actions.iter().position(of));
            if let Some(action) = actions.get_mut(at.unwrap_or(last)) {
                show(&mut action.observation, &message.content);
            }
        }
        actions
    }
}

/// An action that is no call.
fn bare(kind: ActionType) -> TurnAction {
    TurnAction::unrun(StepAction::bare(kind))
}

/// A call of a tool that only the program knows.
fn called(call: &ToolCall) -> TurnAction {
    let arguments = object(&call.arguments).to_string();
    let request = StepAction { kind: ActionType::ToolCall, tool: call.name.clone(), arguments };
    TurnAction { call_id: call.id.clone(), ..TurnAction::unrun(request) }
}

/// Adds a message to an observation, on lines of its own.
fn show(observation: &mut String, text: &str) {
    if !observation.is_empty() {
        observation.push('\n');
    }
    observation.push_str(text);
}

/// Arguments as the model wrote them. If they are not a JSON object, they are kept inside one.
fn object(written: &str) -> Value {
    match serde_json::from_str::<Map<String, Value>>(written) {
        Ok(object) => Value::Object(object),
        Err(_) => json!({ "unparsed": written }),
    }
}

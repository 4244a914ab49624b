//! `external/NAME`: an external agent. It is a program that runs in the sandbox and calls its model
//! itself. The engine reads the program's actions from its conversation.
//!
//! The program has its own prompts and tools, so the methods of [`Scaffold`] matter only for
//! scripted models, cost estimates and model assignment. They treat the program like `minimal`,
//! because most such programs have a shell as a tool.

use super::{AgentObservation, FormatError, MinimalScaffold, PARALLEL, ParsedAction, Scaffold};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRequest, ExecReport, FinishReason, MoveAction,
    StepAction, Task,
};
use serde_json::{Map, Value, json};

/// The scaffold of one agent program.
pub struct ExternalScaffold {
    /// The full name, with the prefix.
    name: String,
}

impl ExternalScaffold {
    /// The prefix before the program's name.
    pub const PREFIX: &'static str = "external/";

    /// Whether the scaffold with that name is an agent program.
    pub fn is(name: &str) -> bool {
        name.starts_with(Self::PREFIX)
    }

    /// The scaffold for a full name such as `external/NAME`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The action that a reply asks for, for the record. It works for the tools of every program,
    /// because it only names the tool and its arguments. A reply without a call is a `Message`.
    pub fn action(reply: &ChatReply) -> StepAction {
        let calls = &reply.message.tool_calls;
        let (kind, tool, arguments) = match calls.as_slice() {
            _ if reply.finish == FinishReason::Refusal => {
                (ActionType::Refusal, String::new(), json!({}))
            }
            [] => (ActionType::Message, String::new(), json!({})),
            [call] => (ActionType::ToolCall, call.name.clone(), object(&call.arguments)),
            calls => {
                let one = |call: &crate::model::ToolCall| json!({ "tool": call.name, "arguments": object(&call.arguments) });
                let all: Vec<Value> = calls.iter().map(one).collect();
                (ActionType::ToolCall, PARALLEL.to_owned(), json!({ "calls": all }))
            }
        };
        StepAction { kind, tool, arguments: arguments.to_string() }
    }
}

/// Arguments as the model wrote them. If they are not a JSON object, they are kept inside one.
fn object(written: &str) -> Value {
    match serde_json::from_str::<Map<String, Value>>(written) {
        Ok(object) => Value::Object(object),
        Err(_) => json!({ "unparsed": written }),
    }
}

impl Scaffold for ExternalScaffold {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, task: &Task) -> Vec<ChatMessage> {
        MinimalScaffold.open(task)
    }

    fn request(&self, history: &[ChatMessage]) -> ChatRequest {
        MinimalScaffold.request(history)
    }

    fn parse(&self, reply: &ChatReply) -> Result<ParsedAction, FormatError> {
        MinimalScaffold.parse(reply)
    }

    fn observe(&self, action: &ParsedAction, report: &ExecReport) -> AgentObservation {
        MinimalScaffold.observe(action, report)
    }

    fn correct(&self, reply: &ChatReply, error: &FormatError) -> AgentObservation {
        MinimalScaffold.correct(reply, error)
    }

    fn express(&self, think: &str, deed: &MoveAction, turn: u32) -> ChatMessage {
        MinimalScaffold.express(think, deed, turn)
    }
}

//! Messages of a conversation as dataset rows have them. Trajectories and completions have the same
//! messages, so that one reader is enough for both.

use super::column::row_columns;
use super::{ChatMessage, ChatRole, ToolCall};
use serde::{Deserialize, Serialize};

row_columns! {
    /// One message, exactly as it was sent to the model or received from it.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowMessage {
        /// `system`, `user`, `assistant` or `tool`.
        pub role: String,
        /// The text; empty if an assistant only calls tools.
        #[long_text(true)]
        pub content: String,
        /// What the model thought before the message; null if the provider does not say.
        #[long_text(true)]
        pub reasoning: Option<String>,
        /// The calls of an assistant message; null if it makes none.
        pub tool_calls: Option<Vec<RowToolCall>>,
        /// Which call a `tool` message answers; null in other messages.
        pub tool_call_id: Option<String>,
        /// The name of the tool whose call a `tool` message answers; null if it is not known.
        pub name: Option<String>,
        /// 1 for a reply of the model in this very row, null for everything else.
        pub weight: Option<i32>,
        /// The step that the message is of: a reply, or what the agent told the model after it. Null for
        /// a message of the first request, and where an older engine made the row.
        #[since(10)]
        pub step: Option<i32>,
        /// What a loss may do with a message of an assistant: `reply` for a reply of the model in this very
        /// row, `error` for one in whose step something went wrong, `injected` for a message that somebody
        /// else put into its mouth. Null for other messages, and where an older engine made the row.
        #[since(10)]
        pub loss_hint: Option<String>,
    }
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageOrigin {
    /// Whether it is a reply of the model in this row.
    pub own: bool,
    /// The step that it is of.
    pub step: Option<u32>,
    /// Whether something went wrong in this step.
    pub failed: bool,
}

impl MessageOrigin {
    /// The hint for a message of this role.
    fn hint(self, role: ChatRole) -> Option<&'static str> {
        match (role, self.own, self.failed) {
            (ChatRole::Assistant, true, true) => Some("error"),
            (ChatRole::Assistant, true, false) => Some("reply"),
            (ChatRole::Assistant, false, _) => Some("injected"),
            _ => None,
        }
    }
}

row_columns! {
    /// One call of a tool.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowToolCall {
        /// The id by which the result names the call.
        pub id: String,
        /// The name of the tool.
        pub name: String,
        /// The arguments as the model wrote them: usually a JSON object as text.
        #[long_text(true)]
        pub arguments: String,
    }
}

impl RowMessage {
    /// The messages of a conversation. `origin` says where the message at a position comes from.
    pub fn all_of(messages: &[&ChatMessage], origin: impl Fn(usize) -> MessageOrigin) -> Vec<Self> {
        let each = messages.iter().enumerate();
        each.map(|(at, message)| {
            let name = message.tool_call_id.as_deref();
            let name = name.and_then(|id| tool_of(&messages[..at], id));
            Self::of(message, name, origin(at))
        })
        .collect()
    }

    /// One message. `name` is the tool whose call it answers.
    fn of(message: &ChatMessage, name: Option<&str>, origin: MessageOrigin) -> Self {
        let thought = message.reasoning.as_ref().map(|reasoning| reasoning.text.clone());
        let calls = message.tool_calls.iter().map(RowToolCall::of).collect::<Vec<_>>();
        Self {
            role: message.role.as_str().to_owned(),
            content: message.content.clone(),
            reasoning: thought.filter(|text| !text.is_empty()),
            tool_calls: (!calls.is_empty()).then_some(calls),
            tool_call_id: message.tool_call_id.clone(),
            name: name.map(str::to_owned),
            weight: origin.own.then_some(1),
            step: origin.step.map(|step| i32::try_from(step).unwrap_or(i32::MAX)),
            loss_hint: origin.hint(message.role).map(str::to_owned),
        }
    }
}

impl RowToolCall {
    fn of(call: &ToolCall) -> Self {
        Self { id: call.id.clone(), name: call.name.clone(), arguments: call.arguments.clone() }
    }
}

/// The tool of the newest call with this id. None if no message makes such a call.
fn tool_of<'a>(before: &[&'a ChatMessage], id: &str) -> Option<&'a str> {
    let mut calls = before.iter().rev().flat_map(|message| &message.tool_calls);
    calls.find(|call| call.id == id).map(|call| call.name.as_str())
}

impl ChatRole {
    /// The word in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

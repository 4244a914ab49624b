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
    /// The messages of a conversation. `is_own` says which messages are replies of the model in this
    /// row.
    pub fn all_of(
        messages: &[&ChatMessage],
        is_own: impl Fn(usize, &ChatMessage) -> bool,
    ) -> Vec<Self> {
        let each = messages.iter().enumerate();
        each.map(|(at, message)| {
            let name = message.tool_call_id.as_deref();
            let name = name.and_then(|id| tool_of(&messages[..at], id));
            Self::of(message, name, is_own(at, message))
        })
        .collect()
    }

    /// One message. `name` is the tool whose call it answers.
    fn of(message: &ChatMessage, name: Option<&str>, own: bool) -> Self {
        let thought = message.reasoning.as_ref().map(|reasoning| reasoning.text.clone());
        let calls = message.tool_calls.iter().map(RowToolCall::of).collect::<Vec<_>>();
        Self {
            role: message.role.as_str().to_owned(),
            content: message.content.clone(),
            reasoning: thought.filter(|text| !text.is_empty()),
            tool_calls: (!calls.is_empty()).then_some(calls),
            tool_call_id: message.tool_call_id.clone(),
            name: name.map(str::to_owned),
            weight: own.then_some(1),
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

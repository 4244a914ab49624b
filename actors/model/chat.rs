//! The canonical conversation: what a scaffold sends and a model answers.

use super::ReasoningEffort;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    System,
    User,
    Assistant,
    Tool,
}

/// One tool call as the model wrote it: the arguments are its own bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: ChatRole,
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What a model thought before it spoke, where its provider shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
}

/// A model's reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    pub text: String,
    /// What must go back exactly as it came: JSON of the family named first. Another family
    /// is sent none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbatim: Option<(String, String)>,
}

impl ChatMessage {
    pub fn text(role: ChatRole, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            reasoning: None,
        }
    }

    /// What the model thought and said before it acted.
    pub fn thoughts(&self) -> String {
        let thought = self.reasoning.as_ref().map_or("", |reasoning| reasoning.text.as_str());
        let parts = [thought, self.content.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n\n")
    }

    pub fn tool_result(call_id: &str, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.to_owned()), ..Self::text(ChatRole::Tool, content) }
    }
}

/// A tool as it is offered to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSchema {
    pub name: String,
    pub description: String,
    pub parameters: serde_json::Value,
}

/// What is sent: the whole conversation so far and an explicit output cap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    pub tools: Vec<ToolSchema>,
    pub max_output_tokens: u32,
    #[serde(default, skip_serializing_if = "RequestSettings::are_usual")]
    pub settings: RequestSettings,
}

/// What a request may ask of a model besides; what is none is the provider's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestSettings {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub stop: Vec<String>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_calls: Option<bool>,
    /// Whose request it is, for providers that want to know; no name of a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<u32>,
    /// Put into the body as it stands here.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Whether tools are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    Auto,
    None,
    Required,
    Tool(String),
}

impl RequestSettings {
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    ToolCalls,
    /// The output cap cut the reply: whatever it holds is not a whole action.
    Length,
    Refusal,
}

/// Tokens as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All that was read, from a cache too.
    pub input_tokens: u64,
    /// All that was written, reasoning too.
    pub output_tokens: u64,
    /// Of the input; none where the provider does not say, which is not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Of the input, written to a cache for the next request; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the output, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Of which nothing more is known.
    pub fn of(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, ..Self::default() }
    }

    pub fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: sum(self.cached_tokens, other.cached_tokens),
            cache_write_tokens: sum(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
        }
    }
}

/// None only where neither was counted.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    pub message: ChatMessage,
    pub finish: FinishReason,
    pub usage: Usage,
    /// The provider did not say what it counted: the usage is not known, which is not zero.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uncounted: bool,
    /// What the provider calls the model that answered, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
}

impl ChatReply {
    pub fn new(message: ChatMessage, finish: FinishReason, usage: Usage) -> Self {
        Self { message, finish, usage, uncounted: false, answered_by: None }
    }

    /// None where nobody counted, which is not zero.
    pub fn counted(&self) -> Option<Usage> {
        (!self.uncounted).then_some(self.usage)
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_what_was_thought_and_said() {
        let said = ChatMessage::text(ChatRole::Assistant, "said");
        assert_eq!(said.thoughts(), "said");
        let reasoning = Reasoning { text: "thought".to_owned(), verbatim: None };
        let both = ChatMessage { reasoning: Some(reasoning), ..said };
        assert_eq!(both.thoughts(), "thought\n\nsaid");
        assert_eq!(ChatMessage { content: String::new(), ..both }.thoughts(), "thought");
    }
}

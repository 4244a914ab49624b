//! The conversation with a model in the engine's own form. A scaffold builds a [`ChatRequest`], a
//! model adapter translates it into the provider's wire format, and the answer comes back as a
//! [`ChatReply`]. The gateway translates clients' requests into the same types. Requests and
//! replies are recorded in turns, so these types are also a storage format.

use super::{ReasoningEffort, ReplyTokens};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    System,
    User,
    Assistant,
    /// The result of a tool call. `ChatMessage::tool_call_id` says which call it answers.
    Tool,
}

/// One call of a tool, exactly as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id that the provider gave the call. The message with the result repeats it.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments as the model wrote them. Usually this is a JSON object, but the text may be
    /// invalid JSON.
    pub arguments: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: ChatRole,
    /// The text of the message. It may be empty, for example if an assistant only calls tools.
    pub content: String,
    /// The calls that an assistant message makes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The id of the call that a message with [`ChatRole::Tool`] answers; none in other messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What the model thought before this message, if the provider returns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
}

/// A model's reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The readable part. It may be empty if the provider hides the reasoning.
    pub text: String,
    /// Data that must be sent back to the provider unchanged: the name of the family of wire
    /// formats, and the JSON. An adapter of another family sends nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbatim: Option<(String, String)>,
}

impl ChatMessage {
    /// A message that has only a text.
    pub fn text(role: ChatRole, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            reasoning: None,
        }
    }

    /// The reasoning and the text of the message, separated by an empty line. Empty parts are left
    /// out.
    pub fn thoughts(&self) -> String {
        let thought = self.reasoning.as_ref().map_or("", |reasoning| reasoning.text.as_str());
        let parts = [thought, self.content.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n\n")
    }

    /// The message with the result of the call `call_id`.
    pub fn tool_result(call_id: &str, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.to_owned()), ..Self::text(ChatRole::Tool, content) }
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSchema {
    /// The name by which the model calls the tool.
    pub name: String,
    /// What the tool does, for the model.
    pub description: String,
    /// The JSON schema of the arguments.
    pub parameters: serde_json::Value,
    /// The tool as an agent program sent it, if the other fields do not say all of it. It is for
    /// the record and is never sent to a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Box<serde_json::Value>>,
}

impl ToolSchema {
    /// A tool that its three fields describe completely.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: description.into(), parameters, sent: None }
    }

    /// The tool as rows show it: a function, or what the agent program sent if it is none.
    pub fn shown(&self) -> Value {
        match self.sent.as_deref() {
            // The fields do not say what the tool is.
            Some(sent) if self.name.is_empty() || self.parameters == json!({}) => sent.clone(),
            sent => self.as_function(sent),
        }
    }

    /// The tool as a function, with the word `strict` as it was sent.
    fn as_function(&self, sent: Option<&Value>) -> Value {
        let mut function = json!({ "name": self.name, "description": self.description,
            "parameters": self.parameters });
        let places = sent.map(|sent| [&sent["strict"], &sent["function"]["strict"]]);
        if let Some(strict) = places.into_iter().flatten().find(|strict| strict.is_boolean()) {
            function["strict"] = strict.clone();
        }
        json!({ "type": "function", "function": function })
    }
}

/// One request to a model: the whole conversation so far, the tools, and an explicit limit of the
/// output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// All messages so far, oldest first.
    pub messages: Vec<ChatMessage>,
    /// The tools that the model may call; empty if there are none.
    pub tools: Vec<ToolSchema>,
    /// The most tokens that the reply may have. The hold for the call is computed from it, so it is
    /// never left to the provider.
    pub max_output_tokens: u32,
    #[serde(default, skip_serializing_if = "RequestSettings::are_usual")]
    pub settings: RequestSettings,
}

/// Optional settings of a request. A setting that is none is not sent, and the provider's default
/// applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestSettings {
    /// Usually 0 to 2. Higher values give more varied replies.
    pub temperature: Option<f64>,
    /// Nucleus sampling: only the most likely tokens with this total probability are considered.
    /// From 0 to 1.
    pub top_p: Option<f64>,
    /// The model stops when it writes one of these texts.
    pub stop: Vec<String>,
    /// Whether the model must call a tool.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools in one reply.
    pub parallel_calls: Option<bool>,
    /// An opaque id of the client's end user, for providers that ask for one. It is not a person's
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// The seed of the provider's random numbers. With the same seed, some providers give the same
    /// reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The most tokens of reasoning. They are part of the output limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<u32>,
    /// Further keys for the provider's JSON body. They are copied into the body unchanged.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Whether the model must, may or must not call a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// The model must not call a tool.
    None,
    /// The model must call some tool.
    Required,
    /// The model must call the tool with this name.
    Tool(String),
}

impl RequestSettings {
    /// Whether no setting differs from its default. Such settings are left out of the serialized
    /// request.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its reply by itself.
    Stop,
    /// The model waits for the results of the tools that it called.
    ToolCalls,
    /// The output limit cut the reply. What the reply holds may not be a whole action.
    Length,
    /// The model, or a content filter of the provider, declined to answer.
    Refusal,
}

impl FinishReason {
    /// The word in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
            Self::Length => "length",
            Self::Refusal => "refusal",
        }
    }
}

/// Tokens of a call as the provider counted them. The optional counts are parts of the two main
/// counts. None means that the provider did not report the part; none is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens that the model read, including those from a cache.
    pub input_tokens: u64,
    /// All tokens that the model wrote, including its reasoning.
    pub output_tokens: u64,
    /// The part of the input that was read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// The part of the input that was written to the provider's cache for later requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// The part of the output that was reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// A usage of which only the two main counts are known.
    pub fn of(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, ..Self::default() }
    }

    /// Input and output together.
    pub fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The sum of two usages. An optional part of the sum is known if at least one of the two was
    /// known.
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

/// The sum of two optional counts. It is none only if both are none.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// The answer of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    pub message: ChatMessage,
    /// Why the model stopped writing.
    pub finish: FinishReason,
    /// The tokens of the call; see `uncounted`.
    pub usage: Usage,
    /// The provider reported no token counts. Then `usage` is not the true usage, and zero in it
    /// does not mean zero tokens.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uncounted: bool,
    /// The name of the answering model as the provider reports it, for example a dated version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// The tokens of the call, if the provider gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Box<ReplyTokens>>,
}

impl ChatReply {
    /// A reply with a known usage and without the provider's name of the model.
    pub fn new(message: ChatMessage, finish: FinishReason, usage: Usage) -> Self {
        Self { message, finish, usage, uncounted: false, answered_by: None, tokens: None }
    }

    /// Whether the reply is a refusal without a word of the model: a filter of the provider refused
    /// the request. Then there is no message to learn from.
    pub fn is_silent_refusal(&self) -> bool {
        let ChatMessage { content, reasoning, tool_calls, .. } = &self.message;
        let thought = reasoning.as_ref().is_some_and(|reasoning| !reasoning.text.is_empty());
        let spoke = thought || !content.is_empty() || !tool_calls.is_empty();
        self.finish == FinishReason::Refusal && !spoke
    }

    /// The usage, or none if the provider did not count.
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
    fn a_refusal_is_silent_if_the_model_said_nothing() {
        let reply = |said: &str, finish| {
            let message = ChatMessage::text(ChatRole::Assistant, said);
            ChatReply::new(message, finish, Usage::default()).is_silent_refusal()
        };
        assert!(reply("", FinishReason::Refusal));
        assert!(!reply("I cannot.", FinishReason::Refusal));
        assert!(!reply("", FinishReason::Stop));
    }

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

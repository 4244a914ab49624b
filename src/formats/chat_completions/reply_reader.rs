//! Puts one reply together from the chunks of a stream, or from a whole completion, which counts as
//! one chunk.
//!
//! ```text
//!  chunk ─► taken ─► … ─► ended: with a finish reason ─► reply
//!             │              └─ without one ─► fault: the answer was cut off
//!             └─ an error in the stream, too many calls ─► fault
//! ```
//! A chunk is for example `{"choices":[{"index":0,"delta":{"content":"Hi"}}]}`. Unknown fields are
//! ignored. A missing count is unknown, not zero.

use super::FAMILY;
use crate::formats::reading::counts::{counted, keep_most, with_known_total};
use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::{self, incomplete_answer, malformed, unbegun, unreadable};
use crate::formats::reading::token_reader::TokenReader;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRole, FinishReason, Reasoning, ToolCall, Usage,
};

/// The most tool calls of one reply. No agent makes so many in one turn; the limit bounds the
/// memory.
const MOST_CALLS: usize = 1_000;
/// The data of the event that ends a stream in this format.
const DONE: &str = "[DONE]";

/// A chunk of a stream, or a whole completion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenAiChunk {
    model: Option<String>,
    choices: Option<Vec<OpenAiChoice>>,
    /// The token counts. Their fields differ between hosts, so they stay JSON.
    usage: Option<Value>,
    /// The ids of the tokens that the model read (vLLM).
    prompt_token_ids: Option<Value>,
    /// An error in a stream that began with a good status.
    error: Option<Value>,
}

/// One of the completions that were asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiChoice {
    index: Option<u64>,
    /// The next part of the message, in a stream.
    delta: Option<OpenAiDelta>,
    /// The message of a whole completion.
    message: Option<OpenAiDelta>,
    finish_reason: Option<String>,
    /// The ids of the next tokens (vLLM).
    token_ids: Option<Value>,
    /// The probabilities of the next tokens.
    logprobs: Option<Value>,
    /// OpenRouter reports here that the provider behind it has failed.
    error: Option<Value>,
}

/// A part of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiDelta {
    /// A text, or a list of parts with texts.
    content: Option<Value>,
    /// The text of a refusal; then there is no content.
    refusal: Option<String>,
    /// Two names for the reasoning. Some hosts send both with the same text, so only one is taken.
    reasoning_content: Option<Value>,
    reasoning: Option<Value>,
    /// The reasoning in a form that must go back exactly as it came (OpenRouter).
    reasoning_details: Option<Vec<Value>>,
    tool_calls: Option<Vec<OpenAiCallDelta>>,
}

/// A part of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiCallDelta {
    /// The number of the call in the reply. Some hosts do not send it.
    index: Option<u64>,
    id: Option<String>,
    function: Option<OpenAiFunctionDelta>,
    /// A call of a tool whose argument is plain text.
    custom: Option<OpenAiFunctionDelta>,
}

/// The name and the next part of the arguments of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiFunctionDelta {
    name: Option<String>,
    /// Usually a text; some hosts send the object itself. A custom tool has an `input` instead.
    #[serde(alias = "input")]
    arguments: Option<Value>,
}

/// A reply that is being put together.
#[derive(Debug, Default)]
pub(crate) struct OpenAiReplyBuilder {
    content: String,
    refusal: String,
    reasoning: String,
    /// All `reasoning_details` so far.
    details: Vec<Value>,
    /// The name of the model that answered: the first that a chunk gave.
    model: Option<String>,
    /// The tool calls by their index.
    calls: BTreeMap<u64, ToolCall>,
    /// The finish reason. None means that the reply was cut off.
    finish: Option<String>,
    /// The greatest counts so far.
    usage: Value,
    /// The tokens so far.
    tokens: TokenReader,
}

impl ReplyBuilder for OpenAiReplyBuilder {
    /// Takes the data of one event: a chunk, or the mark of the end.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        if data.trim() == DONE {
            return Ok(ControlFlow::Break(()));
        }
        self.take(serde_json::from_str(data).map_err(unreadable)?)?;
        Ok(ControlFlow::Continue(()))
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        self.take(serde_json::from_slice(body).map_err(unreadable)?)
    }

    /// The reply, if there was a finish reason. Hosts use many words for the reason; unknown ones
    /// count as a normal end.
    fn reply(mut self) -> Result<ChatReply, CallFault> {
        let Some(finish) = self.finish.clone() else {
            // An answer without any content may mean that the conversation was too long.
            let said = [&self.content, &self.refusal, &self.reasoning];
            let nothing = said.iter().all(|text| text.is_empty()) && self.calls.is_empty();
            return Err(if nothing { unbegun() } else { incomplete_answer() });
        };
        let finish = match finish.as_str() {
            "error" => return Err(malformed("it broke off with an error")),
            // A reply that was cut must not be taken for a complete one.
            "insufficient_system_resource" => return Err(malformed("it ran out of resources")),
            // vLLM and SGLang use these for a request that they have dropped.
            "abort" | "aborted" | "cancelled" => return Err(malformed("it was aborted")),
            "length" | "model_length" => FinishReason::Length,
            // The order of these arms matters: a cut reply and a refusal come before tool calls.
            "content_filter" => FinishReason::Refusal,
            _ if !self.refusal.is_empty() => FinishReason::Refusal,
            // If there are calls, the scaffold must run them, whatever the finish reason is.
            _ if !self.calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let (usage, answered_by) = (usage_of(&self.usage), self.model.take());
        let tokens = std::mem::take(&mut self.tokens).finished();
        let message = self.message();
        let (usage, uncounted) = counted(usage, &message);
        Ok(ChatReply { answered_by, uncounted, tokens, ..ChatReply::new(message, finish, usage) })
    }
}

impl OpenAiReplyBuilder {
    /// Takes one chunk. Fails if it reports an error.
    fn take(&mut self, chunk: OpenAiChunk) -> Result<(), CallFault> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(faults::stream_fault(&error));
        }
        self.model = self.model.take().or(chunk.model.filter(|model| !model.is_empty()));
        // Some hosts report counts in a last chunk, some in every chunk, and some in parts.
        if let Some(usage) = chunk.usage.filter(Value::is_object) {
            keep_most(&mut self.usage, usage);
        }
        self.tokens.prompt(chunk.prompt_token_ids.as_ref());
        for choice in chunk.choices.unwrap_or_default() {
            // Only the first completion is read. An adapter asks for one, but a client of the
            // gateway may ask for more (`n`).
            if choice.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(error) = choice.error.filter(|error| !error.is_null()) {
                return Err(faults::stream_fault(&error));
            }
            self.tokens.ids(choice.token_ids.as_ref());
            self.tokens.logprobs(choice.logprobs.as_ref());
            for delta in [choice.delta, choice.message].into_iter().flatten() {
                self.take_delta(delta)?;
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
        Ok(())
    }

    /// Takes one part of the message. Fails if there are too many tool calls.
    fn take_delta(&mut self, delta: OpenAiDelta) -> Result<(), CallFault> {
        self.content.push_str(&text_of(delta.content.as_ref()));
        self.refusal.push_str(&delta.refusal.unwrap_or_default());
        let thought = [delta.reasoning_content, delta.reasoning];
        let thought = thought.iter().map(|t| text_of(t.as_ref())).find(|text| !text.is_empty());
        self.reasoning.push_str(&thought.unwrap_or_default());
        self.details.extend(delta.reasoning_details.unwrap_or_default());
        for call in delta.tool_calls.unwrap_or_default() {
            self.take_call(call);
        }
        if self.calls.len() > MOST_CALLS {
            return Err(malformed("it calls too many tools"));
        }
        Ok(())
    }

    /// Takes one part of a tool call: finds its call, or begins a new one.
    fn take_call(&mut self, delta: OpenAiCallDelta) {
        let last = self.calls.keys().next_back().copied();
        // Without an index, a part with an id that is not known yet begins a new call. A part
        // without an id, or with a known id, belongs to the last call.
        let fresh = || {
            let known =
                delta.id.as_ref().is_some_and(|id| self.calls.values().any(|c| c.id == *id));
            let next = last.map_or(0, |last| last.saturating_add(1));
            if known || delta.id.is_none() { last.unwrap_or(0) } else { next }
        };
        let index = delta.index.unwrap_or_else(fresh);
        let empty = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
        let call = self.calls.entry(index).or_insert(empty);
        if let Some(id) = delta.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        let function = delta.function.or(delta.custom).unwrap_or_default();
        // The name comes complete, and some hosts repeat it with every part, so it is not appended.
        if let Some(name) = function.name.filter(|name| !name.is_empty()) {
            call.name = name;
        }
        match function.arguments {
            Some(Value::String(text)) => call.arguments.push_str(&text),
            Some(Value::Null) | None => {}
            // Arguments that came as an object are written as its JSON text.
            Some(value) => call.arguments.push_str(&value.to_string()),
        }
    }

    /// The finished message. Calls without an id get one from their number (`call_0`).
    fn message(self) -> ChatMessage {
        let reasoning = self.reasoning_of();
        let content = if self.refusal.is_empty() { self.content } else { self.refusal };
        let named = |(at, call): (usize, ToolCall)| match call.id.is_empty() {
            true => ToolCall { id: format!("call_{at}"), ..call },
            false => call,
        };
        let tool_calls = self.calls.into_values().enumerate().map(named).collect();
        ChatMessage { tool_calls, reasoning, ..ChatMessage::text(ChatRole::Assistant, content) }
    }

    /// The reasoning, with the details that must go back. None if there was no reasoning.
    fn reasoning_of(&self) -> Option<Reasoning> {
        let verbatim = (!self.details.is_empty())
            .then(|| (FAMILY.to_owned(), Value::Array(self.details.clone()).to_string()));
        let text = self.reasoning.clone();
        (verbatim.is_some() || !text.is_empty()).then_some(Reasoning { text, verbatim })
    }
}

/// A text, or the joined texts of a list of parts. Empty for anything else.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(|part| text_of(part.get("text"))).collect(),
        _ => String::new(),
    }
}

/// The token counts. None if one of the two main counts is missing, or if nobody knows whether the
/// output includes the reasoning. DeepSeek has another field for
/// the cached tokens.
fn usage_of(usage: &Value) -> Option<Usage> {
    let count = |key: &str| usage[key].as_u64();
    let detail = |of: &str, key: &str| usage[of][key].as_u64();
    let (input, output) = (count("prompt_tokens")?, count("completion_tokens")?);
    let reasoning = detail("completion_tokens_details", "reasoning_tokens");
    let cached = detail("prompt_tokens_details", "cached_tokens");
    let usage = Usage {
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached.or_else(|| count("prompt_cache_hit_tokens")),
        cache_write_tokens: detail("prompt_tokens_details", "cache_write_tokens"),
        reasoning_tokens: reasoning,
    };
    with_known_total(usage, count("total_tokens"))
}

//! Puts one reply together from the pieces of a stream. A piece is a whole JSON object, for example
//! `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}`.
//!
//! ```text
//!  piece (parts) ─► … ─► piece with a finishReason ─► reply
//!    └─ promptFeedback with a blockReason ─► refusal
//! ```
//! Parts are kept as they came and in their order. Some parts carry a signature over the model's
//! thoughts, and must go back at the same place in the next request. A turn that ends with tool
//! calls has the finish reason `STOP`, too.

use super::FAMILY;
use crate::formats::reading::counts::{counted, keep_most, with_total};
use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::{incomplete_answer, malformed, stream_fault, unreadable};
use serde_json::Value;
use std::ops::ControlFlow;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRole, FinishReason, Reasoning, ToolCall, Usage,
};

/// The beginning of the ids that this adapter makes for calls that came without an id. Such ids are
/// not sent back.
pub(super) const UNNAMED: &str = "call-without-id-";
/// The most parts of one reply. No agent writes so many in one turn; the limit bounds the memory.
const MOST_PARTS: usize = 100_000;
/// The most tool calls of one reply.
const MOST_CALLS: usize = 1_000;

/// Finish reasons that mean a refusal of the provider.
const REFUSED: [&str; 8] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "JAILBREAK",
];

/// A reply that is being put together.
#[derive(Debug, Default)]
pub(crate) struct GeminiReplyBuilder {
    /// All parts so far, as they came.
    parts: Vec<Value>,
    /// The finish reason. None means that the reply was cut off.
    finish: Option<String>,
    /// The prompt was blocked before the model saw it.
    is_blocked: bool,
    /// The greatest counts so far.
    usage: Value,
    /// The version of the model that answered.
    model: Option<String>,
}

impl ReplyBuilder for GeminiReplyBuilder {
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        self.take(serde_json::from_str(data).map_err(unreadable)?)?;
        // There is no mark of the end. The token counts may come after the finish reason, so the
        // stream is read until it ends.
        Ok(ControlFlow::Continue(()))
    }

    /// One object, or a list of objects, as a host gives that does not stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        match serde_json::from_slice(body).map_err(unreadable)? {
            Value::Array(pieces) => pieces.into_iter().try_for_each(|piece| self.take(piece)),
            piece => self.take(piece),
        }
    }

    /// The reply. A blocked prompt is a refusal and has no finish reason. An unknown finish reason
    /// is a fault, because the text may be anything.
    fn reply(mut self) -> Result<ChatReply, CallFault> {
        // The usage of a blocked prompt counts, too.
        let usage = usage_of(&self.usage);
        let answered_by = self.model.take();
        if self.is_blocked && self.parts.is_empty() {
            // The model said nothing, so an output of zero is believed.
            let message = ChatMessage::text(ChatRole::Assistant, "");
            let (usage, uncounted) = counted(usage, &message);
            let refused = ChatReply::new(message, FinishReason::Refusal, usage);
            return Ok(ChatReply { uncounted, answered_by, ..refused });
        }
        let finish = self.finish.take().ok_or_else(incomplete_answer)?;
        let message = self.message(finish == "STOP");
        if message.tool_calls.len() > MOST_CALLS {
            return Err(malformed("its answer has too many calls"));
        }
        let finish = match finish.as_str() {
            "MAX_TOKENS" => FinishReason::Length,
            refused if REFUSED.contains(&refused) => FinishReason::Refusal,
            // Gemini has no finish reason of its own for tool calls.
            "STOP" if !message.tool_calls.is_empty() => FinishReason::ToolCalls,
            "STOP" => FinishReason::Stop,
            other => return Err(malformed(&format!("it ended with {other}"))),
        };
        let (usage, uncounted) = counted(usage, &message);
        Ok(ChatReply { uncounted, answered_by, ..ChatReply::new(message, finish, usage) })
    }
}

impl GeminiReplyBuilder {
    /// Takes one piece. Fails if it reports an error or if there are too many parts.
    fn take(&mut self, mut piece: Value) -> Result<(), CallFault> {
        if !piece["error"].is_null() {
            return Err(stream_fault(&piece["error"]));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.model = text(&piece["modelVersion"]).or(self.model.take());
        self.is_blocked |= piece["promptFeedback"]["blockReason"].is_string();
        if piece["usageMetadata"].is_object() {
            keep_most(&mut self.usage, piece["usageMetadata"].take());
        }
        // The request asks for one candidate.
        self.finish = text(&piece["candidates"][0]["finishReason"]).or(self.finish.take());
        let parts = piece.pointer_mut("/candidates/0/content/parts").map(Value::take);
        if let Some(Value::Array(parts)) = parts {
            self.parts.extend(parts);
        }
        if self.parts.len() > MOST_PARTS {
            return Err(malformed("its answer has too many parts"));
        }
        Ok(())
    }

    /// The message of the parts. `is_whole` says that the output cap did not cut the reply.
    fn message(&self, is_whole: bool) -> ChatMessage {
        let (mut content, mut thought, mut tool_calls) = (String::new(), String::new(), Vec::new());
        for part in &self.parts {
            let text = part["text"].as_str().unwrap_or_default();
            match part["thought"] == true {
                true => thought.push_str(text),
                false => content.push_str(text),
            }
            if part["functionCall"].is_object() {
                tool_calls.push(call(&part["functionCall"], tool_calls.len()));
            }
        }
        // Parts with a signature must go back verbatim, even if there is no visible thought.
        let signed = self.parts.iter().any(|part| !part["thoughtSignature"].is_null());
        let reasoning = (signed || !thought.is_empty()).then(|| Reasoning {
            text: thought,
            // A reply that was cut cannot go back verbatim: the provider would refuse it in every
            // later request.
            verbatim: serde_json::to_string(&self.parts)
                .ok()
                .filter(|_| is_whole)
                .map(|json| (FAMILY.to_owned(), json)),
        });
        ChatMessage { tool_calls, reasoning, ..ChatMessage::text(ChatRole::Assistant, content) }
    }
}

/// A tool call of a part. `at` is its number in the reply, for calls without an id.
fn call(json: &Value, at: usize) -> ToolCall {
    let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty());
    let arguments = if json["args"].is_null() { "{}".to_owned() } else { json["args"].to_string() };
    ToolCall {
        id: text("id").map_or_else(|| format!("{UNNAMED}{at}"), str::to_owned),
        name: text("name").unwrap_or_default().to_owned(),
        arguments,
    }
}

/// The token counts. Gemini counts thoughts separately from the other output, and what tools have
/// read separately from the prompt; both are added. None if there is no count of the prompt.
fn usage_of(json: &Value) -> Option<Usage> {
    let count = |key: &str| json[key].as_u64();
    let thoughts = count("thoughtsTokenCount");
    let input =
        count("promptTokenCount")?.saturating_add(count("toolUsePromptTokenCount").unwrap_or(0));
    let output = count("candidatesTokenCount").unwrap_or(0);
    let usage = Usage {
        cached_tokens: count("cachedContentTokenCount"),
        reasoning_tokens: thoughts,
        ..Usage::of(input, output.saturating_add(thoughts.unwrap_or(0)))
    };
    Some(with_total(usage, count("totalTokenCount")))
}

//! Puts one reply together from the events of a stream.
//!
//! ```text
//!  message_start ─► content_block_start ─► …_delta ─► …_stop ─► message_delta ─► message_stop
//!                        ▲                              │          └─ why it ended, and the counts
//!                        └──────────────────────────────┘
//! ```
//! Blocks are kept as they came, also blocks of unknown kinds. A model's thinking must go back
//! unchanged in the next request, or the provider refuses the request. Token counts are cumulative,
//! so the greatest value of each counts.

use super::FAMILY;
use crate::formats::reading::counts::{counted, keep_most};
use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::{incomplete_answer, malformed, stream_fault, unreadable};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRole, FinishReason, Reasoning, ToolCall, Usage,
};

/// The most blocks of one reply. No agent writes so many in one turn; the limit bounds the memory.
const MOST_BLOCKS: usize = 1_000;

/// A reply that is being put together.
#[derive(Debug, Default)]
pub(crate) struct AnthropicReplyBuilder {
    /// The blocks by their index in the stream.
    blocks: BTreeMap<u64, AnthropicBlockBuilder>,
    /// The stop reason. None means that the reply was cut off.
    stop: Option<String>,
    /// The greatest counts so far.
    usage: Value,
    /// The output was counted at the end of the reply. The count at the beginning is only a few
    /// tokens and must not be taken for the whole.
    is_counted: bool,
    /// The name of the model that answered.
    model: Option<String>,
}

/// One block of a reply that is being put together.
#[derive(Debug, Default)]
struct AnthropicBlockBuilder {
    /// The block's fields, as they came and extended by the deltas.
    json: Map<String, Value>,
    /// The pieces of a tool call's arguments, which are one JSON text.
    input: String,
}

impl ReplyBuilder for AnthropicReplyBuilder {
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        self.take(serde_json::from_str(data).map_err(unreadable)?)
    }

    /// Takes a whole message, from a host that does not stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        let message: Value = serde_json::from_slice(body).map_err(unreadable)?;
        if message["type"] == "error" {
            return Err(stream_fault(&message));
        }
        let Value::Array(content) = &message["content"] else {
            return Err(malformed("its answer has no content"));
        };
        for (index, block) in content.iter().enumerate() {
            self.begin(index as u64, block)?;
        }
        self.open(&message);
        // A whole message is complete, so its count is the final one.
        self.is_counted = message["usage"]["output_tokens"].is_u64();
        self.stop = message["stop_reason"].as_str().map(str::to_owned);
        Ok(())
    }

    /// The reply, if there was a stop reason. Text and thinking of several blocks are joined.
    fn reply(mut self) -> Result<ChatReply, CallFault> {
        let stop = self.stop.clone().ok_or_else(incomplete_answer)?;
        // The fields of `self` are read before its blocks are moved out.
        let (usage, answered_by) = (self.counted(), self.model.take());
        let blocks: Vec<Map<String, Value>> =
            self.blocks.into_values().map(AnthropicBlockBuilder::whole).collect();
        let message = message_of(&blocks);
        let finish = match stop.as_str() {
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "refusal" => FinishReason::Refusal,
            _ if !message.tool_calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let (usage, uncounted) = counted(usage, &message);
        Ok(ChatReply { uncounted, answered_by, ..ChatReply::new(message, finish, usage) })
    }
}

impl AnthropicReplyBuilder {
    /// Takes one event. Returns `Break` at the end of the message. Fails if the event reports an
    /// error.
    fn take(&mut self, event: Value) -> Result<ControlFlow<()>, CallFault> {
        let index = || event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => self.open(&event["message"]),
            "content_block_start" => self.begin(index(), &event["content_block"])?,
            "content_block_delta" => self.extend(index(), &event["delta"])?,
            // The event near the end, with the stop reason and the final counts.
            "message_delta" => {
                self.count(&event["usage"]);
                self.is_counted |= event["usage"]["output_tokens"].is_u64();
                let stop = event["delta"]["stop_reason"].as_str().map(str::to_owned);
                self.stop = stop.or(self.stop.take());
            }
            "message_stop" => return Ok(ControlFlow::Break(())),
            "error" => return Err(stream_fault(&event)),
            // Pings, ends of blocks, and kinds of events that a later version may add.
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes what the beginning of a message says: its first counts and the model.
    fn open(&mut self, message: &Value) {
        self.count(&message["usage"]);
        self.model = message["model"].as_str().map(str::to_owned);
    }

    /// Adds a block. Fails if it is no object, or if there are too many blocks.
    fn begin(&mut self, index: u64, block: &Value) -> Result<(), CallFault> {
        let Value::Object(json) = block else {
            return Err(malformed("a block of its answer is not an object"));
        };
        if self.blocks.len() >= MOST_BLOCKS {
            return Err(malformed("its answer has too many blocks"));
        }
        self.blocks
            .insert(index, AnthropicBlockBuilder { json: json.clone(), input: String::new() });
        Ok(())
    }

    /// Adds a delta to a block. Fails if the block has not begun. Unknown kinds of deltas are
    /// ignored.
    fn extend(&mut self, index: u64, delta: &Value) -> Result<(), CallFault> {
        let block = self.blocks.get_mut(&index);
        let block = block.ok_or_else(|| malformed("a piece of a block that never began"))?;
        let text = |key: &str| delta[key].as_str().unwrap_or_default();
        match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => block.append("text", text("text")),
            "thinking_delta" => block.append("thinking", text("thinking")),
            "signature_delta" => block.append("signature", text("signature")),
            "input_json_delta" => block.input.push_str(text("partial_json")),
            _ => {}
        }
        Ok(())
    }

    /// Keeps the greatest counts.
    fn count(&mut self, usage: &Value) {
        if usage.is_object() {
            keep_most(&mut self.usage, usage.clone());
        }
    }

    /// The usage, or None if the output was not counted at the end. Anthropic does not include the
    /// tokens of the cache in `input_tokens`; they are added here.
    fn counted(&self) -> Option<Usage> {
        let count = |name: &str| self.usage[name].as_u64().filter(|_| self.is_counted);
        let (plain, output) = (count("input_tokens")?, count("output_tokens")?);
        let read = count("cache_read_input_tokens");
        let written = count("cache_creation_input_tokens");
        let input = [Some(plain), read, written].into_iter().flatten();
        Some(Usage {
            input_tokens: input.fold(0, u64::saturating_add),
            output_tokens: output,
            cached_tokens: read,
            cache_write_tokens: written,
            reasoning_tokens: None,
        })
    }
}

impl AnthropicBlockBuilder {
    /// Appends to a text field of the block.
    fn append(&mut self, key: &str, text: &str) {
        match self.json.get_mut(key) {
            Some(Value::String(known)) => known.push_str(text),
            _ => drop(self.json.insert(key.to_owned(), Value::from(text))),
        }
    }

    /// The finished block. The arguments of a tool call are parsed; if they are no JSON, they stay
    /// a text.
    fn whole(mut self) -> Map<String, Value> {
        if !self.input.is_empty() {
            let input = serde_json::from_str(&self.input).unwrap_or(Value::String(self.input));
            self.json.insert("input".to_owned(), input);
        }
        self.json
    }
}

/// The message of the blocks: the text, the reasoning and the tool calls.
fn message_of(blocks: &[Map<String, Value>]) -> ChatMessage {
    let of = |kind: &str, key: &str| {
        let blocks = blocks.iter().filter(|block| block.get("type").is_some_and(|t| t == kind));
        let texts = blocks.filter_map(|block| block.get(key)?.as_str());
        texts.collect::<Vec<_>>().join("\n\n")
    };
    let (content, thought) = (of("text", "text"), of("thinking", "thinking"));
    let ours = ["text", "tool_use"];
    // Text and tool calls can be written again from the message. Only if there is anything else
    // must the blocks be kept.
    let only_ours = blocks
        .iter()
        .all(|b| b.get("type").and_then(Value::as_str).is_some_and(|t| ours.contains(&t)));
    let whole = blocks.iter().all(is_whole);
    let reasoning = (!only_ours).then(|| Reasoning {
        text: thought,
        // All blocks are kept, because the order of the blocks is part of what is signed. None are
        // kept if the output cap has cut a block: the provider would refuse it in every later
        // request.
        verbatim: serde_json::to_string(blocks)
            .ok()
            .filter(|_| whole)
            .map(|json| (FAMILY.to_owned(), json)),
    });
    let tool_calls = blocks.iter().filter_map(call_of).collect();
    ChatMessage { tool_calls, reasoning, ..ChatMessage::text(ChatRole::Assistant, content) }
}

/// Whether a block can go back as it is. The output cap may have cut a tool call's arguments, or
/// the signature of the thinking.
fn is_whole(block: &Map<String, Value>) -> bool {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "tool_use" => block.get("input").is_none_or(Value::is_object),
        "thinking" => !text("signature").is_empty(),
        _ => true,
    }
}

/// The tool call of a block. None for other blocks.
fn call_of(block: &Map<String, Value>) -> Option<ToolCall> {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    (block.get("type")? == "tool_use").then(|| ToolCall {
        id: text("id"),
        name: text("name"),
        arguments: match block.get("input") {
            // The arguments are no JSON object. They are the bytes that the model wrote; the
            // scaffold reports the mistake to the model.
            Some(Value::String(raw)) => raw.clone(),
            Some(input) => input.to_string(),
            None => "{}".to_owned(),
        },
    })
}

//! Puts one reply together from the events of a stream.
//!
//! ```text
//!  response.created ─► …item.done ─► … ─► completed | incomplete ─► reply
//!                                       └► failed, error ─► fault
//! ```
//! Only finished items (`response.output_item.done`) are taken; the deltas before them repeat the
//! same text. A reasoning item must go back in front of the item that it led to, and only if its
//! content is encrypted.

use super::{FAMILY, items};
use crate::formats::reading::counts::{counted, with_known_total};
use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::{incomplete_answer, malformed, stream_fault, unreadable};
use crate::formats::reading::request_parser::join;
use serde_json::Value;
use std::ops::ControlFlow;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRole, FinishReason, Reasoning, Usage,
};

/// The most items of one reply. No agent writes so many in one turn; the limit bounds the memory.
const MOST_ITEMS: usize = 1_000;

/// A reply that is being put together.
#[derive(Debug, Default)]
pub(crate) struct ResponsesReplyBuilder {
    /// The finished items: messages, reasoning and tool calls, in their order.
    items: Vec<Value>,
    /// The response object of the last event, with the status and the token counts. None means that
    /// the reply was cut off.
    ended: Option<Value>,
}

impl ReplyBuilder for ResponsesReplyBuilder {
    /// Takes one event. The last event holds the whole response and ends the stream.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        let mut event: Value = serde_json::from_str(data).map_err(unreadable)?;
        match event["type"].as_str().unwrap_or_default() {
            "response.output_item.done" => self.add(event["item"].take())?,
            "response.completed" | "response.incomplete" => {
                self.ended = Some(event["response"].take());
                return Ok(ControlFlow::Break(()));
            }
            "response.failed" => return Err(stream_fault(&event["response"]["error"])),
            "error" => return Err(stream_fault(&event)),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes a whole response, from a host that does not stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        let response: Value = serde_json::from_slice(body).map_err(unreadable)?;
        if !response["error"].is_null() {
            return Err(stream_fault(&response["error"]));
        }
        if !response["output"].is_array() {
            return Err(malformed("its answer has no output"));
        }
        self.ended = Some(response);
        Ok(())
    }

    /// The reply, if the last event has arrived. A content filter, and a refusal in the text, give
    /// a refusal.
    fn reply(mut self) -> Result<ChatReply, CallFault> {
        let mut ended = self.ended.take().ok_or_else(incomplete_answer)?;
        // The last event repeats all items, and then they are taken from there. Some hosts leave
        // the list empty; then the items of the stream count.
        if let Some(Value::Array(output)) = ended.get_mut("output").map(Value::take)
            && !output.is_empty()
        {
            self.items.clear();
            output.into_iter().try_for_each(|item| self.add(item))?;
        }
        // An incomplete reply was cut by the output cap or by a content filter.
        let cut = ended["status"] == "incomplete";
        let message = self.message(!cut);
        let refused = self.parts().any(|part| part["type"] == "refusal");
        let finish = match ended["incomplete_details"]["reason"].as_str() {
            Some("content_filter") => FinishReason::Refusal,
            _ if cut => FinishReason::Length,
            _ if refused => FinishReason::Refusal,
            _ if !message.tool_calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let usage = usage_of(&ended["usage"]);
        let (usage, uncounted) = counted(usage, &message);
        let answered_by = ended["model"].as_str().map(str::to_owned);
        Ok(ChatReply { uncounted, answered_by, ..ChatReply::new(message, finish, usage) })
    }
}

impl ResponsesReplyBuilder {
    /// Adds an item. Fails if there are too many.
    fn add(&mut self, item: Value) -> Result<(), CallFault> {
        if self.items.len() >= MOST_ITEMS {
            return Err(malformed("its answer has too many items"));
        }
        self.items.push(item);
        Ok(())
    }

    /// The items of one type.
    fn of(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.items.iter().filter(move |item| item["type"] == kind)
    }

    /// The parts of all messages: texts and refusals.
    fn parts(&self) -> impl Iterator<Item = &Value> {
        self.of("message").flat_map(|item| item["content"].as_array().into_iter().flatten())
    }

    /// The message of the items. `is_whole` says that the reply was not cut.
    fn message(&self, is_whole: bool) -> ChatMessage {
        let texts =
            self.parts().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()));
        let content = texts.collect::<Vec<_>>().join("\n\n");
        let mut thought = String::new();
        self.of("reasoning").for_each(|item| join(&mut thought, &items::thought(item)));
        // A reply that was cut cannot go back verbatim.
        let reasoning = self.of("reasoning").next().map(|_| Reasoning {
            text: thought,
            verbatim: self.verbatim().filter(|_| is_whole).map(|json| (FAMILY.to_owned(), json)),
        });
        let tool_calls =
            self.items.iter().filter(|item| items::is_call(item)).map(items::call).collect();
        ChatMessage { tool_calls, reasoning, ..ChatMessage::text(ChatRole::Assistant, content) }
    }

    /// The items that go back in the next request, as JSON. Ids and statuses of messages and calls
    /// are removed, because the provider has stored nothing under these ids. Reasoning without
    /// encrypted content is left out, because the provider could not read it.
    fn verbatim(&self) -> Option<String> {
        let kept = self
            .items
            .iter()
            .filter(|item| item["type"] != "reasoning" || item["encrypted_content"].is_string());
        let bare = kept.map(|item| {
            let mut item = item.clone();
            if let Some(object) = item.as_object_mut().filter(|o| o["type"] != "reasoning") {
                object.remove("id");
                object.remove("status");
            }
            item
        });
        serde_json::to_string(&bare.collect::<Vec<_>>()).ok()
    }
}

/// The token counts. None if one of the two main counts is missing, or if nobody knows whether the
/// output includes the reasoning.
fn usage_of(json: &Value) -> Option<Usage> {
    let (input, output) = (json["input_tokens"].as_u64()?, json["output_tokens"].as_u64()?);
    let read = &json["input_tokens_details"];
    let usage = Usage {
        cached_tokens: read["cached_tokens"].as_u64(),
        cache_write_tokens: read["cache_write_tokens"].as_u64(),
        reasoning_tokens: json["output_tokens_details"]["reasoning_tokens"].as_u64(),
        ..Usage::of(input, output)
    };
    with_known_total(usage, json["total_tokens"].as_u64())
}

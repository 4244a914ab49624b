//! Puts one reply together from lines of JSON. The last line has `"done": true`, the finish reason
//! and the token counts:
//!
//! ```text
//! {"message":{"role":"assistant","content":"Hel"},"done":false}
//! {"message":{"content":"lo"},"done":true,"done_reason":"stop","prompt_eval_count":9,…}
//! ```

use crate::formats::reading::counts::counted;
use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::{incomplete_answer, malformed, stream_fault, unreadable};
use serde_json::Value;
use std::ops::ControlFlow;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRole, FinishReason, Reasoning, ToolCall, Usage,
};

/// The most tool calls of one reply. No agent makes so many in one turn; the limit bounds the
/// memory.
const MOST_CALLS: usize = 1_000;

/// A reply that is being put together.
#[derive(Debug, Default)]
pub(crate) struct OllamaReplyBuilder {
    content: String,
    /// The reasoning text. It goes back as text only; Ollama signs nothing.
    thought: String,
    calls: Vec<ToolCall>,
    /// The line that ended the reply. None means that the reply was cut off.
    done: Option<Value>,
}

impl ReplyBuilder for OllamaReplyBuilder {
    /// Takes one event, from a host that wraps the lines into server-sent events.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        self.take(serde_json::from_str(data).map_err(unreadable)?)?;
        Ok(match self.done {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        })
    }

    /// One object, or several objects on lines of their own. This is the usual case: Ollama streams
    /// lines of JSON, which are no server-sent events.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        for line in body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            self.take(serde_json::from_slice(line).map_err(unreadable)?)?;
        }
        Ok(())
    }

    /// The reply, if the last line has arrived.
    fn reply(self) -> Result<ChatReply, CallFault> {
        let done = self.done.ok_or_else(incomplete_answer)?;
        let finish = match done["done_reason"].as_str() {
            Some("length") => FinishReason::Length,
            _ if !self.calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let usage = usage_of(&done);
        let thought = self.thought;
        let reasoning =
            (!thought.is_empty()).then_some(Reasoning { text: thought, verbatim: None });
        let said = ChatMessage::text(ChatRole::Assistant, self.content);
        let message = ChatMessage { tool_calls: self.calls, reasoning, ..said };
        let (usage, uncounted) = counted(usage, &message);
        let answered_by = done["model"].as_str().map(str::to_owned);
        Ok(ChatReply { uncounted, answered_by, ..ChatReply::new(message, finish, usage) })
    }
}

impl OllamaReplyBuilder {
    /// Takes one line. Fails if it reports an error.
    fn take(&mut self, line: Value) -> Result<(), CallFault> {
        if !line["error"].is_null() {
            return Err(stream_fault(&line["error"]));
        }
        let message = &line["message"];
        self.content.push_str(message["content"].as_str().unwrap_or_default());
        self.thought.push_str(message["thinking"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(&call["function"])?;
        }
        if line["done"] == true {
            self.done = Some(line);
        }
        Ok(())
    }

    /// Adds a tool call. Ollama's calls have no ids, so ids are made from their numbers (`call_0`).
    fn call(&mut self, function: &Value) -> Result<(), CallFault> {
        if self.calls.len() >= MOST_CALLS {
            return Err(malformed("its answer has too many calls"));
        }
        let arguments = match &function["arguments"] {
            Value::Null => "{}".to_owned(),
            Value::String(raw) => raw.clone(),
            arguments => arguments.to_string(),
        };
        let name = function["name"].as_str().unwrap_or_default().to_owned();
        self.calls.push(ToolCall { id: format!("call_{}", self.calls.len()), name, arguments });
        Ok(())
    }
}

/// The token counts. None if one of them is missing.
fn usage_of(done: &Value) -> Option<Usage> {
    Some(Usage::of(done["prompt_eval_count"].as_u64()?, done["eval_count"].as_u64()?))
}

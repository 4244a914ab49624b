//! Messages in the form of chat completions, which most trainers read. Formats differ in few
//! points; [`MessageStyle`] has them. No key is there without a value.

use super::chat_row::{is_own, is_reply};
use super::left_reason::{LeftReason, LostPart, LostParts};
use super::plain_json::plain_object;
use serde::Serialize;
use serde_json::value::RawValue;
use synthd_actors::model::{RowMessage, RowToolCall};

/// How a format has messages.
#[derive(Clone, Copy)]
pub(super) struct MessageStyle {
    /// Whether the arguments of a call are a JSON object. Otherwise they are text.
    pub(super) object_arguments: bool,
    /// Whether reasoning has a key.
    pub(super) reasoning: bool,
    /// Whether a result has the name of its tool.
    pub(super) result_names: bool,
    /// Whether a result must say which call it answers.
    pub(super) strict_results: bool,
    pub(super) marks: ReplyMarks,
}

/// How a format says which replies are those of the row's model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyMarks {
    /// Not at all.
    Unmarked,
    /// `weight` of a reply: 1 or 0.
    Weight,
    /// `train` of each message: true or false.
    Train,
}

/// One message.
#[derive(Serialize)]
pub(super) struct ChatLine<'a> {
    role: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<CallLine<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    train: Option<bool>,
}

/// One call of a message.
#[derive(Serialize)]
struct CallLine<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionLine<'a>,
}

/// What a call calls.
#[derive(Serialize)]
struct FunctionLine<'a> {
    name: &'a str,
    arguments: CallArguments<'a>,
}

/// The arguments of a call.
#[derive(Serialize)]
#[serde(untagged)]
enum CallArguments<'a> {
    Text(&'a str),
    Object(Box<RawValue>),
}

/// The messages in this style, each by itself. What the style has no key for is noted.
pub(super) fn chat_lines<'a>(
    messages: &'a [RowMessage],
    style: MessageStyle,
    lost: &mut LostParts,
) -> Result<Vec<ChatLine<'a>>, LeftReason> {
    note_lost(messages, style, lost);
    messages.iter().map(|message| chat_line(message, style)).collect()
}

/// Notes what the style has no key for.
fn note_lost(messages: &[RowMessage], style: MessageStyle, lost: &mut LostParts) {
    if !style.reasoning && messages.iter().any(|message| message.reasoning.is_some()) {
        lost.insert(LostPart::Reasoning);
    }
    let is_foreign = |message: &RowMessage| is_reply(message) && !is_own(message);
    if style.marks == ReplyMarks::Unmarked && messages.iter().any(is_foreign) {
        lost.insert(LostPart::OtherReplies);
    }
    if !style.result_names && messages.iter().any(|message| message.name.is_some()) {
        lost.insert(LostPart::ResultNames);
    }
}

fn chat_line(message: &RowMessage, style: MessageStyle) -> Result<ChatLine<'_>, LeftReason> {
    if style.strict_results && message.role == "tool" && message.tool_call_id.is_none() {
        return Err(LeftReason::NamelessResult);
    }
    let calls = message.tool_calls.as_deref().filter(|calls| !calls.is_empty());
    let calls: Option<Result<Vec<_>, LeftReason>> =
        calls.map(|calls| calls.iter().map(|call| call_line(call, style)).collect());
    Ok(ChatLine {
        role: &message.role,
        content: &message.content,
        reasoning_content: message.reasoning.as_deref().filter(|_| style.reasoning),
        tool_calls: calls.transpose()?,
        tool_call_id: message.tool_call_id.as_deref(),
        name: message.name.as_deref().filter(|_| style.result_names),
        weight: (style.marks == ReplyMarks::Weight && is_reply(message))
            .then(|| u8::from(is_own(message))),
        train: (style.marks == ReplyMarks::Train).then(|| is_own(message)),
    })
}

fn call_line(call: &RowToolCall, style: MessageStyle) -> Result<CallLine<'_>, LeftReason> {
    let arguments = match style.object_arguments {
        true => {
            let object = plain_object(&call.arguments).ok_or(LeftReason::OddArguments)?;
            CallArguments::Object(object)
        }
        false => CallArguments::Text(&call.arguments),
    };
    let function = FunctionLine { name: &call.name, arguments };
    Ok(CallLine { id: &call.id, kind: "function", function })
}

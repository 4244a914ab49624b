//! Formats with whole conversations in `messages`: fine-tuning at OpenAI, axolotl, verl, OpenRLHF,
//! prime-rl.

use super::chat_line::{ChatLine, MessageStyle, ReplyMarks, chat_lines};
use super::chat_row::ChatRow;
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::plain_json::plain_object;
use super::trl;
use serde::Serialize;
use serde_json::value::RawValue;
use synthd_actors::model::{DatasetRow, RowMessage};

/// A line with tools as a list.
#[derive(Serialize)]
struct ListLine<'a> {
    messages: Vec<ChatLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
}

/// A line with tools as text.
#[derive(Serialize)]
struct TextLine<'a> {
    messages: Vec<ChatLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// Fine-tuning at OpenAI: arguments are text, each result names its call, and the last message is a
/// reply.
pub(super) fn openai(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let style = MessageStyle {
        object_arguments: false,
        reasoning: false,
        result_names: false,
        strict_results: true,
        marks: ReplyMarks::Weight,
    };
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(ending_with_reply(&chat, &mut lost), style, &mut lost)?;
    ExportedRow::of(&ListLine { messages, tools: chat.tools.as_deref() }, lost)
}

/// Axolotl with `type: chat_template`: it decodes arguments and tools from text and stops at what it
/// cannot decode. Which messages are trained on it reads from `train`.
pub(super) fn axolotl(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let style = MessageStyle { object_arguments: false, marks: ReplyMarks::Train, ..trl::STYLE };
    let chat = ChatRow::of(row)?;
    check_arguments(chat.messages)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(chat.messages, style, &mut lost)?;
    ExportedRow::of(&TextLine { messages, tools: chat.tools_text() }, lost)
}

/// The multi-turn dataset of verl, which decodes no text: arguments are objects, tools are a list.
pub(super) fn verl(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(chat.messages, trl::STYLE, &mut lost)?;
    ExportedRow::of(&ListLine { messages, tools: chat.tools.as_deref() }, lost)
}

/// OpenRLHF, which has neither tools nor calls. The last message is the reply that is trained on.
pub(super) fn open_rlhf(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let style = MessageStyle { reasoning: false, ..trl::STYLE };
    let chat = ChatRow::of(row)?;
    if chat.tools.is_some() || chat.messages.iter().any(has_calls) {
        return Err(LeftReason::ToolCalls);
    }
    let mut lost = LostParts::new();
    let messages = chat_lines(ending_with_reply(&chat, &mut lost), style, &mut lost)?;
    ExportedRow::of(&TextLine { messages, tools: None }, lost)
}

/// The SFT trainer of prime-rl, which decodes arguments and tools from text, and stops at what it
/// cannot decode.
pub(super) fn prime_rl(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let style = MessageStyle { object_arguments: false, ..trl::STYLE };
    let chat = ChatRow::of(row)?;
    check_arguments(chat.messages)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(chat.messages, style, &mut lost)?;
    ExportedRow::of(&TextLine { messages, tools: chat.tools_text() }, lost)
}

/// Fails if the arguments of some call are not what every decoder takes.
fn check_arguments(messages: &[RowMessage]) -> Result<(), LeftReason> {
    let mut calls = messages.iter().flat_map(|message| message.tool_calls.iter().flatten());
    match calls.all(|call| plain_object(&call.arguments).is_some()) {
        true => Ok(()),
        false => Err(LeftReason::OddArguments),
    }
}

/// Whether a message is a call or the result of one.
pub(super) fn has_calls(message: &RowMessage) -> bool {
    message.role == "tool" || message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
}

/// The messages up to the last reply. Notes if there are others behind it.
pub(super) fn ending_with_reply<'a>(chat: &ChatRow<'a>, lost: &mut LostParts) -> &'a [RowMessage] {
    let kept = chat.until_last_reply();
    if kept.len() < chat.messages.len() {
        lost.insert(LostPart::LastMessages);
    }
    kept
}

//! The formats of TRL. `arguments` of a call are an object, and `tools` are JSON text, which the
//! trainer parses: a list of objects would give all tools the parameters of each other.

use super::chat_line::{ChatLine, MessageStyle, ReplyMarks, chat_lines};
use super::chat_row::ChatRow;
use super::left_reason::{ExportedRow, LeftReason, LostParts};
use serde::Serialize;
use synthd_actors::model::DatasetRow;

/// How TRL has messages.
pub(super) const STYLE: MessageStyle = MessageStyle {
    object_arguments: true,
    reasoning: true,
    result_names: true,
    strict_results: false,
    marks: ReplyMarks::Unmarked,
};

/// A line of `trl-sft`.
#[derive(Serialize)]
struct SftLine<'a> {
    messages: Vec<ChatLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// A line of `trl-prompt-completion`, and with a label of `trl-kto`.
#[derive(Serialize)]
struct PromptLine<'a> {
    prompt: Vec<ChatLine<'a>>,
    completion: Vec<ChatLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// The whole conversation.
pub(super) fn sft(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(chat.messages, STYLE, &mut lost)?;
    ExportedRow::of(&SftLine { messages, tools: chat.tools_text() }, lost)
}

/// What the model was asked, and everything from its first reply on.
pub(super) fn prompt_completion(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    divided(row, None)
}

/// The same with the verdict.
pub(super) fn kto(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let label = is_solved(row)?;
    divided(row, Some(label))
}

fn divided(row: &DatasetRow, label: Option<bool>) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let prompt = chat_lines(chat.prompt(), STYLE, &mut lost)?;
    let completion = chat_lines(chat.completion(), STYLE, &mut lost)?;
    ExportedRow::of(&PromptLine { prompt, completion, label, tools: chat.tools_text() }, lost)
}

/// Whether the row's task was solved.
pub(super) fn is_solved(row: &DatasetRow) -> Result<bool, LeftReason> {
    let row = row.as_trajectory().ok_or(LeftReason::NoVerdict)?;
    match row.final_result.as_str() {
        "resolved" => Ok(true),
        "unresolved" => Ok(false),
        "flaky" => Err(LeftReason::FlakyVerdict),
        _ => Err(LeftReason::NoVerdict),
    }
}

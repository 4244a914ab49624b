//! ShareGPT: `conversations` of `{from, value}`. A message of calls is one entry `function_call`
//! with JSON text, so it has no text beside. LLaMA-Factory reads the same with stricter rules, and text
//! before calls that are marked.

use super::chat_formats::ending_with_reply;
use super::chat_row::{ChatRow, is_own, is_reply};
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::plain_json::plain_object;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use synthd_actors::model::{DatasetRow, RowMessage, RowToolCall};

/// The marks between which LLaMA-Factory looks for calls that have text before them.
const CALL_MARKS: [&str; 2] = ["<tool_call>", "</tool_call>"];

/// One entry of a conversation.
#[derive(Serialize)]
struct ShareEntry<'a> {
    from: &'static str,
    value: Cow<'a, str>,
}

/// A call as the text of an entry has it.
#[derive(Serialize)]
struct ShareCall<'a> {
    name: &'a str,
    arguments: Box<RawValue>,
}

/// A line of `sharegpt`. The system message is the first entry.
#[derive(Serialize)]
struct ShareGptLine<'a> {
    conversations: Vec<ShareEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// A line of `llama-factory`. Its columns are there in every line.
#[derive(Serialize)]
struct FactoryLine<'a> {
    conversations: Vec<ShareEntry<'a>>,
    system: &'a str,
    tools: &'a str,
}

/// The conversation with reasoning left out.
pub(super) fn share_gpt(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let conversations = entries(chat.messages, false, &mut lost)?;
    ExportedRow::of(&ShareGptLine { conversations, tools: chat.tools_text() }, lost)
}

/// The conversation as LLaMA-Factory takes it: the system message apart, then by turns somebody else
/// and the model, which has the last word. Reasoning stands before the text, between `<think>` and
/// `</think>`.
pub(super) fn llama_factory(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let messages = ending_with_reply(&chat, &mut lost);
    let (system, rest) = match messages {
        [first, rest @ ..] if first.role == "system" => (first.content.as_str(), rest),
        all => ("", all),
    };
    check_turns(rest)?;
    let conversations = entries(rest, true, &mut lost)?;
    let tools = chat.tools_text().unwrap_or_default();
    ExportedRow::of(&FactoryLine { conversations, system, tools }, lost)
}

/// The entry of `dataset_info.json` for a file.
pub(super) fn dataset_info(files: &[(String, String)]) -> Value {
    let entry = |file: &str| {
        json!({
            "file_name": file,
            "formatting": "sharegpt",
            "columns": { "messages": "conversations", "system": "system", "tools": "tools" },
            "tags": {
                "role_tag": "from", "content_tag": "value", "user_tag": "human",
                "assistant_tag": "gpt", "observation_tag": "observation",
                "function_tag": "function_call", "system_tag": "system",
            },
        })
    };
    let entries = files.iter().map(|(name, file)| (name.clone(), entry(file.as_str())));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// Fails unless others and the model speak by turns.
fn check_turns(messages: &[RowMessage]) -> Result<(), LeftReason> {
    if messages.iter().any(|message| message.role == "system") {
        return Err(LeftReason::LateSystem);
    }
    let is_turn = |(at, message): (usize, &RowMessage)| is_reply(message) == (at % 2 == 1);
    match messages.iter().enumerate().all(is_turn) {
        true => Ok(()),
        false => Err(LeftReason::NoTurns),
    }
}

/// An entry for each message. `inline` says whether reasoning stands before the text.
fn entries<'a>(
    messages: &'a [RowMessage],
    inline: bool,
    lost: &mut LostParts,
) -> Result<Vec<ShareEntry<'a>>, LeftReason> {
    note_lost(messages, inline, lost);
    messages.iter().map(|message| entry(message, inline)).collect()
}

fn note_lost(messages: &[RowMessage], inline: bool, lost: &mut LostParts) {
    let any = |is: fn(&RowMessage) -> bool| messages.iter().any(is);
    if !inline && any(|message| message.reasoning.is_some()) {
        lost.insert(LostPart::Reasoning);
    }
    if any(|message| message.tool_calls.is_some() || message.tool_call_id.is_some()) {
        lost.insert(LostPart::CallIds);
    }
    if any(|message| message.name.is_some()) {
        lost.insert(LostPart::ResultNames);
    }
    if any(|message| is_reply(message) && !is_own(message)) {
        lost.insert(LostPart::OtherReplies);
    }
}

fn entry(message: &RowMessage, inline: bool) -> Result<ShareEntry<'_>, LeftReason> {
    let calls = message.tool_calls.as_deref().filter(|calls| !calls.is_empty());
    let (from, value) = match (message.role.as_str(), calls) {
        ("assistant", Some(calls)) => {
            ("function_call", Cow::Owned(call_value(&message.content, calls, inline)?))
        }
        ("assistant", None) => ("gpt", Cow::Borrowed(message.content.as_str())),
        ("system", _) => ("system", Cow::Borrowed(message.content.as_str())),
        ("tool", _) => ("observation", Cow::Borrowed(message.content.as_str())),
        ("user", _) => ("human", Cow::Borrowed(message.content.as_str())),
        _ => return Err(LeftReason::OddRole),
    };
    match message.reasoning.as_deref().filter(|_| inline) {
        Some(thought) if thought.contains("</think>") || calls.is_some() && is_marked(thought) => {
            Err(LeftReason::MarkedReasoning)
        }
        Some(thought) => {
            let value = Cow::Owned(format!("<think>\n{thought}\n</think>\n\n{value}"));
            Ok(ShareEntry { from, value })
        }
        None => Ok(ShareEntry { from, value }),
    }
}

/// The value of a message with calls. LLaMA-Factory takes text before calls if these stand between
/// marks; other readers take calls alone.
fn call_value(text: &str, calls: &[RowToolCall], inline: bool) -> Result<String, LeftReason> {
    let calls = call_text(calls)?;
    let [open, close] = CALL_MARKS;
    match (text.is_empty(), inline) {
        (false, false) => Err(LeftReason::TextBesideCalls),
        (_, true) if is_marked(text) || is_marked(&calls) => Err(LeftReason::MarkedCalls),
        (true, _) => Ok(calls),
        (false, true) => Ok(format!("{text}\n{open}{calls}{close}")),
    }
}

/// Whether a text has one of the marks of calls.
fn is_marked(text: &str) -> bool {
    CALL_MARKS.iter().any(|mark| text.contains(*mark))
}

/// The calls of a message as JSON text: an object, or a list if there are several.
fn call_text(calls: &[RowToolCall]) -> Result<String, LeftReason> {
    let call = |call: &RowToolCall| {
        let arguments = plain_object(&call.arguments).ok_or(LeftReason::OddArguments)?;
        let call = ShareCall { name: &call.name, arguments };
        serde_json::to_string(&call).map_err(|_| LeftReason::NoJson)
    };
    let texts = calls.iter().map(call).collect::<Result<Vec<_>, _>>()?;
    Ok(match texts.as_slice() {
        [only] => only.clone(),
        several => format!("[{}]", several.join(",")),
    })
}

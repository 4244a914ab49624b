//! Session traces of the Hugging Face Hub: a file for each row, with a line for the session and a line
//! for each message. The Hub shows such files as conversations.

use super::chat_row::{ChatRow, is_own};
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use serde::Serialize;
use synthd_actors::model::{DatasetRow, RowMessage, RowToolCall};

/// The longest name of a file without its ending.
const MOST_NAME: usize = 128;

/// The first line of a file.
#[derive(Serialize)]
struct TraceSession<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    harness: &'static str,
    id: &'a str,
    name: &'a str,
    campaign: &'a str,
    labels: &'a [String],
    /// The tools as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// Each other line.
#[derive(Serialize)]
struct TraceLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: TraceMessage<'a>,
}

/// One message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TraceMessage<'a> {
    role: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<TraceCall<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    /// The row's model, in its replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

/// One call of a message.
#[derive(Serialize)]
struct TraceCall<'a> {
    id: &'a str,
    function: TraceFunction<'a>,
}

/// What a call calls.
#[derive(Serialize)]
struct TraceFunction<'a> {
    name: &'a str,
    /// As the model wrote them.
    arguments: &'a str,
}

/// The file of a row.
pub(super) fn hub_trace(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    if !is_file_name(row.id()) {
        return Err(LeftReason::OddId);
    }
    let mut lost = LostParts::new();
    if chat.messages.iter().any(|message| message.name.is_some()) {
        lost.insert(LostPart::ResultNames);
    }
    let mut lines = vec![text(&session(row, chat.tools_text()))?];
    for message in chat.messages {
        let message = trace_message(message, model_of(row))?;
        lines.push(text(&TraceLine { kind: "message", message })?);
    }
    let once = Some((row.id().to_owned(), LeftReason::OddId));
    let own_file = Some(format!("{}.jsonl", row.id()));
    Ok(ExportedRow { once, own_file, ..ExportedRow::new(lines.join("\n"), lost) })
}

fn session<'a>(row: &'a DatasetRow, tools: Option<&'a str>) -> TraceSession<'a> {
    TraceSession {
        kind: "session",
        harness: "synthd",
        id: row.id(),
        name: row.work_id(),
        campaign: row.campaign(),
        labels: row.labels(),
        tools,
    }
}

fn model_of(row: &DatasetRow) -> &str {
    match row {
        DatasetRow::Trajectory(row) => &row.llm_model,
        DatasetRow::Completion(row) => &row.llm_model,
    }
}

fn trace_message<'a>(
    message: &'a RowMessage,
    model: &'a str,
) -> Result<TraceMessage<'a>, LeftReason> {
    if !["system", "user", "assistant", "tool"].contains(&message.role.as_str()) {
        return Err(LeftReason::OddRole);
    }
    let calls = message.tool_calls.as_deref().filter(|calls| !calls.is_empty());
    Ok(TraceMessage {
        role: &message.role,
        content: &message.content,
        reasoning_content: message.reasoning.as_deref(),
        tool_calls: calls.map(|calls| calls.iter().map(trace_call).collect()),
        tool_call_id: message.tool_call_id.as_deref(),
        model: is_own(message).then_some(model),
    })
}

fn trace_call(call: &RowToolCall) -> TraceCall<'_> {
    let function = TraceFunction { name: &call.name, arguments: &call.arguments };
    TraceCall { id: &call.id, function }
}

fn text(line: &impl Serialize) -> Result<String, LeftReason> {
    serde_json::to_string(line).map_err(|_| LeftReason::NoJson)
}

/// Whether an id can be the name of a file on every system.
fn is_file_name(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !id.is_empty() && id.len() <= MOST_NAME && !id.starts_with('.') && id.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_in_its_directory() {
        for (id, is) in [
            ("ep-0123456789abcdef", true),
            ("a.b_c", true),
            ("", false),
            (".hidden", false),
            ("../up", false),
            ("a/b", false),
            ("a b", false),
            ("ü", false),
        ] {
            assert_eq!(is_file_name(id), is, "{id:?}");
        }
        assert!(!is_file_name(&"a".repeat(129)));
    }
}

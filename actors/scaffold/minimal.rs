//! `minimal`: the native scaffold with one tool, `bash`. A reply should contain one call. Several
//! calls run in their order. To submit its work, the agent runs a command whose first line of
//! output is the marker.
//!
//! A call has the arguments `{"command": "ls -l"}`. The observation looks like this:
//!
//! ```text
//!  <returncode>0</returncode>
//!  <stdout>
//!  a.txt
//!  </stdout>
//! ```

use super::{AgentObservation, FormatError, ParsedAction, Scaffold};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRequest, ChatRole, ExecEnd, ExecReport, FinishReason,
    MoveAction, StepAction, Task, ToolCall, ToolSchema, USUAL_OUTPUT_TOKENS, WORKSPACE,
};
use serde_json::json;
use std::collections::VecDeque;

/// The line of output that submits the work. It must be the first line of a command that succeeded.
const SUBMIT_MARKER: &str = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";
/// The name of the only tool.
const TOOL: &str = "bash";

/// The native scaffold. It has no state.
pub struct MinimalScaffold;

impl MinimalScaffold {
    /// The name in campaign files and records.
    pub const NAME: &'static str = "minimal";
}

impl Scaffold for MinimalScaffold {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn open(&self, task: &Task) -> Vec<ChatMessage> {
        vec![
            ChatMessage::text(ChatRole::System, system_prompt()),
            ChatMessage::text(ChatRole::User, format!("Your task:\n\n{}", task.instruction)),
        ]
    }

    fn request(&self, history: &[ChatMessage]) -> ChatRequest {
        ChatRequest {
            settings: Default::default(),
            messages: history.to_vec(),
            tools: vec![tool_schema()],
            max_output_tokens: USUAL_OUTPUT_TOKENS,
        }
    }

    fn parse(&self, reply: &ChatReply) -> Result<ParsedAction, FormatError> {
        let calls = calls_of(reply)?.iter().map(parse_call);
        let mut calls = calls.collect::<Result<VecDeque<_>, _>>()?;
        let first = calls.pop_front().ok_or_else(no_call)?;
        Ok(ParsedAction { rest: calls.into(), ..first })
    }

    fn observe(&self, action: &ParsedAction, report: &ExecReport) -> AgentObservation {
        let text = render_observation(report);
        // Only the output counts, not the command: an `echo` that failed has submitted nothing.
        let submitted = report.end.success()
            && String::from_utf8_lossy(&report.stdout.head).lines().next().map(str::trim_end)
                == Some(SUBMIT_MARKER);
        let messages = vec![ChatMessage::tool_result(&action.call_id, text.clone())];
        AgentObservation { text, messages, submitted }
    }

    fn correct(&self, reply: &ChatReply, error: &FormatError) -> AgentObservation {
        let text = format!(
            "Your reply could not be used: {}.\nReply with exactly one call of the tool \
             \"{TOOL}\". Its arguments must be {{\"command\": \"...\"}}. To submit your work, run: \
             echo {SUBMIT_MARKER}",
            error.reason
        );
        // Every call must be answered, or the next request is not a valid conversation.
        let mut messages: Vec<ChatMessage> = reply
            .message
            .tool_calls
            .iter()
            .map(|call| ChatMessage::tool_result(&call.id, text.clone()))
            .collect();
        if messages.is_empty() {
            messages.push(ChatMessage::text(ChatRole::User, text.clone()));
        }
        AgentObservation { text, messages, submitted: false }
    }

    fn express(&self, think: &str, deed: &MoveAction, turn: u32) -> ChatMessage {
        let arguments = json!({ "command": command_for(deed) }).to_string();
        ChatMessage {
            tool_calls: vec![ToolCall {
                id: format!("call_{turn}"),
                name: TOOL.to_owned(),
                arguments,
            }],
            ..ChatMessage::text(ChatRole::Assistant, think)
        }
    }
}

/// The system message. It is the same for every task.
fn system_prompt() -> String {
    format!(
        "You solve a task in a Linux sandbox. You run shell commands.\n\n\
         Each reply contains a short thought and exactly one call of the tool \"{TOOL}\". The first \
         command starts in {WORKSPACE}. The working directory and exported variables persist \
         between calls. Background processes keep running. There is no terminal. There is no \
         network unless http_proxy is set. If it is set, use that proxy for HTTP and HTTPS. Long \
         output is cut in the middle.\n\n\
         When the task is done, submit your work with exactly this command: echo {SUBMIT_MARKER}\n\
         You can change nothing after that."
    )
}

/// The tool `bash` as the model sees it.
fn tool_schema() -> ToolSchema {
    ToolSchema {
        name: TOOL.to_owned(),
        description: "Run a shell command in the sandbox and see its output.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "command": { "type": "string", "description": "The command to run." }
            },
            "required": ["command"],
            "additionalProperties": false
        }),
        sent: None,
    }
}

/// Parses one call of a reply. If one call cannot be read, the whole reply cannot be read: a call
/// may depend on the calls before it.
fn parse_call(call: &ToolCall) -> Result<ParsedAction, FormatError> {
    let fail = |reason: &str| FormatError {
        reason: reason.to_owned(),
        tool: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    if call.name != TOOL {
        return Err(fail(&format!("there is no tool named {:?}; use {TOOL:?}", call.name)));
    }
    let arguments: serde_json::Value = serde_json::from_str(&call.arguments)
        .map_err(|_| fail("the tool's arguments are not valid JSON"))?;
    let command = arguments
        .get("command")
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| fail("the arguments need a string named \"command\""))?;
    if command.trim().is_empty() {
        return Err(fail("the command is empty"));
    }
    // A guess for the record; the output of the command decides.
    let kind = if is_submission(command) { ActionType::Submit } else { ActionType::ToolCall };
    Ok(ParsedAction {
        action: StepAction {
            kind,
            tool: TOOL.to_owned(),
            arguments: json!({ "command": command }).to_string(),
        },
        command: command.to_owned(),
        call_id: call.id.clone(),
        rest: Vec::new(),
    })
}

/// The calls of a whole reply, at least one. A reply that was cut by the output limit is refused,
/// because its last call may be cut as well.
fn calls_of(reply: &ChatReply) -> Result<&[ToolCall], FormatError> {
    if reply.finish == FinishReason::Length {
        return Err(without_call("the reply was cut by the output limit"));
    }
    match reply.message.tool_calls.as_slice() {
        [] => Err(no_call()),
        calls => Ok(calls),
    }
}

/// The error for a reply without a call.
fn no_call() -> FormatError {
    without_call("there is no tool call")
}

/// An error that concerns no single call.
fn without_call(reason: &str) -> FormatError {
    FormatError { reason: reason.to_owned(), tool: String::new(), arguments: "{}".to_owned() }
}

/// Whether the command is exactly the one that the prompt names. The output decides in the end.
fn is_submission(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    words == ["echo", SUBMIT_MARKER]
}

/// The report of a command as text: exit code, a note if it was killed, output, and errors if there
/// are any.
fn render_observation(report: &ExecReport) -> String {
    let mut text = format!("<returncode>{}</returncode>\n", report.end.exit_code());
    if let Some(note) = note_of(&report.end) {
        text.push_str(&format!("<note>{note}</note>\n"));
    }
    let stdout = report.stdout.text();
    let stderr = report.stderr.text();
    text.push_str(&format!("<stdout>\n{stdout}"));
    close(&mut text, "</stdout>");
    if !stderr.is_empty() {
        text.push_str(&format!("\n<stderr>\n{stderr}"));
        close(&mut text, "</stderr>");
    }
    text
}

/// Ends a section on a line of its own.
fn close(text: &mut String, tag: &str) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(tag);
}

/// Why a command did not exit by itself. None if it did.
fn note_of(end: &ExecEnd) -> Option<String> {
    match end {
        ExecEnd::Exited(_) => None,
        ExecEnd::Signaled(signal) => Some(format!("the command was killed by signal {signal}")),
        ExecEnd::TimedOut => Some("the command ran out of time and was killed".to_owned()),
        ExecEnd::CpuLimit => Some("the command used up its processor time".to_owned()),
        ExecEnd::OutOfMemory => Some("the sandbox ran out of memory".to_owned()),
        ExecEnd::OutputLimit => Some("the command wrote too much and was killed".to_owned()),
        ExecEnd::NotStarted(why) => Some(format!("the command could not be started: {why}")),
    }
}

/// A scripted move as a POSIX shell command. This scaffold has no other tool.
fn command_for(deed: &MoveAction) -> String {
    match deed {
        MoveAction::Run(command) => command.clone(),
        MoveAction::Submit => format!("echo {SUBMIT_MARKER}"),
        MoveAction::Write { path, content } => write_command(path, content),
        MoveAction::Edit { path, search, replace } => edit_command(path, search, replace),
    }
}

/// A command that writes a file and makes its directory. Text that ends with a newline goes into a
/// heredoc; other text goes through `printf`, because a heredoc always ends with a newline.
fn write_command(path: &str, content: &str) -> String {
    let quoted = quote(path);
    let mkdir = match path.rsplit_once('/') {
        Some((parent, _)) if !parent.is_empty() => format!("mkdir -p {} && ", quote(parent)),
        _ => String::new(),
    };
    match content.strip_suffix('\n') {
        Some(body) => {
            let end = heredoc_word(content);
            format!("{mkdir}cat > {quoted} <<'{end}'\n{body}\n{end}")
        }
        None => format!("{mkdir}printf '%s' {} > {quoted}", quote(content)),
    }
}

/// A command that replaces the first occurrence of a text. It needs only `awk`. It reads the file,
/// the search text and the replacement whole, so newlines need no escaping. It fails if the text
/// does not occur.
fn edit_command(path: &str, search: &str, replace: &str) -> String {
    let (path, search, replace) = (quote(path), quote(search), quote(replace));
    format!(
        "SEARCH={search} REPLACE={replace} awk '{{ text = text sep $0; sep = \"\\n\" }}\n\
         END {{ s = ENVIRON[\"SEARCH\"]; at = index(text \"\\n\", s);\n\
         if (!at) {{ print \"search text not found\" > \"/dev/stderr\"; exit 1 }}\n\
         out = substr(text \"\\n\", 1, at - 1) ENVIRON[\"REPLACE\"] substr(text \"\\n\", at + length(s));\n\
         printf \"%s\", out }}' {path} > /tmp/edited && cat /tmp/edited > {path}"
    )
}

/// Quotes a word for the shell, if it needs quotes.
fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// An end word for a heredoc that is no line of the content: `EOF`, `EOF_`, `EOF__` and so on.
fn heredoc_word(content: &str) -> String {
    let mut word = "EOF".to_owned();
    while content.lines().any(|line| line == word) {
        word.push('_');
    }
    word
}

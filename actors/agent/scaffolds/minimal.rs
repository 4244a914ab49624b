//! `minimal`: the native scaffold with one tool, `bash` ([`ShellTool`]). A reply should contain one
//! call. Several calls run in their order. To submit its work, the agent runs a command whose first
//! line of output is the marker.

use crate::agent::{
    AgentLimits, Correction, FormatError, RequestedAction, Scaffold, ShellTool, Toolbox,
};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRole, FinishReason, MoveAction, StepAction, Task,
    ToolCall, TurnAction,
};
use serde_json::{Value, json};

/// The line of output that submits the work. It must be the first line of a command that succeeded.
pub(super) const SUBMIT_MARKER: &str = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";
/// The name of the only tool.
const TOOL: &str = ShellTool::NAME;

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

    fn open(&self, task: &Task, limits: &AgentLimits) -> Vec<ChatMessage> {
        vec![
            ChatMessage::text(ChatRole::System, system_prompt(task, limits)),
            ChatMessage::text(ChatRole::User, format!("Your task:\n\n{}", task.instruction)),
        ]
    }

    fn tools(&self) -> Toolbox {
        Toolbox::new(vec![Box::new(ShellTool { submit_marker: SUBMIT_MARKER })])
    }

    fn parse(&self, reply: &ChatReply) -> Result<Vec<RequestedAction>, FormatError> {
        calls_of(reply)?.iter().map(parse_call).collect()
    }

    fn answer(&self, actions: &[TurnAction]) -> Vec<ChatMessage> {
        let result = |action: &TurnAction| {
            ChatMessage::tool_result(&action.call_id, action.observation.clone())
        };
        actions.iter().map(result).collect()
    }

    fn correct(&self, reply: &ChatReply, error: &FormatError) -> Correction {
        let text = format!(
            "Your reply could not be used: {}.\nReply with exactly one call of the tool \
             \"{TOOL}\". Its arguments must be {{\"command\": \"...\"}}. To submit your work, run: \
             echo {SUBMIT_MARKER}",
            error.reason
        );
        correction(reply, text)
    }

    fn express(&self, think: &str, scripted: &MoveAction, turn: u32) -> ChatMessage {
        let arguments = json!({ "command": command_for(scripted) });
        scripted_call(think, turn, TOOL, &arguments)
    }
}

/// A correction that answers every call of the reply with the text: otherwise the next request is
/// not a valid conversation.
pub(super) fn correction(reply: &ChatReply, text: String) -> Correction {
    let calls = reply.message.tool_calls.iter();
    let mut messages: Vec<ChatMessage> =
        calls.map(|call| ChatMessage::tool_result(&call.id, text.clone())).collect();
    if messages.is_empty() {
        messages.push(ChatMessage::text(ChatRole::User, text.clone()));
    }
    Correction { text, messages }
}

/// A reply of a scripted model with one call.
pub(super) fn scripted_call(think: &str, turn: u32, tool: &str, arguments: &Value) -> ChatMessage {
    let (id, name) = (format!("call_{turn}"), tool.to_owned());
    let call = ToolCall { id, name, arguments: arguments.to_string() };
    ChatMessage { tool_calls: vec![call], ..ChatMessage::text(ChatRole::Assistant, think) }
}

/// What the system message says of the time after a submission.
pub(super) fn after_submission(task: &Task) -> &'static str {
    match task.stages.is_empty() {
        true => "You can change nothing after that.",
        false => {
            "Then you get the next task in the same workspace, until the last one is submitted."
        }
    }
}

/// The system message. It is the same for every task of templates in a campaign, and the same for every
/// task with stages.
fn system_prompt(task: &Task, limits: &AgentLimits) -> String {
    let limits = limits.list();
    let (workspace, afterwards) = (task.workspace(), after_submission(task));
    format!(
        "You solve a task in a Linux sandbox. You run shell commands.\n\n\
         Each reply contains a short thought and exactly one call of the tool \"{TOOL}\". The first \
         command starts in {workspace}. The working directory and exported variables persist \
         between calls. Background processes keep running. There is no terminal. You see output \
         and errors together, in the order in which they were written.\n\n\
         These limits hold:\n{limits}\n\n\
         When the task is done, submit your work with exactly this command: echo {SUBMIT_MARKER}\n\
         {afterwards}"
    )
}

/// Parses one call of a reply. If one call cannot be read, the whole reply cannot be read: a call
/// may depend on the calls before it.
pub(super) fn parse_call(call: &ToolCall) -> Result<RequestedAction, FormatError> {
    let fail = |reason: &str| FormatError {
        reason: reason.to_owned(),
        tool: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    if call.name != TOOL {
        return Err(fail(&format!("there is no tool named {:?}; use {TOOL:?}", call.name)));
    }
    let command = ShellTool::command(&call.arguments).map_err(fail)?;
    // A guess for the record; the output of the command decides.
    let kind = if is_submission(&command) { ActionType::Submit } else { ActionType::ToolCall };
    let arguments = json!({ "command": command }).to_string();
    let action = StepAction { kind, tool: TOOL.to_owned(), arguments };
    Ok(RequestedAction { action, call_id: call.id.clone() })
}

/// The calls of a whole reply, at least one. A reply that was cut by the output limit is refused,
/// because its last call may be cut as well.
pub(super) fn calls_of(reply: &ChatReply) -> Result<&[ToolCall], FormatError> {
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

/// A scripted move as a POSIX shell command. This scaffold has no other tool.
fn command_for(scripted: &MoveAction) -> String {
    match scripted {
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

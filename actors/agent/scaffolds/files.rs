//! `files`: the native scaffold with a shell and tools for files. The tools read, write, change and
//! list files by operations of the sandbox, so that no text passes through the quoting of a shell.
//! Submission, corrections and the shell are those of `minimal`.

use super::minimal::{self, MinimalScaffold, SUBMIT_MARKER};
use crate::agent::{
    AgentLimits, AgentTool, Correction, FormatError, ListDirectoryTool, ReadFileTool,
    ReplaceTextTool, RequestedAction, Scaffold, ShellTool, Toolbox, WriteFileTool,
};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRole, MoveAction, StepAction, Task, ToolCall,
    TurnAction,
};
use serde_json::{Value, json};

/// The scaffold with tools for files. It has no state; its tools have.
pub struct FilesScaffold;

impl FilesScaffold {
    /// The name in campaign files and records.
    pub const NAME: &'static str = "files";
}

impl Scaffold for FilesScaffold {
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
        let shell: Box<dyn AgentTool> = Box::new(ShellTool { submit_marker: SUBMIT_MARKER });
        Toolbox::new(std::iter::once(shell).chain(file_tools()).collect())
    }

    fn parse(&self, reply: &ChatReply) -> Result<Vec<RequestedAction>, FormatError> {
        minimal::calls_of(reply)?.iter().map(parse_call).collect()
    }

    fn answer(&self, actions: &[TurnAction]) -> Vec<ChatMessage> {
        MinimalScaffold.answer(actions)
    }

    fn correct(&self, reply: &ChatReply, error: &FormatError) -> Correction {
        let text = format!(
            "Your reply could not be used: {}.\nReply with exactly one call of a tool: {}. To \
             submit your work, call \"{}\" with the command: echo {SUBMIT_MARKER}",
            error.reason,
            names(),
            ShellTool::NAME,
        );
        minimal::correction(reply, text)
    }

    /// A file is written by its tool. An edit goes through the shell: it may mean the first of
    /// several equal texts.
    fn express(&self, think: &str, scripted: &MoveAction, turn: u32) -> ChatMessage {
        match scripted {
            MoveAction::Write { path, content } => {
                let arguments = json!({ "path": path, "content": content });
                minimal::scripted_call(think, turn, WriteFileTool::NAME, &arguments)
            }
            other => MinimalScaffold.express(think, other, turn),
        }
    }
}

/// The tools beside the shell.
fn file_tools() -> [Box<dyn AgentTool>; 4] {
    [
        Box::new(ReadFileTool::default()),
        Box::new(WriteFileTool::default()),
        Box::new(ReplaceTextTool::default()),
        Box::new(ListDirectoryTool::default()),
    ]
}

/// The names of all tools, for messages.
fn names() -> String {
    let files = file_tools().map(|tool| tool.schema().name);
    let all = std::iter::once(ShellTool::NAME.to_owned()).chain(files);
    all.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The system message. It is the same for every task of templates in a campaign, and the same for every
/// task with stages.
fn system_prompt(task: &Task, limits: &AgentLimits) -> String {
    let (workspace, afterwards) = (task.workspace(), minimal::after_submission(task));
    let (limits, names, shell) = (limits.list(), names(), ShellTool::NAME);
    format!(
        "You solve a task in a Linux sandbox. You have a shell, and tools for files.\n\n\
         Each reply contains a short thought and exactly one call of a tool: {names}.\n\n\
         The tool \"{shell}\" runs a command. The first command starts in {workspace}. The working \
         directory and exported variables persist between calls. Background processes keep \
         running. There is no terminal. You see output and errors together, in the order in which \
         they were written. The other tools take paths; a relative path begins in {workspace}, \
         wherever the shell is.\n\n\
         These limits hold:\n{limits}\n\n\
         When the task is done, submit your work by calling \"{shell}\" with exactly this command: \
         echo {SUBMIT_MARKER}\n{afterwards}"
    )
}

/// Parses one call of a reply. If one call cannot be read, the whole reply cannot be read. Whether
/// the arguments are right is the tool's to say, as it will say it when the action runs.
fn parse_call(call: &ToolCall) -> Result<RequestedAction, FormatError> {
    if call.name == ShellTool::NAME {
        return minimal::parse_call(call);
    }
    let fail = |reason: String| FormatError {
        reason,
        tool: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    let unknown =
        || fail(format!("there is no tool named {:?}; use one of {}", call.name, names()));
    let tool = file_tools().into_iter().find(|tool| tool.schema().name == call.name);
    tool.ok_or_else(unknown)?.begin(&call.arguments).map_err(fail)?;
    // The tool has read an object, so this is one.
    let object: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
    let (kind, tool) = (ActionType::ToolCall, call.name.clone());
    let action = StepAction { kind, tool, arguments: object.to_string() };
    Ok(RequestedAction { action, call_id: call.id.clone() })
}

//! The single actions of a trajectory, with what their arguments tell: the shell commands that they run
//! and what they do to files. The tools of native agents are known; those of other programs as far as
//! their names and arguments are usual.

use super::shell_effect::{ActionEffect, lists, script_effect};
use super::shell_words::{ShellCommand, shell_commands};
use crate::agent::ExternalAgent;
use crate::model::{ActionType, RowStep, TrajectoryRow};
use serde_json::{Map, Value};

/// Names of arguments that are a shell command.
const COMMAND_KEYS: [&str; 4] = ["command", "cmd", "script", "keystrokes"];
/// Names of arguments that are the path of a file.
const PATH_KEYS: [&str; 5] = ["path", "file_path", "filepath", "file", "filename"];
/// Names of tools that show something, in lower case.
const LOOKING_TOOLS: &str = "read_file list_directory view read cat grep glob ls list_dir \
    list_files search search_dir search_file search_files find_file open open_file scroll_up \
    scroll_down goto think finish";
/// Names of tools that write files, in lower case.
const CHANGING_TOOLS: &str = "write_file str_replace write edit multiedit create create_file \
    edit_file insert apply_patch write_to_file replace_in_file replace undo_edit";

/// One action of a trajectory.
pub(in crate::curation) struct AgentAction<'r> {
    /// The position of its step in the trajectory.
    pub(in crate::curation) at: usize,
    pub(in crate::curation) step: &'r RowStep,
    pub(in crate::curation) kind: &'r str,
    pub(in crate::curation) tool: &'r str,
    pub(in crate::curation) arguments: &'r str,
    pub(in crate::curation) observation: &'r str,
    /// What went wrong. None if it is not known whether something did.
    pub(in crate::curation) error: Option<&'r str>,
    /// None if no command ran, and if it is not known how it ended.
    pub(in crate::curation) exit_code: Option<i32>,
    /// The shell commands that it runs.
    pub(in crate::curation) commands: Vec<ShellCommand>,
    /// The file that a tool for files is given.
    pub(in crate::curation) path: Option<String>,
    pub(in crate::curation) effect: ActionEffect,
}

/// The actions of a trajectory that ran, or may have run. What an agent's own program reports of its
/// actions is not known, so they have no exit codes and no errors.
pub(in crate::curation) fn agent_actions(row: &TrajectoryRow) -> Vec<AgentAction<'_>> {
    let external = ExternalAgent::is(&row.scaffold);
    let mut found = Vec::new();
    for (at, step) in row.trajectory.iter().enumerate() {
        match step.actions.as_deref() {
            Some(actions) if !actions.is_empty() => {
                let ran = actions.iter().filter(|action| action.ran != Some(false));
                found.extend(ran.map(|action| {
                    let request = (action.kind.as_str(), action.tool.as_str());
                    let error = action.error.as_deref();
                    let end = (action.observation.as_str(), error, action.exit_code);
                    AgentAction::of(at, step, request, &action.arguments, end, external)
                }));
            }
            _ => {
                let request = (step.action.kind.as_str(), step.action.tool.as_str());
                let end = (step.observation.as_str(), step.error.as_deref(), step.exit_code);
                let arguments = &step.action.arguments;
                found.push(AgentAction::of(at, step, request, arguments, end, external));
            }
        }
    }
    found
}

impl<'r> AgentAction<'r> {
    fn of(
        at: usize,
        step: &'r RowStep,
        (kind, tool): (&'r str, &'r str),
        arguments: &'r str,
        (observation, error, exit_code): (&'r str, Option<&'r str>, Option<i32>),
        external: bool,
    ) -> Self {
        // What could not be read did not run.
        let runs =
            ![ActionType::Malformed, ActionType::Refusal].iter().any(|no| no.as_str() == kind);
        let given = serde_json::from_str::<Map<String, Value>>(arguments);
        let given = given.ok().filter(|_| runs).unwrap_or_default();
        let path = PATH_KEYS.iter().find_map(|key| given.get(*key)?.as_str());
        let script = if path.is_some() { None } else { script_of(&given) };
        let commands = script.as_deref().map(shell_commands).unwrap_or_default();
        let (error, exit_code) = if external { (None, None) } else { (error, exit_code) };
        let failed = error.is_some() || exit_code.is_some_and(|code| code != 0);
        let effect = match script {
            Some(_) => script_effect(&commands, &step.state.cwd),
            None if !runs => ActionEffect::Looks,
            None => tool_effect(tool, &given),
        };
        let effect = match (effect, failed) {
            // A tool for files that fails writes nothing; a script may have written before.
            (ActionEffect::Changes, true) if script.is_none() => ActionEffect::Looks,
            (ActionEffect::Changes, true) => ActionEffect::Unknown,
            (effect, _) => effect,
        };
        let path = path.map(str::to_owned);
        Self {
            at,
            step,
            kind,
            tool,
            arguments,
            observation,
            error,
            exit_code,
            commands,
            path,
            effect,
        }
    }

    pub(in crate::curation) fn is(&self, kind: ActionType) -> bool {
        self.kind == kind.as_str()
    }

    /// Whether it only waits.
    pub(in crate::curation) fn waits(&self) -> bool {
        !self.commands.is_empty()
            && self.commands.iter().all(|command| matches!(command.program(), "sleep" | "wait"))
    }
}

/// The shell command that a call gives. Some programs give it as a list of words.
fn script_of(given: &Map<String, Value>) -> Option<String> {
    COMMAND_KEYS.iter().find_map(|key| match given.get(*key)? {
        Value::String(script) => Some(script.clone()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            words.filter(|words| !words.is_empty()).map(|words| script_of_words(&words))
        }
        _ => None,
    })
}

/// A list of words as a script. That of `bash -lc SCRIPT` is the script itself.
fn script_of_words(words: &[&str]) -> String {
    match words {
        [_, flags, script] if flags.starts_with('-') && flags.ends_with('c') => {
            (*script).to_owned()
        }
        words => words.join(" "),
    }
}

/// What a tool other than a shell does to files.
fn tool_effect(tool: &str, given: &Map<String, Value>) -> ActionEffect {
    // The tool of some programs is an editor, and its `command` says what it does.
    let command = given.get("command").and_then(Value::as_str);
    let name = command.unwrap_or(tool).to_ascii_lowercase();
    if lists(LOOKING_TOOLS, &name) {
        ActionEffect::Looks
    } else if lists(CHANGING_TOOLS, &name) {
        ActionEffect::Changes
    } else {
        ActionEffect::Unknown
    }
}

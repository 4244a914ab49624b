//! The shape of a task: what is left of it without drawn numbers and names.

use super::drawn_words::DrawnWords;
use crate::model::{
    FileSpec, JUDGED_LIBRARY, MoveAction, SHELL_LIBRARY, ScriptedMove, Task, digest_of,
};
use std::collections::BTreeSet;

/// Tasks of the same shape are the same work: the same lines in the same files, the same faults, the
/// same moves of the oracle and the same checks, whatever the numbers and the names are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TaskShape {
    /// The digest of everything that the agent finds.
    pub(super) environment: String,
    /// The digest of the oracle's moves.
    pub(super) oracle: String,
    /// The digest of the programs that judge, among them wrong variants on which tests are tried.
    checks: String,
    /// The drawn variants of the faults.
    faults: Vec<(String, String)>,
}

impl TaskShape {
    /// The shape of a task whose template draws these words.
    pub(super) fn new(task: &Task, words: &DrawnWords) -> Self {
        let faults = task.faults.iter();
        Self {
            environment: environment(task, words),
            oracle: oracle(&task.solution, words),
            checks: checks(task, words),
            faults: faults.map(|fault| (fault.name.clone(), fault.variant.clone())).collect(),
        }
    }
}

/// The digest of the files, the commands and the services. Where something stands twice, it counts
/// once.
fn environment(task: &Task, words: &DrawnWords) -> String {
    let mut parts: BTreeSet<String> = task.files.iter().map(|file| of_file(file, words)).collect();
    parts.extend(task.setup.iter().map(|line| format!("setup\n{}", words.lines(line))));
    parts.extend(task.services.iter().map(|service| {
        format!("service\n{}\n{}", words.lines(&service.run), words.lines(&service.health))
    }));
    digest_of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The digest of the sealed programs that are the template's own.
fn checks(task: &Task, words: &DrawnWords) -> String {
    let programs = task.verification.files.iter().filter(|file| is_own_program(file));
    let parts: BTreeSet<String> = programs.map(|file| of_file(file, words)).collect();
    digest_of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether a sealed file is a program, and not the engine's library. In the whole of a task with
/// stages, paths stand behind the names of stages.
pub(super) fn is_own_program(file: &FileSpec) -> bool {
    let is_library = |path: &str| path.ends_with(JUDGED_LIBRARY) || path.ends_with(SHELL_LIBRARY);
    file.is_program() && !is_library(&file.path)
}

/// A file without what is drawn.
fn of_file(file: &FileSpec, words: &DrawnWords) -> String {
    format!("file {:o} {}\n{}", file.mode, words.masked(&file.path), words.lines(&file.content))
}

/// The digest of the moves in the order in which each is first made.
fn oracle(moves: &[ScriptedMove], words: &DrawnWords) -> String {
    let mut seen: Vec<String> = Vec::new();
    for step in moves {
        let made = of_action(&step.action, words);
        if !seen.contains(&made) {
            seen.push(made);
        }
    }
    digest_of(&seen.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a move does, without what is drawn.
fn of_action(action: &MoveAction, words: &DrawnWords) -> String {
    match action {
        MoveAction::Run(command) => format!("run\n{}", words.lines(command)),
        MoveAction::Edit { path, search, replace } => {
            let (path, search) = (words.masked(path), words.lines(search));
            format!("edit {path}\n{search}\n=>\n{}", words.lines(replace))
        }
        MoveAction::Write { path, content } => {
            format!("write {}\n{}", words.masked(path), words.lines(content))
        }
        MoveAction::Submit => "submit".to_owned(),
    }
}

//! What tasks from a pack have in common whose workspace is a git repository: the history as a stream, the
//! sealed programs, and the moves of git. The judge builds the same repository of the same stream, so that
//! no hash is written anywhere.

use super::case_git;
use super::draw::{self, TaskRng};
use super::history_stream::{HISTORY, IMPORT};
use super::pack_frame::PackWork;
use super::pack_task::{PackTaskBuilder, TIMEOUT, quoted, run, sealed_file};
use super::task_builder::{judge_library, sign_programs};
use crate::model::{
    FileSpec, JudgePlace, MoveAction, NamedSolution, ScriptedMove, TaskCheck, TaskFault,
    TaskVerification,
};
use serde_json::Value;

/// Reads the repository that the agent left, and the given one.
const REPOSITORY: &str = include_str!("../pack/sealed/repository.py");

/// What a kind makes of the entries that it drew.
pub(super) struct GitWork {
    /// The ids of the entries.
    pub(super) entries: Vec<String>,
    /// The history, for `git fast-import`.
    pub(super) history: String,
    /// The name of the wording, and its text.
    pub(super) told: (String, String),
    pub(super) solution: Vec<ScriptedMove>,
    pub(super) alternative: NamedSolution,
    pub(super) faults: Vec<TaskFault>,
    pub(super) verdict: GitVerdict,
}

/// How the work is judged.
pub(super) struct GitVerdict {
    /// The sealed program of the kind: its name, and its text.
    pub(super) program: (&'static str, &'static str),
    /// What it is told beside the parts.
    pub(super) facts: Value,
    /// The parts that tests decide, with the numbers of their tests.
    pub(super) parts: Vec<(String, Vec<usize>)>,
    pub(super) checks: Vec<TaskCheck>,
    /// Some of the checks. Their weights are relative.
    pub(super) milestones: Vec<TaskCheck>,
    pub(super) cheats: Vec<NamedSolution>,
}

impl PackTaskBuilder<'_> {
    /// The work of a kind with a repository.
    pub(super) fn in_repository(&self, work: GitWork) -> PackWork {
        let history = FileSpec { path: HISTORY.to_owned(), content: work.history, mode: 0o644 };
        PackWork {
            told: work.told,
            verification: self.git_verification(&history, work.verdict),
            files: vec![history],
            setup: vec![IMPORT.to_owned()],
            solution: work.solution,
            alternatives: vec![work.alternative],
            faults: work.faults,
            entries: work.entries,
            stages: Vec::new(),
        }
    }

    /// The verification: the sealed programs, the history, and the project without its sources.
    fn git_verification(&self, history: &FileSpec, verdict: GitVerdict) -> TaskVerification {
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        let GitVerdict { program: (name, text), facts, parts, checks, mut milestones, cheats } =
            verdict;
        let mut files = match self.has_cases() {
            true => case_git::sealed(self.pack, &parts),
            false => self.sealed(&parts),
        };
        files.extend([
            sealed_file(name, text.to_owned()),
            sealed_file("repository.py", REPOSITORY.to_owned()),
            sealed_file("facts.json", format!("{facts}\n")),
            sealed_file(HISTORY, history.content.clone()),
        ]);
        sign_programs(&mut files, checks.iter(), &canary);
        files.push(sealed_file(".canary", format!("{canary}\n")));
        files.extend(judge_library());
        let sum = milestones.iter().fold(0.0, |sum, milestone| sum + milestone.weight);
        milestones.iter_mut().for_each(|milestone| milestone.weight /= sum);
        let (judge, timeout) = (JudgePlace::Apart, TIMEOUT);
        TaskVerification { files, checks, milestones, cheats, judge, timeout, canary }
    }
}

/// What holds for every repository in the end, in words.
pub(super) fn left_in_order() -> String {
    format!(
        "`main` must be checked out, and every file of it must lie in the directory as it is committed. No \
         user is configured for git; use any name, as in `{}`.",
        git("commit ...")
    )
}

/// Some checks as milestones.
pub(super) fn chosen(checks: &[TaskCheck], names: &[&str]) -> Vec<TaskCheck> {
    checks.iter().filter(|check| names.contains(&check.name.as_str())).cloned().collect()
}

/// git with a name, as whoever commits without settings writes it.
pub(super) fn git(words: &str) -> String {
    format!("git -c user.name=me -c user.email=me@example.net {words}")
}

/// A move that writes a file.
pub(super) fn write(think: &str, path: &str, content: String) -> ScriptedMove {
    let action = MoveAction::Write { path: path.to_owned(), content };
    ScriptedMove { think: think.to_owned(), action }
}

/// A cheat, or another honest solution.
pub(super) fn named(name: &str, moves: Vec<ScriptedMove>) -> NamedSolution {
    NamedSolution { name: name.to_owned(), moves }
}

/// A move of a cheat.
pub(super) fn does(command: impl Into<String>) -> ScriptedMove {
    run("", command.into())
}

/// Paths as words of the shell.
pub(super) fn quoted_all<'s>(paths: impl IntoIterator<Item = &'s String>) -> String {
    let quoted: Vec<String> = paths.into_iter().map(|path| quoted(path)).collect();
    quoted.join(" ")
}

/// The last name in a path of names or of directories, without its ending: `lexer` of `tabq/lexer.py`.
pub(super) fn short_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// The name of a function without its module: `compare` of `tabq.values.compare`.
pub(super) fn function_name(function: &str) -> &str {
    function.rsplit('.').next().unwrap_or(function)
}

/// Puts a list into a drawn order.
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut TaskRng) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.index(at + 1));
    }
}

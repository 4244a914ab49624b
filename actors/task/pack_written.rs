//! What tasks from a pack have in common whose result is one file that the agent writes: tests, or a
//! reference. Nothing is wrong in the project. What the file must hold is sealed.

use super::draw;
use super::pack_frame::PackWork;
use super::pack_task::{PackTaskBuilder, laid, sealed_file};
use super::task_builder::{judge_library, sign_programs};
use crate::model::{
    FileSpec, JudgePlace, MoveAction, NamedSolution, ScriptedMove, TaskCheck, TaskVerification,
};
use crate::pack::PackFile;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Wall time of all checks, and of all milestones. What is judged has limits of its own.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What a kind makes of the entries that it drew.
pub(super) struct WrittenTask {
    /// The ids of the entries.
    pub(super) entries: Vec<String>,
    /// The files of the workspace.
    pub(super) files: Vec<FileSpec>,
    /// The name of the wording, and its text.
    pub(super) told: (String, String),
    pub(super) solution: Vec<ScriptedMove>,
    pub(super) alternatives: Vec<NamedSolution>,
    pub(super) cheats: Vec<NamedSolution>,
    pub(super) judging: JudgedFile,
}

/// How the file is judged.
pub(super) struct JudgedFile {
    /// Sealed files beside the plan.
    pub(super) sealed: Vec<FileSpec>,
    /// What the check is told.
    pub(super) plan: Value,
    /// The parts with their weights.
    pub(super) parts: Vec<(String, u32)>,
    /// The command of the checks, and that of the milestones.
    pub(super) commands: [&'static str; 2],
}

impl PackTaskBuilder<'_> {
    /// The work of a kind that asks for a file.
    pub(super) fn written(&self, work: WrittenTask) -> PackWork {
        PackWork {
            told: work.told,
            files: work.files,
            setup: Vec::new(),
            solution: work.solution,
            alternatives: work.alternatives,
            faults: Vec::new(),
            entries: work.entries,
            verification: self.judging(work.judging, work.cheats),
            stages: Vec::new(),
        }
    }

    /// The verification: one check and one milestone for each part.
    fn judging(&self, judged: JudgedFile, cheats: Vec<NamedSolution>) -> TaskVerification {
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        let [checks, milestones] = judged.commands;
        let sum = f64::from(judged.parts.iter().map(|(_, weight)| *weight).sum::<u32>().max(1));
        let part = |command: &str, whole: f64| {
            let check = |(name, weight): &(String, u32)| TaskCheck {
                name: name.clone(),
                weight: f64::from(*weight) / whole,
                run: command.to_owned(),
                part: Some(name.clone()),
                compare: None,
            };
            judged.parts.iter().map(check).collect::<Vec<_>>()
        };
        let (checks, milestones) = (part(checks, 1.0), part(milestones, sum));
        let mut files = judged.sealed;
        files.push(sealed_file("plan.json", format!("{}\n", judged.plan)));
        sign_programs(&mut files, checks.iter().chain(&milestones), &canary);
        files.push(sealed_file(".canary", format!("{canary}\n")));
        files.extend(judge_library());
        let (judge, timeout) = (JudgePlace::Apart, TIMEOUT);
        TaskVerification { files, checks, milestones, cheats, judge, timeout, canary }
    }

    /// The files of the project without these tests.
    pub(super) fn files_without(&self, hidden: &BTreeSet<usize>) -> Vec<FileSpec> {
        let shown = |file: &PackFile| laid(file, file.path.clone(), self.shown(file, hidden));
        self.pack.files.iter().map(shown).collect()
    }
}

/// A move that writes a file.
pub(super) fn writes(think: &str, path: &str, content: String) -> ScriptedMove {
    let action = MoveAction::Write { path: path.to_owned(), content };
    ScriptedMove { think: think.to_owned(), action }
}

/// A solution with a name that is one move.
pub(super) fn in_one_move(name: &str, step: ScriptedMove) -> NamedSolution {
    NamedSolution { name: name.to_owned(), moves: vec![step] }
}

/// The last name in the path of a module, without its ending: `lexer` of `tabq/lexer.py`, and `tabq` of
/// `tabq/__init__.py`.
pub(super) fn stem(path: &str) -> &str {
    let path = path.strip_suffix(".py").unwrap_or(path);
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

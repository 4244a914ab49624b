//! The frame of a task from a pack: what is the same for all kinds.

use super::bare_task::canary;
use super::case_task::required;
use super::draw;
use super::pack_task::{PackTaskBuilder, TIMEOUT, sealed_file};
use super::task_builder::{judge_library, sign_programs};
use crate::model::{
    FileSpec, JudgePlace, NamedSolution, ScriptedMove, Task, TaskCheck, TaskFault, TaskPack,
    TaskStage, TaskVerification,
};

/// What a kind gives for a task. Everything else is that of the template and of the pack.
pub(super) struct PackWork {
    /// The name of the wording, and what the agent is told.
    pub(super) told: (String, String),
    pub(super) files: Vec<FileSpec>,
    pub(super) setup: Vec<String>,
    pub(super) solution: Vec<ScriptedMove>,
    pub(super) alternatives: Vec<NamedSolution>,
    pub(super) faults: Vec<TaskFault>,
    /// The ids of what was drawn, for the record.
    pub(super) entries: Vec<String>,
    pub(super) verification: TaskVerification,
    /// The stages. None for a kind that asks for everything at once.
    pub(super) stages: Vec<TaskStage>,
}

impl PackTaskBuilder<'_> {
    /// The task without its id and its digest.
    pub(super) fn framed(&self, index: u32, work: PackWork) -> Task {
        let bare = self.template.bare_task(&self.key, index);
        let (wording, told) = work.told;
        let instruction = self.instruction(&told);
        Task {
            requires: self.requires(),
            files: work.files,
            setup: work.setup,
            instruction,
            wording: Some(wording),
            solution: work.solution,
            alternatives: work.alternatives,
            faults: work.faults,
            pack: Some(self.origin(work.entries)),
            verification: work.verification,
            stages: work.stages,
            cluster: self.cluster(),
            ..bare
        }
    }

    /// What the agent is told, with the canary behind it.
    pub(super) fn instruction(&self, told: &str) -> String {
        format!("{}\n\n[{}]\n", told.trim_end(), canary(&self.key))
    }

    /// What a sandbox must have. A template over a pack in Python says it all by itself.
    fn requires(&self) -> Vec<String> {
        match self.has_cases() {
            true => required(self.template, self.pack),
            false => self.template.requires.clone(),
        }
    }

    /// The pack and the entries of the task, for the record.
    fn origin(&self, entries: Vec<String>) -> TaskPack {
        let head = &self.pack.head;
        TaskPack {
            name: head.name.clone(),
            version: head.version.clone(),
            digest: self.spec.digest_of(self.pack),
            licence: head.licence.clone(),
            notices: self.pack.notices.clone(),
            entries,
        }
    }

    /// All tasks of a pack are in one cluster, whatever their kind: a fault may stand alone in one
    /// task and beside others in the next, and the sources of one task show what is right in another.
    fn cluster(&self) -> String {
        Task::cluster_of(&format!("pack:{}", self.pack.head.name), "")
    }

    /// The verification by these checks, with the canary and the library in the sealed files.
    pub(super) fn verified(
        &self,
        mut files: Vec<FileSpec>,
        checks: Vec<TaskCheck>,
        milestones: Vec<TaskCheck>,
        cheats: Vec<NamedSolution>,
    ) -> TaskVerification {
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        sign_programs(&mut files, checks.iter(), &canary);
        files.push(sealed_file(".canary", format!("{canary}\n")));
        files.extend(judge_library());
        TaskVerification {
            files,
            milestones,
            checks,
            cheats,
            judge: JudgePlace::Apart,
            timeout: TIMEOUT,
            canary,
        }
    }
}

/// A check that a part of a command's output decides.
pub(super) fn part_check(run: &str, part: &str, weight: f64) -> TaskCheck {
    TaskCheck {
        name: part.to_owned(),
        weight,
        run: run.to_owned(),
        part: Some(part.to_owned()),
        compare: None,
    }
}

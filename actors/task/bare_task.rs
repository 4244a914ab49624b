//! What a task has of its template alone, whatever is drawn for it.

use super::Template;
use super::draw;
use crate::model::{JudgePlace, Task, TaskId, TaskVerification};
use std::time::Duration;

/// The canary of the task with this key.
pub(super) fn canary(key: &[u8; 32]) -> String {
    format!("synthd-canary-{}", draw::derived_hex(key, "canary"))
}

impl Template {
    /// The task with this key and this number, without its work: it has no files, no instruction, no
    /// solution, no verification, no cluster and no digest. The title is that of the template.
    pub(super) fn bare_task(&self, key: &[u8; 32], index: u32) -> Task {
        Task {
            id: TaskId(String::new()),
            template: self.id.clone(),
            title: self.title.clone(),
            category: self.category.clone(),
            kind: self.kind,
            skills: self.skills.clone(),
            difficulty: self.difficulty,
            expected_steps: (self.expected_steps.min, self.expected_steps.max),
            requires: self.requires.clone(),
            index,
            seed: draw::seed_of(key),
            image: self.environment.image.clone(),
            files: Vec::new(),
            setup: Vec::new(),
            services: Vec::new(),
            resources: self.resources(),
            instruction: String::new(),
            wording: None,
            canary: canary(key),
            solution: Vec::new(),
            alternatives: Vec::new(),
            faults: Vec::new(),
            pack: None,
            container: None,
            verification: no_verification(),
            stages: Vec::new(),
            digest: String::new(),
            template_digest: self.digest(),
            cluster: String::new(),
        }
    }
}

/// A verification without checks. A task with it is never solved.
fn no_verification() -> TaskVerification {
    TaskVerification {
        files: Vec::new(),
        checks: Vec::new(),
        milestones: Vec::new(),
        cheats: Vec::new(),
        judge: JudgePlace::Shared,
        timeout: Duration::ZERO,
        canary: String::new(),
    }
}

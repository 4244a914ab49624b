//! A task of a container from its parts.

use std::time::Duration;
use synthd_actors::model::{
    Difficulty, JudgePlace, ScriptedMove, Task, TaskCheck, TaskContainer, TaskId, TaskResources,
    TaskVerification, digest_of,
};

/// The turns that such a task may take, as far as anybody knows before it was tried.
const EXPECTED_STEPS: (u32, u32) = (5, 50);

/// What differs between tasks of containers.
pub(super) struct TaskDraft {
    /// The id without the word of its source.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) difficulty: Difficulty,
    pub(super) instruction: String,
    pub(super) solution: Vec<ScriptedMove>,
    /// The time that the task states for the agent.
    pub(super) agent_time: Option<Duration>,
    pub(super) tests_time: Duration,
    pub(super) container: TaskContainer,
}

/// The task of a draft, without its id and its digest.
pub(super) fn task_of(draft: TaskDraft) -> Task {
    let source = draft.container.source.as_str();
    let template = format!("{source}/{}", draft.name);
    let secret = |purpose: &str| {
        let digest = digest_of(&[purpose, &draft.container.origin]);
        format!("synthd-{purpose}-{}", &digest[..32])
    };
    let canary = secret("canary");
    Task {
        id: TaskId(String::new()),
        cluster: Task::cluster_of(&template, &draft.instruction),
        template,
        title: draft.title,
        category: source.to_owned(),
        kind: None,
        skills: Vec::new(),
        difficulty: draft.difficulty,
        expected_steps: EXPECTED_STEPS,
        requires: Vec::new(),
        index: 0,
        seed: 0,
        image: draft.container.image.clone(),
        files: Vec::new(),
        setup: Vec::new(),
        services: Vec::new(),
        resources: TaskResources { time: draft.agent_time, ..TaskResources::default() },
        instruction: format!("{}\n\n[{canary}]\n", draft.instruction.trim_end()),
        wording: None,
        canary,
        solution: draft.solution,
        alternatives: Vec::new(),
        faults: Vec::new(),
        pack: None,
        verification: verification(draft.tests_time, secret("sealed")),
        container: Some(draft.container),
        stages: Vec::new(),
        digest: String::new(),
        template_digest: String::new(),
    }
}

/// The tests as one check, which only the task's own judge runs.
fn verification(timeout: Duration, canary: String) -> TaskVerification {
    let check = TaskCheck {
        name: "tests".to_owned(),
        weight: 1.0,
        run: "the tests of the task".to_owned(),
        part: None,
        compare: None,
    };
    TaskVerification {
        files: Vec::new(),
        checks: vec![check],
        milestones: Vec::new(),
        cheats: Vec::new(),
        judge: JudgePlace::Container,
        timeout,
        canary,
    }
}

/// The name as a part of an id: other characters than those of names become a dash.
pub(super) fn plain_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '-' }).collect()
}

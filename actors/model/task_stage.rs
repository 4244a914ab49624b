//! Task stages: a task may have several instructions, one after the other in one workspace. Each
//! stage is verified by itself when the agent has handed it in or has given it up. (A stage of
//! quality is something else: it judges rows.)
//!
//! ```text
//!  stages of a task ─► verdict of each (StageVerdict) ─► verdict of the episode (Verdict::of_stages)
//!        └────────────► the whole verification, for what looks at the whole task
//! ```
//! What belongs to one stage has the name of the stage before its own in the whole: the check `parses`
//! of the stage `read-config` is `read-config/parses` there.

use super::{
    CheckResult, FileSpec, JudgePlace, MoveAction, NamedSolution, ScriptedMove, Task, TaskCheck,
    TaskVerification, Verdict,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a check of a stage says that the episode ended before.
const NOT_REACHED: &str = "not reached";

/// One stage of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStage {
    /// Unique in the task.
    pub name: String,
    /// What the agent is asked to do in this stage. It ends with the canary.
    pub instruction: String,
    /// Which of the stage's wordings the instruction is. None if the stage has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wording: Option<String>,
    /// The oracle's moves of this stage, without the submission after them.
    pub solution: Vec<ScriptedMove>,
    /// How the work of this stage is judged.
    pub verification: TaskVerification,
    /// The share in the score. The shares of all stages add up to 1.
    pub weight: f64,
    /// The turns after which the stage is given up. None if only the episode's limits hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
}

impl TaskStage {
    /// The name in the whole task of something in this stage.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// A check or a milestone as it stands in the whole task.
    fn in_whole(&self, check: &TaskCheck, share: f64) -> TaskCheck {
        let (name, weight) = (self.full_name(&check.name), check.weight * share);
        TaskCheck { name, weight, ..check.clone() }
    }
}

/// The oracle's moves in all stages, with a submission between two stages.
pub fn whole_solution(stages: &[TaskStage]) -> Vec<ScriptedMove> {
    stages
        .split_last()
        .map(|(last, before)| staged_moves(before, &last.solution))
        .unwrap_or_default()
}

/// The oracle's moves in the stages `before`, each handed in, and then the moves `last`.
pub fn staged_moves(before: &[TaskStage], last: &[ScriptedMove]) -> Vec<ScriptedMove> {
    let mut moves = Vec::new();
    for stage in before {
        moves.extend(stage.solution.iter().cloned());
        moves.push(ScriptedMove {
            think: "This part is done; I hand it in.".to_owned(),
            action: MoveAction::Submit,
        });
    }
    moves.extend(last.iter().cloned());
    moves
}

impl Task {
    /// The task as it is in one of its stages: with the instruction, the solution and the
    /// verification of this stage alone. None if there is no such stage.
    pub fn at_stage(&self, index: usize) -> Option<Self> {
        let stage = self.stages.get(index)?;
        Some(Self {
            instruction: stage.instruction.clone(),
            wording: stage.wording.clone(),
            solution: stage.solution.clone(),
            verification: stage.verification.clone(),
            alternatives: Vec::new(),
            stages: Vec::new(),
            ..self.clone()
        })
    }
}

impl TaskVerification {
    /// The verification of all stages together. It is for what looks at the whole task, such as
    /// stages of quality; no sandbox gets its files. A cheat begins with the oracle's moves of the
    /// stages before its own.
    pub fn of_stages(stages: &[TaskStage]) -> Self {
        let mut whole = Self {
            files: Vec::new(),
            checks: Vec::new(),
            milestones: Vec::new(),
            cheats: Vec::new(),
            judge: JudgePlace::Apart,
            timeout: Duration::ZERO,
            canary: String::new(),
        };
        for (at, stage) in stages.iter().enumerate() {
            whole.add_stage(stage, &stages[..at]);
        }
        whole
    }

    /// Adds the verification of one stage; `before` are the stages before it.
    fn add_stage(&mut self, stage: &TaskStage, before: &[TaskStage]) {
        let own = &stage.verification;
        let share = stage.weight / own.checks.iter().fold(0.0, |sum, check| sum + check.weight);
        self.checks.extend(own.checks.iter().map(|check| stage.in_whole(check, share)));
        let milestones = own.milestones.iter();
        self.milestones.extend(milestones.map(|one| stage.in_whole(one, stage.weight)));
        let file = |file: &FileSpec| FileSpec { path: stage.full_name(&file.path), ..file.clone() };
        self.files.extend(own.files.iter().map(file));
        let cheat = |cheat: &NamedSolution| NamedSolution {
            name: stage.full_name(&cheat.name),
            moves: staged_moves(before, &cheat.moves),
        };
        self.cheats.extend(own.cheats.iter().map(cheat));
        self.timeout = self.timeout.max(own.timeout);
        self.canary.clone_from(&own.canary);
    }
}

/// The stage of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepStage {
    /// The number of the stage, from zero.
    pub index: u32,
    pub name: String,
    /// What the stages before it have earned: the sum of their scores times their weights. It is the
    /// potential with which the stage began.
    pub earned: f64,
    /// The verdict over the stage before. Only the first step of a stage has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<StageVerdict>,
}

/// The verdict over one stage of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageVerdict {
    /// The name of the stage.
    pub stage: String,
    /// Its share in the score.
    pub weight: f64,
    pub verdict: Verdict,
}

impl StageVerdict {
    /// The verdict over a stage from the verdict over its checks.
    pub fn new(stage: &TaskStage, verdict: Verdict) -> Self {
        Self { stage: stage.name.clone(), weight: stage.weight, verdict }
    }

    /// The verdict over a stage that the agent did not reach: nothing was checked, so every check
    /// has failed.
    pub fn not_reached(stage: &TaskStage) -> Self {
        let check = |check: &TaskCheck| CheckResult {
            name: check.name.clone(),
            weight: check.weight,
            passed: false,
            output: NOT_REACHED.to_owned(),
            end: None,
            second: None,
        };
        let checks = stage.verification.checks.iter().map(check).collect();
        let verdict = Verdict { score: 0.0, passed: false, flaky: false, checks, judge: None };
        Self::new(stage, verdict)
    }

    /// What the stage adds to the score of the episode.
    pub fn earned(&self) -> f64 {
        self.weight * self.verdict.score
    }

    /// The checks as they stand in the verdict over the episode: with the name of the stage, and with
    /// weights that sum to its share.
    fn into_checks(self) -> impl Iterator<Item = CheckResult> {
        let Self { stage, weight, verdict } = self;
        let sum = verdict.checks.iter().fold(0.0, |sum, check| sum + check.weight);
        verdict.checks.into_iter().map(move |check| CheckResult {
            name: format!("{stage}/{}", check.name),
            weight: check.weight * weight / sum,
            ..check
        })
    }
}

impl Verdict {
    /// The verdict over an episode from the verdicts over all stages of its task. The score is the
    /// weighted mean of their scores. The task is solved only if every stage is.
    pub fn of_stages(stages: Vec<StageVerdict>) -> Self {
        let score = mean_score(&stages);
        let passed = !stages.is_empty() && stages.iter().all(|stage| stage.verdict.passed);
        let flaky = stages.iter().any(|stage| stage.verdict.flaky);
        let judge = stages.iter().find_map(|stage| stage.verdict.judge.clone());
        let checks = stages.into_iter().flat_map(StageVerdict::into_checks).collect();
        Self { score, passed: passed && !flaky, flaky, checks, judge }
    }
}

/// The weighted mean of the scores. It is exactly 1 if all are, whatever the weights.
fn mean_score(stages: &[StageVerdict]) -> f64 {
    let total = stages.iter().fold(0.0, |sum, stage| sum + stage.weight);
    let earned = stages.iter().fold(0.0, |sum, stage| sum + stage.earned());
    if !stages.is_empty() && stages.iter().all(|stage| stage.verdict.score == 1.0) {
        1.0
    } else if total > 0.0 {
        earned / total
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str, weight: f64, passed: bool) -> CheckResult {
        let (name, output) = (name.to_owned(), String::new());
        CheckResult { name, weight, passed, output, end: None, second: None }
    }

    /// A check: its weight, and whether it passed in the first and in the second run.
    type DrawnCheck = (u8, bool, bool);

    /// A stage of this weight with these checks.
    fn stage((at, (weight, checks)): (usize, (u8, Vec<DrawnCheck>))) -> StageVerdict {
        let run = |second: bool| -> Vec<CheckResult> {
            let one = |(at, (weight, a, b)): (usize, &DrawnCheck)| {
                check(&format!("c{at}"), f64::from(*weight), if second { *b } else { *a })
            };
            checks.iter().enumerate().map(one).collect()
        };
        let verdict = Verdict::agree(run(false), &run(true));
        StageVerdict { stage: format!("s{at}"), weight: f64::from(weight), verdict }
    }

    proptest! {
        /// The score of the whole is what its own checks say, and all of it needs every stage.
        #[test]
        fn a_verdict_over_stages_agrees_with_its_parts(
            stages in proptest::collection::vec(
                (1u8..9, proptest::collection::vec((1u8..5, any::<bool>(), any::<bool>()), 1..4)),
                1..9,
            ),
        ) {
            let stages: Vec<StageVerdict> = stages.into_iter().enumerate().map(stage).collect();
            let whole = Verdict::of_stages(stages.clone());
            prop_assert!((0.0..=1.0).contains(&whole.score));
            prop_assert_eq!(whole.passed, stages.iter().all(|one| one.verdict.passed));
            prop_assert_eq!(whole.passed, whole.score == 1.0 && !whole.flaky);
            let total: f64 = stages.iter().map(|one| one.weight).sum();
            let parts: f64 = stages.iter().map(StageVerdict::earned).sum();
            prop_assert!((whole.score - parts / total).abs() < 1e-9);
            let weights: f64 = whole.checks.iter().map(|check| check.weight).sum();
            prop_assert!((weights - total).abs() < 1e-9, "each stage has its share of the checks");
            if !whole.flaky {
                let passed = whole.checks.iter().filter(|check| check.passed);
                let share = passed.map(|check| check.weight).sum::<f64>() / weights;
                prop_assert!((whole.score - share).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_checks_of_a_stage_have_its_name() {
        let one = stage((0, (1, vec![(1, true, true)])));
        let mut two = stage((1, (3, vec![(1, true, true), (1, false, false)])));
        two.stage = "later".to_owned();
        let whole = Verdict::of_stages(vec![one, two]);
        let told: Vec<_> = whole.checks.iter().map(|c| (c.name.as_str(), c.weight)).collect();
        assert_eq!(told, [("s0/c0", 1.0), ("later/c0", 1.5), ("later/c1", 1.5)]);
        assert_eq!((whole.score, whole.passed, whole.flaky), (0.625, false, false));
    }
}

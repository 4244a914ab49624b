//! How far an attempt is in the stages of its task. It is pure: it says what a turn means for the
//! stages, and remembers the verdicts. `active_attempt.rs` verifies a stage that has ended.
//!
//! ```text
//!  stage 0 ── handed in, or its turns are used up ──► verified ──► stage 1 ── … ──► last stage
//!     └──────────── a limit of the episode, or the end of the agent ──────────┴──► the episode ends
//! ```
//! A task without stages is in its only part until the episode ends.
//!
//! The verdict over a stage is recorded in the first step of the next one. If an attempt is cut off
//! before that step, the next attempt verifies the stage again, over the workspace that it has
//! replayed.

use crate::model::{StageVerdict, StepStage, StopReason, Task, TaskStage, Verdict};
use std::sync::Arc;

/// The stages of the task of one attempt.
pub(super) struct StageProgress {
    task: Arc<Task>,
    /// The task as it is in the present stage; the task itself if it has no stages.
    part: Arc<Task>,
    /// The number of the present stage, from zero.
    index: usize,
    /// The turns of the agent in the present stage.
    turns: u32,
    /// The verdicts over the stages before.
    ended: Vec<StageVerdict>,
    /// The verdict over the stage before, until a step has it.
    unrecorded: Option<StageVerdict>,
}

/// What follows a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterTurn {
    /// The agent goes on in its stage.
    GoesOn,
    /// The stage has ended, and another one follows.
    NextStage,
    /// The episode ends.
    Stops(StopReason),
}

impl StageProgress {
    /// The beginning of the first stage.
    pub(super) fn new(task: &Arc<Task>) -> Self {
        Self {
            task: task.clone(),
            part: part_of(task, 0),
            index: 0,
            turns: 0,
            ended: Vec::new(),
            unrecorded: None,
        }
    }

    /// The task as it is in the present stage: what is measured and verified now.
    pub(super) fn part(&self) -> &Arc<Task> {
        &self.part
    }

    /// The task as it is in the stage after the present one.
    pub(super) fn next_part(&self) -> Option<Task> {
        self.task.at_stage(self.index + 1)
    }

    /// Whether a stage comes after the present one.
    pub(super) fn has_next(&self) -> bool {
        self.index + 1 < self.task.stages.len()
    }

    /// The present stage. None if the task has no stages.
    fn stage(&self) -> Option<&TaskStage> {
        self.task.stages.get(self.index)
    }

    /// What the ended stages have earned of the score.
    pub(super) fn earned(&self) -> f64 {
        self.ended.iter().fold(0.0, |sum, stage| sum + stage.earned())
    }

    /// The potential of the whole task, if the milestones that hold in the present stage are worth so
    /// much.
    pub(super) fn potential(&self, measured: f64) -> f64 {
        self.earned() + self.stage().map_or(1.0, |stage| stage.weight) * measured
    }

    /// The names in the whole task of milestones of the present stage.
    pub(super) fn full_names(&self, names: Vec<String>) -> Vec<String> {
        match self.stage() {
            Some(stage) => names.iter().map(|name| stage.full_name(name)).collect(),
            None => names,
        }
    }

    /// The names in the present stage of milestones of the whole task: the inverse of
    /// [`Self::full_names`].
    pub(super) fn own_names(&self, names: &[String]) -> Vec<String> {
        let prefix = self.stage().map(|stage| stage.full_name("")).unwrap_or_default();
        let own = names.iter().filter_map(|name| name.strip_prefix(prefix.as_str()));
        own.map(str::to_owned).collect()
    }

    /// Counts a turn of the agent.
    pub(super) fn count_turn(&mut self) {
        self.turns += 1;
    }

    /// What follows the last counted turn. `stop` is the reason that the turn itself gave.
    pub(super) fn after_turn(&self, stop: Option<StopReason>) -> AfterTurn {
        let most = self.stage().and_then(|stage| stage.turns);
        let used_up = most.is_some_and(|most| self.turns >= most);
        let ends = match stop {
            Some(stop) => stop == StopReason::Submitted,
            None => used_up,
        };
        match stop {
            _ if ends && self.has_next() => AfterTurn::NextStage,
            Some(stop) => AfterTurn::Stops(stop),
            None if used_up => AfterTurn::Stops(StopReason::StepLimit),
            None => AfterTurn::GoesOn,
        }
    }

    /// What a step of the present stage records of it. The first step has the verdict over the stage
    /// before.
    pub(super) fn step_stage(&mut self) -> Option<Box<StepStage>> {
        let name = self.stage()?.name.clone();
        let (index, earned) = (u32::try_from(self.index).unwrap_or(u32::MAX), self.earned());
        Some(Box::new(StepStage { index, name, earned, before: self.unrecorded.take() }))
    }

    /// Enters the next stage. `verdict` is that over the present one.
    pub(super) fn enter_next(&mut self, verdict: Verdict) {
        let Some(stage) = self.stage() else { return };
        let verdict = StageVerdict::new(stage, verdict);
        self.unrecorded = Some(verdict.clone());
        self.advance(verdict);
    }

    /// Whether the agent has taken no turn in the present stage.
    pub(super) fn is_fresh(&self) -> bool {
        self.turns == 0
    }

    /// Whether a recorded step belongs to a later stage than the present one.
    pub(super) fn is_before(&self, recorded: Option<&StepStage>) -> bool {
        let index = recorded.and_then(|stage| usize::try_from(stage.index).ok());
        index.is_some_and(|index| index > self.index)
    }

    /// Takes over what a recorded step says of its stage: the verdict over the stage before.
    pub(super) fn resume(&mut self, recorded: Option<&StepStage>) {
        if let Some(verdict) = recorded.and_then(|stage| stage.before.clone()) {
            self.advance(verdict);
        }
    }

    fn advance(&mut self, verdict: StageVerdict) {
        self.ended.push(verdict);
        self.index += 1;
        self.turns = 0;
        self.part = part_of(&self.task, self.index);
    }

    /// The verdict over the present stage, if the agent has not reached it: the episode ended after
    /// the stage before. None if the workspace must be verified.
    pub(super) fn unreached(&self) -> Option<Verdict> {
        let stage = self.stage().filter(|_| self.index > 0 && self.is_fresh())?;
        Some(StageVerdict::not_reached(stage).verdict)
    }

    /// Whether the whole task is solved with this verdict over the present stage.
    pub(super) fn is_solved_with(&self, verdict: &Verdict) -> bool {
        verdict.passed && !self.has_next() && self.ended.iter().all(|one| one.verdict.passed)
    }

    /// The verdict over the episode, which has ended in the present stage with this verdict. The
    /// stages after it were not reached.
    pub(super) fn whole_verdict(self, verdict: Verdict) -> Verdict {
        let Some(stage) = self.stage() else { return verdict };
        let present = StageVerdict::new(stage, verdict);
        let later = self.task.stages.iter().skip(self.index + 1).map(StageVerdict::not_reached);
        let all = self.ended.iter().cloned().chain([present]).chain(later);
        Verdict::of_stages(all.collect())
    }
}

/// The task as it is in a stage; the task itself if it has no such stage.
fn part_of(task: &Arc<Task>, index: usize) -> Arc<Task> {
    task.at_stage(index).map_or_else(|| task.clone(), Arc::new)
}

#[cfg(test)]
mod tests {
    use super::AfterTurn::{GoesOn, NextStage, Stops};
    use super::*;
    use crate::task::Template;
    use crate::testkit::{STAGED, TEMPLATES};

    fn progress((id, text): (&str, &str)) -> StageProgress {
        StageProgress::new(&Arc::new(Template::parse(id, text).unwrap().task(1, 0).unwrap()))
    }

    fn solved() -> Verdict {
        Verdict { score: 1.0, passed: true, flaky: false, checks: Vec::new(), judge: None }
    }

    /// Every reason to stop, in a stage with another one behind it, and in the last one.
    #[test]
    fn only_a_submission_and_used_up_turns_end_a_stage() {
        let mut stages = progress(STAGED);
        stages.enter_next(solved());
        for stop in StopReason::ALL {
            let submitted = stop == StopReason::Submitted;
            let expected = if submitted { NextStage } else { Stops(stop) };
            assert_eq!(stages.after_turn(Some(stop)), expected);
        }
        let after = |stages: &mut StageProgress| {
            stages.count_turn();
            stages.after_turn(None)
        };
        let turns = [after(&mut stages), after(&mut stages), after(&mut stages)];
        assert_eq!(turns, [GoesOn, GoesOn, NextStage], "the stage has three turns");
        let refused = stages.after_turn(Some(StopReason::Refused));
        assert_eq!(refused, Stops(StopReason::Refused));
        stages.enter_next(solved());
        assert_eq!(after(&mut stages), GoesOn, "no limit of turns, and the count began anew");
        let submitted = stages.after_turn(Some(StopReason::Submitted));
        assert_eq!(submitted, Stops(StopReason::Submitted));
    }

    #[test]
    fn a_task_without_stages_ends_as_ever() {
        let (mut letter, task) = (progress(TEMPLATES[0]), progress(TEMPLATES[0]));
        (0..99).for_each(|_| letter.count_turn());
        assert_eq!(letter.after_turn(None), GoesOn);
        let submitted = letter.after_turn(Some(StopReason::Submitted));
        assert_eq!(submitted, Stops(StopReason::Submitted));
        assert!(letter.step_stage().is_none() && task.unreached().is_none());
        assert_eq!((letter.potential(0.25), letter.full_names(Vec::new())), (0.25, Vec::new()));
        assert_eq!(task.whole_verdict(solved()), solved());
    }

    /// What the steps record is enough to go on with.
    #[test]
    fn recorded_steps_bring_the_progress_back() {
        let (mut stages, mut resumed) = (progress(STAGED), progress(STAGED));
        let mut record = |stages: &mut StageProgress| {
            let step = stages.step_stage();
            let begins = step.as_ref().is_some_and(|step| step.before.is_some());
            assert_eq!(resumed.is_before(step.as_deref()), begins);
            resumed.resume(step.as_deref());
            assert!(!resumed.is_before(step.as_deref()));
            stages.count_turn();
            resumed.count_turn();
        };
        record(&mut stages);
        stages.enter_next(solved());
        record(&mut stages);
        record(&mut stages);
        assert_eq!(resumed.part(), stages.part());
        assert_eq!((resumed.earned(), resumed.turns), (0.25, 2));
        let (whole, again) = (stages.whole_verdict(solved()), resumed.whole_verdict(solved()));
        assert_eq!((whole.score, &again), (0.75, &whole));
    }
}

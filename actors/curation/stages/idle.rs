//! Stage `idle`: episodes that do nothing. No file has changed and no command could have changed one; or
//! the work was submitted within the first steps.
//!
//! An action of which nobody knows what it does may have done something, so such an episode is not idle.

use super::behaviour::{ActionEffect, AgentAction, agent_actions};
use crate::curation::{RowFinder, StageRemark};
use crate::model::{ActionType, RowRecord, TrajectoryRow};

/// Finds episodes that do nothing.
pub struct IdleFinder {
    /// A submission within so many first steps; 0 for none.
    steps: usize,
}

impl IdleFinder {
    pub fn new(steps: u32) -> Self {
        Self { steps: usize::try_from(steps).unwrap_or(usize::MAX) }
    }

    /// The number of the step that submitted too early.
    fn early(&self, actions: &[AgentAction<'_>]) -> Option<StageRemark> {
        let submission = actions.iter().find(|action| action.is(ActionType::Submit))?;
        (submission.at < self.steps)
            .then(|| StageRemark::new(format!("submitted in step {}", submission.step.step)))
    }
}

impl RowFinder for IdleFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(row) = record.row.as_trajectory() else { return Vec::new() };
        let actions = agent_actions(row);
        let idle = (is_still(row) && only_looks(&actions)).then(|| {
            let steps = row.trajectory.len();
            StageRemark::new(format!("nothing but looking in {steps} steps"))
        });
        [idle, self.early(&actions)].into_iter().flatten().collect()
    }
}

/// Whether the list of files and the milestones never changed.
fn is_still(row: &TrajectoryRow) -> bool {
    let same_files =
        row.trajectory.windows(2).all(|pair| pair[0].state.files == pair[1].state.files);
    let moved = row.trajectory.iter().filter_map(|step| step.milestones_changed.as_ref());
    let potential = row.milestones.iter().flatten().next();
    same_files && potential.is_none() && moved.into_iter().all(Vec::is_empty)
}

/// Whether no action could change a file. The last words of an agent's program are no action.
fn only_looks(actions: &[AgentAction<'_>]) -> bool {
    let acts = match actions {
        [before @ .., last] if last.is(ActionType::Message) && before.iter().any(calls) => before,
        all => all,
    };
    acts.iter().all(|action| action.effect == ActionEffect::Looks)
}

fn calls(action: &AgentAction<'_>) -> bool {
    action.is(ActionType::ToolCall)
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{
        any_trajectory, called, found, ran, record, step, submitted, unreadable, with_steps,
    };
    use super::*;
    use crate::model::{RowMilestone, RowStep};
    use proptest::prelude::*;
    use serde_json::json;

    fn idle(steps: Vec<RowStep>) -> Vec<String> {
        let remarks = found(&IdleFinder::new(1), steps);
        remarks.into_iter().map(|remark| remark.detail).collect()
    }

    #[test]
    fn who_only_looks_is_idle() {
        let said = || step(ActionType::Message, "", "{}", "");
        for (steps, expected) in [
            (
                vec![ran("ls -la", 0, "a"), ran("cat a.py | head", 0, ""), submitted()],
                "nothing but looking in 3 steps",
            ),
            (
                vec![called("read_file", json!({"path": "a"})), unreadable()],
                "nothing but looking in 2 steps",
            ),
            (
                vec![ran("git status; find . -name x", 0, ""), said()],
                "nothing but looking in 2 steps",
            ),
            (vec![], "nothing but looking in 0 steps"),
        ] {
            assert_eq!(idle(steps), [expected]);
        }
        assert_eq!(idle(vec![submitted()]).len(), 2);
        assert_eq!(idle(vec![submitted(), ran("make", 0, "")]), ["submitted in step 0"]);
    }

    #[test]
    fn who_does_something_is_not_idle() {
        let mut listed = vec![ran("ls", 0, ""), ran("ls", 0, "")];
        listed[1].state.files.push("new".to_owned());
        let said = || step(ActionType::Message, "", "{}", "");
        for steps in [
            vec![ran("ls", 0, ""), ran("sed -i s/a/b/ a.py", 0, ""), submitted()],
            vec![called("write_file", json!({"path": "a", "content": "b"})), submitted()],
            // It may do anything.
            vec![ran("make", 0, ""), submitted()],
            vec![called("browse", json!({"url": "x"}))],
            listed,
            // An agent's program reads texts as it likes.
            vec![said(), said()],
        ] {
            assert_eq!(idle(steps.clone()), Vec::<String>::new(), "{steps:?}");
        }
    }

    #[test]
    fn a_milestone_says_that_something_was_done() {
        let mut row = with_steps(vec![ran("ls", 0, ""), submitted()]);
        let reached = Some(vec!["seen".to_owned()]);
        row.milestones = Some(vec![RowMilestone { step: 0, potential: 0.5, reached }]);
        assert_eq!(IdleFinder::new(0).find(&record(row)), Vec::new());
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory(), steps in 0..4_u32) {
            let (finder, row) = (IdleFinder::new(steps), record(row));
            prop_assert_eq!(finder.find(&row), finder.find(&row));
        }

        /// A change anywhere among the looks ends the idleness.
        #[test]
        fn one_change_is_enough(looks in 0..8_usize, at in 0..8_usize) {
            let mut steps = vec![ran("cat a", 0, ""); looks];
            steps.insert(at.min(looks), ran("echo x >> a.py", 0, ""));
            prop_assert_eq!(idle(steps), Vec::<String>::new());
        }
    }
}

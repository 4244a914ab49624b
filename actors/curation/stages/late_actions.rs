//! Stage `late-actions`: what an agent does when its work is complete. The work is complete after the first
//! step at which all milestones held, or a milestone of the name of each check. After that, actions
//! that change files are late. Steps that only look before the submission are late as well, if they
//! are many.
//!
//! A task with stages has milestones of its own in each stage, so only its last steps are looked at.

use super::behaviour::{ActionEffect, AgentAction, agent_actions};
use crate::curation::{RowFinder, StageRemark};
use crate::model::{ActionType, RowMilestone, RowRecord, TrajectoryRow};

/// The potential if all milestones hold. It is a sum, so it may be off by the last bits.
const ALL_HOLD: f64 = 1.0 - 1e-9;

/// Finds actions after the work was complete.
pub struct LateFinder {
    /// So many steps that change nothing before the submission; 0 for none.
    trailing: usize,
}

impl LateFinder {
    pub fn new(trailing: u32) -> Self {
        Self { trailing: usize::try_from(trailing).unwrap_or(usize::MAX) }
    }

    /// The looking steps in front of the submission, if they are too many.
    fn looks_at_last(&self, actions: &[AgentAction<'_>]) -> Option<StageRemark> {
        let end = actions.iter().rposition(|action| action.is(ActionType::Submit))?;
        let before = actions.get(..end).unwrap_or_default().iter().rev();
        let looking = before.take_while(|action| {
            action.is(ActionType::ToolCall) && action.effect == ActionEffect::Looks
        });
        let mut steps: Vec<usize> = looking.map(|action| action.at).collect();
        steps.dedup();
        let count = steps.len();
        (self.trailing > 0 && count >= self.trailing && did_something(actions)).then(|| {
            StageRemark::new(format!("the last {count} steps before the submission only look"))
        })
    }
}

/// Whether some action may have changed a file. Who only looks is idle, and not late.
fn did_something(actions: &[AgentAction<'_>]) -> bool {
    actions.iter().any(|action| action.effect != ActionEffect::Looks)
}

impl RowFinder for LateFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(row) = record.row.as_trajectory() else { return Vec::new() };
        let actions = agent_actions(row);
        let changed = complete_at(row).and_then(|step| changes_after(&actions, step));
        [changed, self.looks_at_last(&actions)].into_iter().flatten().collect()
    }
}

/// The step after which the work was complete. None if it never was, and if that is not known.
fn complete_at(row: &TrajectoryRow) -> Option<i32> {
    if row.trajectory.iter().any(|step| step.stage.is_some()) {
        return None;
    }
    let complete = row.milestones.iter().flatten().find(|milestone| is_complete(row, milestone));
    complete.map(|milestone| milestone.step)
}

fn is_complete(row: &TrajectoryRow, milestone: &RowMilestone) -> bool {
    let checks = &row.verification.checks;
    let holds = |name: &String| {
        let reached = milestone.reached.as_ref();
        reached.is_some_and(|reached| reached.contains(name))
    };
    milestone.potential >= ALL_HOLD
        || !checks.is_empty() && checks.iter().all(|check| holds(&check.name))
}

/// The actions behind a step that change files.
fn changes_after(actions: &[AgentAction<'_>], complete: i32) -> Option<StageRemark> {
    let changes = actions
        .iter()
        .filter(|action| action.step.step > complete && action.effect == ActionEffect::Changes);
    let steps: Vec<i32> = changes.map(|action| action.step.step).collect();
    let (first, count) = (steps.first()?, steps.len());
    let detail = format!(
        "complete since step {complete}, and {count} actions change files again from step {first} on"
    );
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Some(StageRemark::new(detail).scored(f64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{
        any_trajectory, found, ran, record, submitted, with_steps,
    };
    use super::*;
    use crate::model::RowStep;
    use proptest::prelude::*;

    /// The remarks on a row that was complete after a step.
    fn late(steps: Vec<RowStep>, potentials: &[(i32, f64, &[&str])]) -> Vec<String> {
        let mut row = with_steps(steps);
        let milestone = |(step, potential, names): &(i32, f64, &[&str])| RowMilestone {
            step: *step,
            potential: *potential,
            reached: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        row.milestones = Some(potentials.iter().map(milestone).collect());
        let remarks = LateFinder::new(3).find(&record(row));
        remarks.into_iter().map(|remark| remark.detail).collect()
    }

    fn edit() -> RowStep {
        ran("sed -i s/a/b/ a.py", 0, "")
    }

    #[test]
    fn changes_of_complete_work_are_late() {
        let steps = vec![edit(), ran("make", 0, ""), edit(), edit(), submitted()];
        let expected = "complete since step 0, and 2 actions change files again from step 2 on";
        assert_eq!(late(steps.clone(), &[(0, 1.0, &["a"])]), [expected]);
        // The check of the row is named `only`; a milestone of this name says the same.
        assert_eq!(late(steps.clone(), &[(0, 0.4, &["only"])]), [expected]);
        // It is late even if the work was broken by it.
        assert_eq!(late(steps.clone(), &[(0, 1.0, &[]), (2, 0.0, &[])]), [expected]);
        let incomplete: [&[(i32, f64, &[&str])]; 3] = [&[(0, 0.9, &["a"])], &[], &[(3, 1.0, &[])]];
        for not_complete in incomplete {
            assert_eq!(late(steps.clone(), not_complete), Vec::<String>::new(), "{not_complete:?}");
        }
        let looks = vec![edit(), ran("cat a.py", 0, ""), ran("rm -r /tmp/x", 0, ""), submitted()];
        assert_eq!(late(looks, &[(0, 1.0, &[])]), Vec::<String>::new());
    }

    #[test]
    fn many_looks_before_the_submission_are_late() {
        let look = || ran("cat a.py", 0, "");
        let many = vec![edit(), look(), look(), look(), submitted()];
        assert_eq!(late(many, &[]), ["the last 3 steps before the submission only look"]);
        for steps in [
            vec![edit(), look(), look(), submitted()],
            // A test run is more than a look.
            vec![edit(), look(), look(), ran("make test", 0, ""), look(), submitted()],
            // Nothing was submitted.
            vec![edit(), look(), look(), look()],
            // That is the business of `idle`.
            vec![look(), look(), look(), submitted()],
        ] {
            assert_eq!(late(steps.clone(), &[]), Vec::<String>::new(), "{steps:?}");
        }
    }

    #[test]
    fn stages_have_milestones_of_their_own() {
        let mut row = with_steps(vec![edit(), edit(), submitted()]);
        row.trajectory[0].stage = Some("first".to_owned());
        row.milestones = Some(vec![RowMilestone { step: 0, potential: 1.0, reached: None }]);
        assert_eq!(LateFinder::new(3).find(&record(row)), Vec::new());
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory(), step in 0..9, trailing in 0..5_u32) {
            let mut row = row;
            row.milestones = Some(vec![RowMilestone { step, potential: 1.0, reached: None }]);
            let (finder, row) = (LateFinder::new(trailing), record(row));
            prop_assert_eq!(finder.find(&row), finder.find(&row));
        }

        /// Looks in between change nothing about which changes are late.
        #[test]
        fn looks_do_not_matter(looks in 0..5_usize) {
            let mut steps = vec![edit()];
            steps.extend(vec![ran("cat a.py", 0, ""); looks]);
            steps.push(edit());
            steps.push(submitted());
            let row = TrajectoryRow {
                milestones: Some(vec![RowMilestone { step: 0, potential: 1.0, reached: None }]),
                ..with_steps(steps)
            };
            let remarks = LateFinder::new(0).find(&record(row));
            prop_assert_eq!(remarks.len(), 1);
            prop_assert_eq!(remarks[0].score, Some(1.0));
        }
    }

    #[test]
    fn a_row_without_milestones_says_nothing() {
        assert_eq!(found(&LateFinder::new(0), vec![edit(), edit()]), Vec::new());
    }
}

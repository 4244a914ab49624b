//! Stage `stalls`: an agent that no longer gets on. Between two steps it gets on if a change is one that
//! it has not made before, if the list of files is a new one, or if a milestone changed. What counts
//! is what happens without that:
//!
//! - the same action with the same result so many times within a window, not only in a row;
//! - the same list of files, left and entered again so many times;
//! - different commands that only look and show nearly the same;
//! - two actions by turns, each with the same result (`A B A B A B`), whatever they change.
//!
//! Waiting is no stall, and no action of an agent's program whose text alone is known.

use super::behaviour::{
    ActionEffect, AgentAction, OutputLines, agent_actions, hash_of, output_hash,
};
use crate::curation::{RowFinder, StageRemark};
use crate::model::{ActionType, RowRecord, TrajectoryRow};
use std::collections::{HashMap, HashSet, VecDeque};

/// Finds agents that no longer get on.
pub struct StallFinder {
    /// So many times are a stall.
    length: usize,
    /// Within so many actions.
    window: usize,
}

impl StallFinder {
    pub fn new(length: u32, window: u32) -> Self {
        let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self { length: whole(length).max(2), window: whole(window) }
    }

    /// The step at which something has happened too often.
    fn repeated(&self, events: impl Iterator<Item = (usize, u64)>) -> Option<usize> {
        let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for (at, event) in events {
            let places = places.entry(event).or_default();
            places.push_back(at);
            while places.front().is_some_and(|first| at - first >= self.window) {
                places.pop_front();
            }
            if places.len() >= self.length {
                return Some(at);
            }
        }
        None
    }

    fn same_actions(&self, seen: &[SeenAction]) -> Option<StageRemark> {
        let events = seen.iter().enumerate().filter(|(_, one)| !one.waits);
        let events = events.map(|(at, one)| (at, hash_of((one.call, one.output, one.progress))));
        let step = seen.get(self.repeated(events)?)?.step;
        let (length, window) = (self.length, self.window);
        Some(StageRemark::new(format!(
            "the same action with the same result {length} times within {window} actions, up to step {step}"
        )))
    }

    fn same_states(&self, seen: &[SeenAction]) -> Option<StageRemark> {
        let entered =
            seen.windows(2).enumerate().filter(|(_, pair)| pair[0].files != pair[1].files);
        let events = entered.map(|(at, pair)| (at + 1, hash_of((pair[1].files, pair[1].progress))));
        let step = seen.get(self.repeated(events)?)?.step;
        let (length, window) = (self.length, self.window);
        Some(StageRemark::new(format!(
            "the same files again {length} times within {window} actions, up to step {step}"
        )))
    }

    /// Different commands that look and show nearly the same.
    fn same_outputs(&self, seen: &[SeenAction]) -> Option<StageRemark> {
        for (at, one) in seen.iter().enumerate().filter(|(_, one)| one.looks) {
            let Some(lines) = &one.lines else { continue };
            let from = (at + 1).saturating_sub(self.window);
            let before = seen.get(from..at).unwrap_or_default().iter();
            let alike = before.filter(|other| {
                let is_near = |other: &OutputLines| other.is_near(lines);
                other.looks
                    && other.progress == one.progress
                    && other.call != one.call
                    && other.lines.as_ref().is_some_and(is_near)
            });
            let calls: HashSet<u64> = alike.map(|other| other.call).collect();
            if calls.len() + 1 >= self.length {
                let (count, step) = (calls.len() + 1, one.step);
                return Some(StageRemark::new(format!(
                    "{count} different commands show nearly the same, up to step {step}"
                )));
            }
        }
        None
    }

    /// Two actions by turns, each so many times.
    fn ping_pong(&self, seen: &[SeenAction]) -> Option<StageRemark> {
        let mut run = 2;
        for triple in seen.windows(3) {
            let [first, second, third] = triple else { continue };
            let same = (first.call, first.output) == (third.call, third.output);
            let by_turns = same && first.call != second.call && !first.waits && !second.waits;
            run = if by_turns { run + 1 } else { 2 };
            if run >= self.length.saturating_mul(2) {
                let (length, step) = (self.length, third.step);
                return Some(StageRemark::new(format!(
                    "two actions by turns, each {length} times with the same result, up to step {step}"
                )));
            }
        }
        None
    }
}

impl RowFinder for StallFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(row) = record.row.as_trajectory() else { return Vec::new() };
        let seen = seen_actions(row);
        let found = [
            self.same_actions(&seen),
            self.same_states(&seen),
            self.same_outputs(&seen),
            self.ping_pong(&seen),
        ];
        found.into_iter().flatten().collect()
    }
}

/// What is compared of an action.
struct SeenAction {
    step: i32,
    /// The tool and its arguments.
    call: u64,
    output: u64,
    lines: Option<OutputLines>,
    /// The list of files before it.
    files: u64,
    looks: bool,
    waits: bool,
    /// How often the agent has got on before it.
    progress: u64,
}

fn seen_actions(row: &TrajectoryRow) -> Vec<SeenAction> {
    let mut progress = ProgressCount::default();
    let actions = agent_actions(row);
    // A submission ends the work or a stage of the task, so it is never repeated.
    let acts = actions.iter().filter(|action| action.is(ActionType::ToolCall));
    acts.map(|action| progress.seen(action)).collect()
}

/// Counts how often an agent gets on.
#[derive(Default)]
struct ProgressCount {
    count: u64,
    lists: HashSet<u64>,
    changes: HashSet<u64>,
    /// The last step that was looked at, and its stage.
    last: Option<(usize, u64)>,
}

impl ProgressCount {
    fn seen(&mut self, action: &AgentAction<'_>) -> SeenAction {
        let call = hash_of((action.tool, action.arguments));
        let files = hash_of(&action.step.state.files);
        let stage = hash_of(&action.step.stage);
        if self.last.is_none_or(|(at, _)| at != action.at) {
            let milestones = action.step.milestones_changed.as_ref();
            let moved = milestones.is_some_and(|names| !names.is_empty());
            let other_stage = self.last.is_some_and(|(_, last)| last != stage);
            if self.lists.insert(files) || moved || other_stage {
                self.count += 1;
            }
            self.last = Some((action.at, stage));
        }
        if action.effect == ActionEffect::Changes && self.changes.insert(call) {
            self.count += 1;
        }
        SeenAction {
            step: action.step.step,
            call,
            output: output_hash(action.observation),
            lines: OutputLines::of(action.observation),
            files,
            looks: action.effect == ActionEffect::Looks,
            waits: action.waits(),
            progress: self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{any_trajectory, found, ran, record, with_steps};
    use super::*;
    use crate::model::RowStep;
    use proptest::prelude::*;

    const LISTING: &str = "one\ntwo\nthree\nfour";

    fn stalls(steps: Vec<RowStep>) -> Vec<String> {
        let remarks = found(&StallFinder::new(3, 8), steps);
        remarks.into_iter().map(|remark| remark.detail).collect()
    }

    /// The same steps, each with a command and an output.
    fn all(steps: &[(&str, &str)]) -> Vec<RowStep> {
        steps.iter().map(|(command, output)| ran(command, 0, output)).collect()
    }

    #[test]
    fn what_goes_in_circles_is_found() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (
                &[("make", "no"), ("ls", "a"), ("make", "no"), ("cat a", "x"), ("make", "no")],
                "the same action",
            ),
            (&[("make", "in 0.1s"), ("make", "in 0.2s"), ("make", "in 0.34s")], "the same action"),
            (
                &[("cat a", LISTING), ("head -n 99 a", LISTING), ("sed -n p a", LISTING)],
                "3 different commands",
            ),
            (
                &[
                    ("sed -i s/a/b/ f", ""),
                    ("sed -i s/b/a/ f", ""),
                    ("sed -i s/a/b/ f", ""),
                    ("sed -i s/b/a/ f", ""),
                    ("sed -i s/a/b/ f", ""),
                    ("sed -i s/b/a/ f", ""),
                ],
                "two actions by turns",
            ),
            (&[("touch a", ""), ("touch a", ""), ("touch a", "")], "the same action"),
        ];
        for (steps, expected) in cases {
            let told = stalls(all(steps));
            assert!(told.iter().any(|detail| detail.starts_with(expected)), "{steps:?}: {told:?}");
        }
    }

    #[test]
    fn what_gets_on_is_not_found() {
        let cases: [&[(&str, &str)]; 6] = [
            // Twice is not three times.
            &[("make", "no"), ("make", "no"), ("ls", "a")],
            // Other results.
            &[("make", "3 failed"), ("make", "2 failed"), ("make", "1 failed")],
            // A new change before each try.
            &[
                ("make", "no"),
                ("sed -i s/a/b/ f", ""),
                ("make", "no"),
                ("sed -i s/b/c/ f", ""),
                ("make", "no"),
                ("sed -i s/c/d/ f", ""),
                ("make", "no"),
            ],
            // Waiting.
            &[("sleep 5", ""), ("sleep 5", ""), ("sleep 5", ""), ("sleep 5", "")],
            // Commands that find nothing.
            &[("grep a f", ""), ("grep b f", ""), ("grep c f", ""), ("grep d f", "")],
            // Other outputs.
            &[("cat a", LISTING), ("cat b", "x\ny\nz"), ("cat c", "u\nv\nw")],
        ];
        for steps in cases {
            assert_eq!(stalls(all(steps)), Vec::<String>::new(), "{steps:?}");
        }
    }

    #[test]
    fn a_window_is_not_wider_than_it_says() {
        let mut steps = Vec::new();
        for round in 0..3 {
            steps.push(ran("make", 0, "no"));
            steps.extend((0..3).map(|n| ran(&format!("cat {round}{n}"), 0, "")));
        }
        assert_eq!(stalls(steps.clone()), Vec::<String>::new());
        assert_eq!(found(&StallFinder::new(3, 9), steps).len(), 1);
    }

    #[test]
    fn files_that_come_and_go_are_found() {
        let with_files = |command: &str, files: &[&str]| {
            let mut step = ran(command, 0, "");
            step.state.files = files.iter().map(|name| (*name).to_owned()).collect();
            step
        };
        let round =
            || [with_files("python3 make.py", &["a"]), with_files("python3 drop.py", &["a", "b"])];
        let rounds = (0..4).flat_map(|_| round()).collect();
        let told = stalls(rounds);
        assert!(told.iter().any(|detail| detail.starts_with("the same files again 3")), "{told:?}");
        let mut once: Vec<RowStep> = round().into();
        once.extend(round());
        assert_eq!(stalls(once), Vec::<String>::new());
    }

    #[test]
    fn a_milestone_is_progress() {
        let mut steps = vec![ran("make", 0, "no"), ran("make", 0, "no"), ran("make", 0, "no")];
        steps[2].milestones_changed = Some(vec!["+built".to_owned()]);
        assert_eq!(stalls(steps), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory(), length in 2..6_u32) {
            let (finder, row) = (StallFinder::new(length, 10), record(row));
            prop_assert_eq!(finder.find(&row), finder.find(&row));
        }

        /// Steps that are all different are no stall, in any order.
        #[test]
        fn different_steps_are_no_stall(order in Just((0..12_u32).collect::<Vec<_>>()).prop_shuffle()) {
            let one = |n: &u32| ran(&format!("cat f{n}"), 0, &format!("{n}a\n{n}b\n{n}c"));
            let row = record(with_steps(order.iter().map(one).collect()));
            prop_assert_eq!(StallFinder::new(2, 12).find(&row), Vec::new());
        }
    }
}

//! Stage `error-spirals`: failures in a row. A failure is a reply that could not be read, a command that
//! did not start or was killed, and a command that failed.
//!
//! The exit code of a test or of a comparison is an answer and no failure: it may be what the agent
//! wanted to see. So such a command counts only if it has failed before with the same output: the
//! second time it says nothing new. An action of which nobody knows how it ended ends the row.

use super::behaviour::{
    AgentAction, ShellCommand, agent_actions, git_command, hash_of, lists, name_of, output_hash,
};
use crate::curation::{RowFinder, StageRemark};
use crate::model::{ActionType, RowRecord, TrajectoryRow};
use std::collections::HashSet;

/// Programs whose exit code is an answer.
const ANSWERING: &str = "[ [[ ag bats cmp ctest diff egrep expr false fgrep grep jest mocha nosetests \
    phpunit pgrep py.test pytest rg rspec shellcheck test tox vitest which";
/// Programs that run tests if a word says so.
const RUNNING: &str = "ant bash bun bundle cargo dash deno dotnet go gradle gradlew just make mvn mvnw \
    node npm npx perl php pnpm poetry prove python python3 ruby sbt sh swift uv yarn zsh";
/// Parts of words that say that tests run.
const TESTING: [&str; 5] = ["test", "check", "spec", "lint", "verify"];
/// Exit codes from which on a command was not found, not started or killed.
const NOT_STARTED: i32 = 126;

/// Finds failures in a row.
pub struct SpiralFinder {
    length: u32,
}

impl SpiralFinder {
    pub fn new(length: u32) -> Self {
        Self { length: length.max(2) }
    }
}

impl RowFinder for SpiralFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(row) = record.row.as_trajectory() else { return Vec::new() };
        let longest = longest_run(row);
        let found = longest.filter(|run| run.length() >= self.length);
        found.map(FailureRun::remark).into_iter().collect()
    }
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ActionEnd {
    Worked,
    Failed,
    Unreadable,
    /// Nobody knows.
    Open,
}

/// Failures in a row.
#[derive(Clone, Copy, Default)]
struct FailureRun {
    first: i32,
    last: i32,
    unreadable: u32,
    failed: u32,
}

impl FailureRun {
    fn length(self) -> u32 {
        self.unreadable + self.failed
    }

    fn remark(self) -> StageRemark {
        let Self { first, last, unreadable, failed } = self;
        let count = self.length();
        let detail = format!(
            "{count} failures in a row, from step {first} to {last}: {failed} failed commands, \
             {unreadable} unreadable replies"
        );
        StageRemark::new(detail).scored(f64::from(count))
    }

    /// The run with one more failure, at a step.
    fn with(self, end: ActionEnd, step: i32) -> Self {
        let unreadable = self.unreadable + u32::from(end == ActionEnd::Unreadable);
        let failed = self.failed + u32::from(end == ActionEnd::Failed);
        let first = if self.length() == 0 { step } else { self.first };
        Self { first, last: step, unreadable, failed }
    }
}

/// The longest run of failures, the first of equal ones. None if nothing failed.
fn longest_run(row: &TrajectoryRow) -> Option<FailureRun> {
    let (mut run, mut longest) = (FailureRun::default(), FailureRun::default());
    let mut failed_before = HashSet::new();
    for action in &agent_actions(row) {
        match end_of(action, &mut failed_before) {
            ActionEnd::Worked | ActionEnd::Open => run = FailureRun::default(),
            end => run = run.with(end, action.step.step),
        }
        if run.length() > longest.length() {
            longest = run;
        }
    }
    (longest.length() > 0).then_some(longest)
}

/// How an action ended. `failed_before` has the answers that were failures, with their outputs.
fn end_of(action: &AgentAction<'_>, failed_before: &mut HashSet<u64>) -> ActionEnd {
    if action.is(ActionType::Malformed) {
        return ActionEnd::Unreadable;
    }
    if !action.is(ActionType::ToolCall) {
        return ActionEnd::Open;
    }
    if action.error.is_some() {
        return ActionEnd::Failed;
    }
    match action.exit_code {
        None => ActionEnd::Open,
        Some(0) => ActionEnd::Worked,
        Some(code) if code < NOT_STARTED && action.commands.last().is_some_and(answers) => {
            let said = (action.tool, action.arguments, output_hash(action.observation));
            match failed_before.insert(hash_of(said)) {
                true => ActionEnd::Worked,
                false => ActionEnd::Failed,
            }
        }
        Some(_) => ActionEnd::Failed,
    }
}

/// Whether the exit code of a command is an answer: that of a test or of a comparison.
fn answers(command: &ShellCommand) -> bool {
    let program = command.program();
    let says_test = |word: &String| {
        let word = name_of(word).to_ascii_lowercase();
        TESTING.iter().any(|part| word.contains(part))
    };
    match program {
        "git" => matches!(git_command(command).0, "diff" | "grep" | "merge-base"),
        _ if lists(ANSWERING, program) => true,
        _ if lists(RUNNING, program) => command.arguments().iter().any(says_test),
        _ => TESTING.iter().any(|part| program.contains(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{any_trajectory, called, found, ran, record, unreadable};
    use super::*;
    use crate::model::RowStep;
    use proptest::prelude::*;

    fn spirals(steps: Vec<RowStep>) -> Vec<String> {
        let remarks = found(&SpiralFinder::new(3), steps);
        remarks.into_iter().map(|remark| remark.detail).collect()
    }

    #[test]
    fn failures_in_a_row_are_found() {
        let killed = RowStep { error: Some("timeout".to_owned()), ..ran("make", 137, "") };
        for steps in [
            vec![unreadable(), unreadable(), unreadable()],
            vec![ran("foo", 127, "not found"), unreadable(), ran("bar", 127, "not found")],
            vec![
                ran("cat a", 1, "no a"),
                ran("cat b", 1, "no b"),
                ran("python3 x.py", 1, "Traceback"),
            ],
            // The same answer again and again.
            vec![ran("make test", 2, "1 failed"); 4],
            // A test that is not there is no answer.
            vec![ran("pytest", 127, ""), ran("pytest -q", 127, ""), ran("./test.sh", 126, "")],
            vec![killed.clone(), killed.clone(), killed],
        ] {
            assert_eq!(spirals(steps.clone()).len(), 1, "{steps:?}");
        }
        let told = spirals(vec![ran("ls", 0, ""), unreadable(), ran("foo", 127, ""), unreadable()]);
        let expected =
            "3 failures in a row, from step 1 to 3: 1 failed commands, 2 unreadable replies";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn answers_and_recovery_are_no_spiral() {
        for steps in [
            vec![unreadable(), unreadable(), ran("ls", 0, ""), unreadable()],
            vec![
                ran("grep a f", 1, ""),
                ran("grep b f", 1, ""),
                ran("diff a b", 1, "x"),
                ran("test -f a", 1, ""),
            ],
            vec![
                ran("pytest", 1, "3 failed in 0.1s"),
                ran("pytest", 1, "2 failed in 0.1s"),
                ran("pytest", 1, "1 failed in 0.1s"),
            ],
            vec![
                ran("sh run_tests.sh", 1, "a"),
                ran("cargo test", 101, "b"),
                ran("npm run test", 1, "c"),
                ran("python3 -m pytest tests/test_a.py", 1, "d"),
                ran("./selftest", 1, "e"),
                ran("bash -c 'cd x && pytest'", 1, "f"),
                ran("git diff --exit-code", 1, "g"),
            ],
            // Nobody knows how these ended.
            vec![called("browse", serde_json::json!({ "url": "x" })); 5],
        ] {
            assert_eq!(spirals(steps.clone()), Vec::<String>::new(), "{steps:?}");
        }
    }

    #[test]
    fn of_an_agents_own_program_only_unreadable_replies_are_known() {
        let mut row = super::super::behaviour::tests::with_steps(vec![ran("foo", 127, ""); 5]);
        assert_eq!(SpiralFinder::new(3).find(&record(row.clone())).len(), 1);
        row.scaffold = "external/mini".to_owned();
        assert_eq!(SpiralFinder::new(3).find(&record(row)), Vec::new());
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory(), length in 2..6_u32) {
            let (finder, row) = (SpiralFinder::new(length), record(row));
            prop_assert_eq!(finder.find(&row), finder.find(&row));
        }

        /// What a longer spiral finds, a shorter one finds.
        #[test]
        fn a_shorter_length_finds_no_less(row in any_trajectory(), length in 3..8_u32) {
            let row = record(row);
            if !SpiralFinder::new(length).find(&row).is_empty() {
                prop_assert!(!SpiralFinder::new(length - 1).find(&row).is_empty());
            }
        }
    }
}

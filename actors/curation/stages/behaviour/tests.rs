//! Rows for the tests of stages that look at behaviour.

use super::{ActionEffect, agent_actions};
use crate::curation::tests::row;
use crate::curation::{RowFinder, StageRemark};
use crate::model::{
    ActionType, DatasetRow, RowAction, RowRecord, RowState, RowStep, RowStepAction, TrajectoryRow,
};
use crate::quality::tests::trajectory;
use proptest::prelude::*;
use std::sync::OnceLock;

/// A step that runs a command.
pub(in crate::curation) fn ran(command: &str, exit_code: i32, output: &str) -> RowStep {
    let arguments = serde_json::json!({ "command": command }).to_string();
    let observation =
        format!("<returncode>{exit_code}</returncode>\n<output>\n{output}\n</output>");
    RowStep {
        exit_code: Some(exit_code),
        ..step(ActionType::ToolCall, "bash", &arguments, &observation)
    }
}

/// A step that calls another tool.
pub(in crate::curation) fn called(tool: &str, arguments: serde_json::Value) -> RowStep {
    step(ActionType::ToolCall, tool, &arguments.to_string(), "done")
}

/// A step that submits the work.
pub(in crate::curation) fn submitted() -> RowStep {
    let arguments = r#"{"command":"echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"}"#;
    let step = step(ActionType::Submit, "bash", arguments, "<returncode>0</returncode>");
    RowStep { exit_code: Some(0), ..step }
}

/// A step whose reply could not be read.
pub(in crate::curation) fn unreadable() -> RowStep {
    let step =
        step(ActionType::Malformed, "", r#"{"unparsed":"no"}"#, "Your reply could not be used");
    RowStep { error: Some("there is no tool call".to_owned()), ..step }
}

pub(in crate::curation) fn step(
    kind: ActionType,
    tool: &str,
    arguments: &str,
    observation: &str,
) -> RowStep {
    let (kind, tool) = (kind.as_str().to_owned(), tool.to_owned());
    let mut step = base().trajectory[0].clone();
    step.action = RowAction { kind, tool, arguments: arguments.to_owned() };
    step.observation = observation.to_owned();
    step.state = RowState { cwd: "/work".to_owned(), files: vec!["a.py".to_owned()] };
    (step.error, step.exit_code, step.milestones_changed) = (None, None, None);
    step
}

/// A trajectory with these steps, numbered.
pub(in crate::curation) fn with_steps(steps: Vec<RowStep>) -> TrajectoryRow {
    let last = steps.len().saturating_sub(1);
    let numbered = steps.into_iter().enumerate().map(|(at, step)| RowStep {
        step: i32::try_from(at).unwrap(),
        done: at == last,
        ..step
    });
    TrajectoryRow {
        trajectory: numbered.collect(),
        milestones: Some(Vec::new()),
        messages: None,
        ..base().clone()
    }
}

/// The trajectory whose other columns all rows have.
fn base() -> &'static TrajectoryRow {
    static BASE: OnceLock<TrajectoryRow> = OnceLock::new();
    BASE.get_or_init(trajectory)
}

pub(in crate::curation) fn record(trajectory: impl Into<DatasetRow>) -> RowRecord {
    RowRecord { row: trajectory.into(), ..row(0, "") }
}

/// What a finder says of a trajectory with these steps.
pub(in crate::curation) fn found(finder: &impl RowFinder, steps: Vec<RowStep>) -> Vec<StageRemark> {
    finder.find(&record(with_steps(steps)))
}

/// Any step, with words that stages look for.
pub(in crate::curation) fn any_step() -> impl Strategy<Value = RowStep> {
    let word = "(git log --all|curl https://example.org|rm a.py|cat a.py|pytest|sed -i s/a/b/ a.py|\
        cat > b <<E|\\$\\(|\"|'|`|/proc/1/environ|/sealed|;|&&| |\n|.){0,6}";
    let kinds = prop_oneof![
        Just(ActionType::ToolCall),
        Just(ActionType::Submit),
        Just(ActionType::Message),
        Just(ActionType::Malformed),
        Just(ActionType::Refusal),
    ];
    let tools = prop_oneof![Just("bash"), Just("read_file"), Just("write_file"), Just("other")];
    let several = proptest::option::of(proptest::collection::vec(any::<Option<bool>>(), 0..3));
    (kinds, tools, word, any::<Option<i32>>(), any::<bool>(), "\\PC{0,30}", several).prop_map(
        |(kind, tool, script, exit_code, is_json, text, several)| {
            let given = serde_json::json!({ "command": script, "path": null }).to_string();
            let arguments = if is_json { given } else { script };
            let step = step(kind, tool, &arguments, &text);
            let ran = several.map(|all| all.into_iter().map(|ran| action_of(&step, ran)).collect());
            RowStep { exit_code, reasoning: text, actions: ran, ..step }
        },
    )
}

/// The action of a step as one of several.
fn action_of(step: &RowStep, ran: Option<bool>) -> RowStepAction {
    RowStepAction {
        kind: step.action.kind.clone(),
        tool: step.action.tool.clone(),
        arguments: step.action.arguments.clone(),
        call_id: None,
        ran,
        observation: step.observation.clone(),
        error: step.error.clone(),
        exit_code: step.exit_code,
        truncated: false,
        duration_ms: 0,
    }
}

/// Any trajectory.
pub(in crate::curation) fn any_trajectory() -> impl Strategy<Value = TrajectoryRow> {
    let scaffold = prop_oneof![Just("minimal"), Just("external/mini")];
    (proptest::collection::vec(any_step(), 0..12), scaffold).prop_map(|(steps, scaffold)| {
        TrajectoryRow { scaffold: scaffold.to_owned(), ..with_steps(steps) }
    })
}

#[test]
fn tools_say_what_they_do_as_far_as_they_are_known() {
    use ActionEffect::{Changes, Looks, Unknown};
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mut failed = called("str_replace", json(r#"{"path":"a","old":"b","new":"c"}"#));
    failed.error = Some("a: the text does not occur".to_owned());
    let steps = [
        (called("read_file", json(r#"{"path":"a"}"#)), Looks),
        (called("write_file", json(r#"{"path":"a","content":""}"#)), Changes),
        (failed, Looks),
        (called("str_replace_editor", json(r#"{"command":"view","path":"/a"}"#)), Looks),
        (called("str_replace_editor", json(r#"{"command":"create","path":"/a"}"#)), Changes),
        (called("shell", json(r#"{"command":["bash","-lc","rm a"]}"#)), Changes),
        (called("browse", json(r#"{"url":"x"}"#)), Unknown),
        (ran("cp a b", 1, "cp: no"), Unknown),
        (unreadable(), Looks),
    ];
    for (step, expected) in steps {
        let row = with_steps(vec![step]);
        assert_eq!(agent_actions(&row)[0].effect, expected, "{:?}", row.trajectory[0].action);
    }
}

#[test]
fn several_actions_of_a_step_are_seen_one_by_one() {
    let mut step = ran("ls", 0, "");
    let actions = [("ls", Some(true)), ("rm a.py", Some(true)), ("rm b.py", Some(false))];
    let action = |(command, ran_it): (&str, Option<bool>)| action_of(&ran(command, 0, ""), ran_it);
    step.actions = Some(actions.into_iter().map(action).collect());
    let row = with_steps(vec![step]);
    let effects: Vec<_> = agent_actions(&row).iter().map(|action| action.effect).collect();
    assert_eq!(effects, [ActionEffect::Looks, ActionEffect::Changes]);
}

#[test]
fn how_actions_of_a_program_ended_is_not_known() {
    let mut row = with_steps(vec![ran("false", 1, "")]);
    assert_eq!(agent_actions(&row)[0].exit_code, Some(1));
    row.scaffold = "external/mini".to_owned();
    assert_eq!(agent_actions(&row)[0].exit_code, None);
}

//! What each format makes of rows: what it keeps, what it notes as lost, and what it leaves out.

use super::export_format::{ExportFormat, LinePlace};
use super::left_reason::{ExportedRow, LeftReason, LostPart};
use crate::dataset::fixture::{completion, row};
use serde_json::{Value, json};
use synthd_actors::model::{DatasetRow, DatasetSplit, RowMessage, RowToolCall, TrajectoryRow};

const TOOLS: &str = "[{\"type\": \"function\",\n \"function\": {\"name\": \"bash\"}}]";

/// Where the lines of these tests stand.
const PLACE: LinePlace = LinePlace { split: DatasetSplit::Train, index: 7 };

pub(super) fn message(role: &str, content: &str) -> RowMessage {
    RowMessage {
        role: role.to_owned(),
        content: content.to_owned(),
        reasoning: None,
        tool_calls: None,
        tool_call_id: None,
        name: None,
        weight: (role == "assistant").then_some(1),
        step: None,
        loss_hint: None,
    }
}

pub(super) fn calling(content: &str, arguments: &[&str]) -> RowMessage {
    let call = |(at, arguments): (usize, &&str)| RowToolCall {
        id: format!("c{at}"),
        name: "bash".to_owned(),
        arguments: (*arguments).to_owned(),
    };
    let calls = arguments.iter().enumerate().map(call).collect();
    RowMessage { tool_calls: Some(calls), ..message("assistant", content) }
}

pub(super) fn result(id: Option<&str>) -> RowMessage {
    let name = id.map(|_| "bash".to_owned());
    RowMessage { tool_call_id: id.map(str::to_owned), name, ..message("tool", "done\n") }
}

pub(super) fn thinking(thought: &str, reply: RowMessage) -> RowMessage {
    RowMessage { reasoning: Some(thought.to_owned()), ..reply }
}

pub(super) fn trajectory(messages: Vec<RowMessage>) -> TrajectoryRow {
    TrajectoryRow { messages: Some(messages), tools: Some(TOOLS.to_owned()), ..row(0) }
}

/// A system message, a task, a call with its result, and a last word.
pub(super) fn whole() -> Vec<RowMessage> {
    vec![
        message("system", "Be brief."),
        message("user", "List."),
        calling("", &["{ \"z\": 1,\n \"a\": \"\\u00e9\" }"]),
        result(Some("c0")),
        message("assistant", "Listed."),
    ]
}

/// What a format makes of a row. None if its lines are made of several rows.
pub(super) fn made(
    format: ExportFormat,
    row: &DatasetRow,
) -> Option<Result<ExportedRow, LeftReason>> {
    format.converter().map(|converter| converter.convert(row, PLACE))
}

pub(super) fn exported(
    format: ExportFormat,
    row: impl Into<DatasetRow>,
) -> (String, Vec<LostPart>) {
    let made = made(format, &row.into()).unwrap().unwrap();
    assert!(!made.line.contains('\n'));
    (made.line, made.lost.into_iter().collect())
}

pub(super) fn value(format: ExportFormat, row: impl Into<DatasetRow>) -> Value {
    serde_json::from_str(&exported(format, row).0).unwrap()
}

pub(super) fn left(format: ExportFormat, row: impl Into<DatasetRow>) -> Option<LeftReason> {
    made(format, &row.into()).unwrap().err()
}

#[test]
fn trl_has_arguments_as_they_were_written_and_tools_as_text() {
    let (line, lost) = exported(ExportFormat::TrlSft, trajectory(whole()));
    let call = r#"{"role":"assistant","content":"","tool_calls":[{"id":"c0","type":"function","function":{"name":"bash","arguments":{"z":1,"a":"\u00e9"}}}]}"#;
    assert!(line.contains(call), "{line}");
    let answer = r#"{"role":"tool","content":"done\n","tool_call_id":"c0","name":"bash"}"#;
    assert!(line.contains(answer), "{line}");
    let tools = json!(r#"[{"type":"function","function":{"name":"bash"}}]"#);
    assert_eq!(value(ExportFormat::TrlSft, trajectory(whole()))["tools"], tools);
    assert!(lost.is_empty());
}

#[test]
fn several_calls_stay_in_one_message() {
    let messages = vec![
        message("user", "Both."),
        calling("I do.", &["{\"a\":1}", "{\"b\":2}"]),
        result(Some("c0")),
        result(Some("c1")),
    ];
    for format in [ExportFormat::TrlSft, ExportFormat::Axolotl, ExportFormat::VerlSft] {
        let made = value(format, trajectory(messages.clone()));
        assert_eq!(made["messages"].as_array().unwrap().len(), 4, "{format:?}");
        let calls = made["messages"][1]["tool_calls"].as_array().unwrap();
        assert_eq!((calls.len(), &calls[1]["id"]), (2, &json!("c1")), "{format:?}");
        assert_eq!(made["messages"][1]["content"], "I do.", "{format:?}");
    }
}

#[test]
fn a_prompt_ends_before_the_first_reply_of_the_model() {
    let mut messages = whole();
    messages.insert(1, RowMessage { weight: None, ..message("assistant", "Ready.") });
    let (line, lost) = exported(ExportFormat::TrlPromptCompletion, trajectory(messages));
    let made: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(made["prompt"].as_array().unwrap().len(), 3);
    assert_eq!(made["completion"].as_array().unwrap().len(), 3);
    assert!(made.get("label").is_none());
    assert_eq!(lost, [LostPart::OtherReplies]);
}

#[test]
fn a_verdict_becomes_a_label() {
    let with =
        |verdict: &str| TrajectoryRow { final_result: verdict.to_owned(), ..trajectory(whole()) };
    for (verdict, label) in [("resolved", true), ("unresolved", false)] {
        assert_eq!(value(ExportFormat::TrlKto, with(verdict))["label"], label);
    }
    assert_eq!(left(ExportFormat::TrlKto, with("flaky")), Some(LeftReason::FlakyVerdict));
    assert_eq!(left(ExportFormat::TrlKto, completion(1)), Some(LeftReason::NoVerdict));
}

#[test]
fn openai_ends_with_a_reply_and_weighs_each() {
    let mut messages = whole();
    messages[2] = thinking("Which?", messages[2].clone());
    messages.insert(1, RowMessage { weight: None, ..message("assistant", "Ready.") });
    messages.push(message("user", "And?"));
    let (line, lost) = exported(ExportFormat::OpenaiFt, trajectory(messages));
    let made: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(made["messages"].as_array().unwrap().len(), 6);
    assert_eq!(
        (&made["messages"][1]["weight"], &made["messages"][5]["weight"]),
        (&json!(0), &json!(1))
    );
    let arguments = &made["messages"][3]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, "{ \"z\": 1,\n \"a\": \"\\u00e9\" }");
    assert_eq!(made["tools"][0]["function"]["name"], "bash");
    assert!(made["messages"][4].get("name").is_none());
    assert_eq!(lost, [LostPart::Reasoning, LostPart::ResultNames, LostPart::LastMessages]);
    let nameless =
        vec![message("user", "x"), calling("", &["{}"]), result(None), message("assistant", "y")];
    assert_eq!(
        left(ExportFormat::OpenaiFt, trajectory(nameless)),
        Some(LeftReason::NamelessResult)
    );
}

#[test]
fn axolotl_says_what_is_trained_on() {
    let made = value(ExportFormat::Axolotl, trajectory(whole()));
    let train: Vec<_> = made["messages"].as_array().unwrap().iter().map(|m| &m["train"]).collect();
    assert_eq!(train, [false, false, true, false, true]);
    assert!(made["messages"][2]["tool_calls"][0]["function"]["arguments"].is_string());
}

#[test]
fn reasoning_has_its_key_and_llama_factory_its_mark() {
    let messages = vec![message("user", "1 + 1?"), thinking("Easy.", message("assistant", "2"))];
    let row = || TrajectoryRow { tools: None, ..trajectory(messages.clone()) };
    for format in [ExportFormat::TrlSft, ExportFormat::Axolotl, ExportFormat::VerlSft] {
        assert_eq!(value(format, row())["messages"][1]["reasoning_content"], "Easy.", "{format:?}");
    }
    for format in [ExportFormat::OpenaiFt, ExportFormat::OpenRlhf, ExportFormat::ShareGpt] {
        let (line, lost) = exported(format, row());
        assert!(!line.contains("Easy.") && lost == [LostPart::Reasoning], "{format:?}: {line}");
    }
    let made = value(ExportFormat::LlamaFactory, row());
    assert_eq!(made["conversations"][1]["value"], "<think>\nEasy.\n</think>\n\n2");
    assert_eq!((&made["system"], &made["tools"]), (&json!(""), &json!("")));
    let marked = vec![message("user", "x"), thinking("a </think> b", message("assistant", "2"))];
    let reason = left(ExportFormat::LlamaFactory, trajectory(marked));
    assert_eq!(reason, Some(LeftReason::MarkedReasoning));
}

#[test]
fn llama_factory_has_calls_as_text_and_the_system_message_apart() {
    let (line, lost) = exported(ExportFormat::LlamaFactory, trajectory(whole()));
    let made: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(made["system"], "Be brief.");
    let entries = made["conversations"].as_array().unwrap();
    let from: Vec<_> = entries.iter().map(|entry| entry["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["human", "function_call", "observation", "gpt"]);
    assert_eq!(entries[1]["value"], r#"{"name":"bash","arguments":{"z":1,"a":"\u00e9"}}"#);
    assert_eq!(lost, [LostPart::CallIds, LostPart::ResultNames]);
    let several = vec![message("user", "x"), calling("", &["{}", "{\"b\":2}"])];
    let made = value(ExportFormat::LlamaFactory, trajectory(several));
    let list = r#"[{"name":"bash","arguments":{}},{"name":"bash","arguments":{"b":2}}]"#;
    assert_eq!(made["conversations"][1]["value"], list);
    let beside = vec![message("user", "x"), calling("I look.", &["{\"b\":2}"])];
    let made = value(ExportFormat::LlamaFactory, trajectory(beside));
    let marked = "I look.\n<tool_call>{\"name\":\"bash\",\"arguments\":{\"b\":2}}</tool_call>";
    assert_eq!(made["conversations"][1]["value"], marked);
    let share = value(ExportFormat::ShareGpt, trajectory(whole()));
    assert_eq!(share["conversations"][0]["from"], "system");
}

#[test]
fn what_a_format_cannot_say_is_left_out_with_the_reason() {
    use ExportFormat::{
        Axolotl, LlamaFactory, OpenRlhf, OpenaiFt, PrimeRlSft, ShareGpt, TrlSft, VerlSft,
    };
    let user = || message("user", "x");
    let bad = || vec![user(), calling("", &["ls -l"])];
    let half = || vec![user(), calling("", &["{\"a\":\"\\ud83e\"}"])];
    let both =
        || vec![user(), calling("Text.", &["{}"]), result(Some("c0")), message("assistant", "")];
    let marked = |text: &str, arguments: &str| vec![user(), calling(text, &[arguments])];
    let twice = || vec![user(), user(), message("assistant", "y")];
    let late = || {
        vec![user(), message("assistant", "y"), message("system", "z"), message("assistant", "y")]
    };
    let odd = || vec![message("developer", "x"), message("assistant", "y")];
    let asked = || vec![user(), user()];
    let cases = [
        (TrlSft, bad(), Some(LeftReason::OddArguments)),
        (VerlSft, half(), Some(LeftReason::OddArguments)),
        (LlamaFactory, bad(), Some(LeftReason::OddArguments)),
        (Axolotl, bad(), Some(LeftReason::OddArguments)),
        (Axolotl, half(), Some(LeftReason::OddArguments)),
        (PrimeRlSft, bad(), Some(LeftReason::OddArguments)),
        (OpenaiFt, bad(), None),
        (OpenaiFt, half(), None),
        (ShareGpt, both(), Some(LeftReason::TextBesideCalls)),
        (LlamaFactory, both(), None),
        (LlamaFactory, marked("a <tool_call>", "{}"), Some(LeftReason::MarkedCalls)),
        (LlamaFactory, marked("", r#"{"a":"</tool_call>"}"#), Some(LeftReason::MarkedCalls)),
        (TrlSft, both(), None),
        (OpenRlhf, both(), Some(LeftReason::ToolCalls)),
        (LlamaFactory, twice(), Some(LeftReason::NoTurns)),
        (ShareGpt, twice(), None),
        (LlamaFactory, late(), Some(LeftReason::LateSystem)),
        (ShareGpt, late(), None),
        (ShareGpt, odd(), Some(LeftReason::OddRole)),
        (TrlSft, asked(), Some(LeftReason::NoReply)),
        (TrlSft, Vec::new(), Some(LeftReason::NoMessages)),
    ];
    for (format, messages, reason) in cases {
        assert_eq!(
            left(format, trajectory(messages.clone())),
            reason,
            "{format:?} of {messages:?}"
        );
    }
    let nothing = TrajectoryRow { messages: None, ..trajectory(Vec::new()) };
    assert_eq!(left(TrlSft, nothing), Some(LeftReason::NoMessages));
    let tools = TrajectoryRow { tools: Some("{}".to_owned()), ..trajectory(whole()) };
    assert_eq!(left(TrlSft, tools), Some(LeftReason::OddTools));
}

#[test]
fn a_completion_has_each_format_without_a_verdict() {
    use ExportFormat::{StepReward, TrlKto, TrlStepwise};
    for format in ExportFormat::ALL {
        let Some(made) = made(format, &DatasetRow::from(completion(1))) else { continue };
        let is_judged = [TrlKto, TrlStepwise, StepReward].contains(&format);
        assert_eq!(made.is_ok(), !is_judged, "{format:?}: {made:?}");
    }
}

#[test]
fn a_plain_row_reads_back() {
    for n in 0..8 {
        let row = DatasetRow::from(row(n));
        let (line, _) = exported(ExportFormat::Jsonl, row.clone());
        assert_eq!(serde_json::from_str::<DatasetRow>(&line).unwrap(), row);
    }
}

#[test]
fn no_format_has_an_empty_key() {
    for format in ExportFormat::ALL {
        let messages = vec![message("user", "x"), message("assistant", "")];
        let mut row = TrajectoryRow { tools: Some("[]".to_owned()), ..trajectory(messages) };
        (row.milestones, row.trajectory) = (Some(Vec::new()), row.trajectory[..1].to_vec());
        let Some(made) = made(format, &row.into()).filter(|_| format != ExportFormat::Jsonl) else {
            continue;
        };
        let line = made.unwrap().line;
        assert!(!line.contains("null") && !line.contains("tool_calls"), "{format:?}: {line}");
    }
}

#[test]
fn the_page_has_every_format() {
    let page = include_str!("../../docs/exports.md");
    for format in ExportFormat::ALL {
        assert!(page.contains(&format!("| `{}` |", format.as_str())), "{format:?}");
    }
}

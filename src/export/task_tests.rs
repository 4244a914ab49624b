//! What the formats of tasks, steps and traces make of rows.

use super::export_format::ExportFormat;
use super::left_reason::{LeftReason, LostPart};
use super::tests::{
    calling, exported, left, made, message, result, thinking, trajectory, value, whole,
};
use crate::dataset::fixture::completion;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use synthd_actors::model::{DatasetRow, RowMessage, TrajectoryRow};

/// A row whose two steps are the two replies of [`whole`].
fn stepped() -> TrajectoryRow {
    TrajectoryRow { milestones: Some(Vec::new()), ..trajectory(whole()) }
}

/// The JSON in a text of JSON.
fn within(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_prompt_ends_before_the_model_speaks_and_names_its_task() {
    use ExportFormat::{PrimeRl, SkyRl, VerlRl};
    let verl = value(VerlRl, stepped());
    assert_eq!(verl["data_source"], "synthd/shell/rename");
    assert_eq!(
        (&verl["ability"], &verl["reward_model"]["style"]),
        (&json!("shell"), &json!("rule"))
    );
    assert_eq!(verl["prompt"].as_array().unwrap().len(), 2);
    let truth = within(&verl["reward_model"]["ground_truth"]);
    assert_eq!(
        (&truth["template"], &truth["checks"][1]["name"]),
        (&json!("shell/rename"), &json!("equal"))
    );
    let info = &verl["extra_info"];
    assert_eq!((&info["split"], &info["index"]), (&json!("train"), &json!(7)));
    assert_eq!(within(&info["tools"])[0]["function"]["name"], "bash");
    let sky = value(SkyRl, stepped());
    assert_eq!(
        (&sky["env_class"], &sky["reward_spec"]["method"]),
        (&json!("synthd"), &json!("rule"))
    );
    assert_eq!((&sky["prompt"], &sky["extra_info"]), (&verl["prompt"], info));
    let prime = value(PrimeRl, stepped());
    let stated = within(&prime["info"]);
    assert_eq!((&stated["ground_truth"], &prime["prompt"]), (&truth, &verl["prompt"]));
    assert!(prime.get("answer").is_none() && stated["extra_info"].get("tools").is_none());
}

#[test]
fn what_a_prompts_line_says_is_the_truth_of_a_completion() {
    let fields = r#"{"answer": "4", "topic": 1.50}"#;
    let mut row = completion(2);
    row.fields = Some(fields.to_owned());
    let prime = value(ExportFormat::PrimeRl, row.clone());
    assert_eq!(
        (&prime["answer"], &within(&prime["info"])["ground_truth"]["answer"]),
        (&json!("4"), &json!("4"))
    );
    let labelled = value(ExportFormat::OpenRlhfRl, row.clone());
    assert_eq!(labelled["label"], r#"{"answer":"4","topic":1.50}"#);
    for fields in [None, Some("{}"), Some("4")] {
        row.fields = fields.map(str::to_owned);
        assert_eq!(
            left(ExportFormat::VerlRl, row.clone()),
            Some(LeftReason::NoTruth),
            "{fields:?}"
        );
    }
    assert_eq!(left(ExportFormat::OpenRlhfRl, stepped()), Some(LeftReason::ToolCalls));
}

#[test]
fn a_task_has_one_key_however_it_was_tried() {
    let key = |row: TrajectoryRow| {
        let made = made(ExportFormat::VerlRl, &row.into()).unwrap().unwrap();
        made.once.unwrap().0
    };
    let mut other = stepped();
    other.trajectory_id = "another".to_owned();
    other.messages.as_mut().unwrap()[4].content = "Otherwise.".to_owned();
    assert_eq!(key(stepped()), key(other.clone()));
    other.messages.as_mut().unwrap()[1].content = "List all.".to_owned();
    assert_ne!(key(stepped()), key(other));
}

#[test]
fn a_step_has_its_reward_and_its_label() {
    let made = value(ExportFormat::StepReward, stepped());
    assert_eq!((&made["replies"], &made["errors"]), (&json!([2, 4]), &json!([false, true])));
    let row = stepped();
    let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
    assert_eq!(made["rewards"], json!(rewards));
    assert_eq!(made["messages"].as_array().unwrap().len(), 5);
    let (line, lost) = exported(ExportFormat::TrlStepwise, stepped());
    let made: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(made["prompt"], "Be brief.\n\nList.");
    let first = "bash { \"z\": 1,\n \"a\": \"\\u00e9\" }\n\ndone\n";
    assert_eq!(made["completions"], json!([first, "Listed."]));
    assert_eq!(made["labels"], json!([true, false]), "the second step has an error");
    assert_eq!(lost, [LostPart::CallIds, LostPart::ResultNames, LostPart::Roles, LostPart::Tools]);
}

#[test]
fn the_last_step_is_right_if_the_task_was_solved() {
    for (verdict, label) in [("resolved", true), ("unresolved", false)] {
        let mut row = TrajectoryRow { final_result: verdict.to_owned(), ..stepped() };
        row.trajectory[1].error = None;
        row.trajectory[1].reward = 0.5;
        assert_eq!(value(ExportFormat::TrlStepwise, row.clone())["labels"], json!([true, label]));
        row.trajectory[0].reward = -0.25;
        assert_eq!(value(ExportFormat::TrlStepwise, row)["labels"], json!([false, label]));
    }
    let older = TrajectoryRow { milestones: None, ..stepped() };
    assert_eq!(left(ExportFormat::TrlStepwise, older), Some(LeftReason::NoMilestones));
    let mut silent = stepped();
    silent.messages.as_mut().unwrap().truncate(4);
    assert_eq!(left(ExportFormat::StepReward, silent), Some(LeftReason::OddSteps));
}

#[test]
fn a_step_of_atif_has_the_results_of_its_calls() {
    let mut row = stepped();
    let messages = row.messages.as_mut().unwrap();
    messages[2] = thinking("Which?", messages[2].clone());
    let (line, lost) = exported(ExportFormat::Atif, row.clone());
    assert!(line.contains(r#""arguments":{"z":1,"a":"\u00e9"}"#), "{line}");
    assert!(line.contains(r#""cost_usd":0.00"#), "{line}");
    let made: Value = serde_json::from_str(&line).unwrap();
    let steps = made["steps"].as_array().unwrap();
    let sources: Vec<_> = steps.iter().map(|step| step["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["system", "user", "agent", "agent"]);
    assert_eq!(
        (&steps[3]["step_id"], &made["final_metrics"]["total_steps"]),
        (&json!(4), &json!(4))
    );
    let results = json!([{"source_call_id": "c0", "content": "done\n"}]);
    assert_eq!(steps[2]["observation"]["results"], results);
    assert_eq!(
        (&steps[2]["reasoning_content"], &steps[2]["metrics"]["prompt_tokens"]),
        (&json!("Which?"), &json!(20))
    );
    assert_eq!(steps[2]["extra"]["reward"], json!(row.trajectory[0].reward));
    assert_eq!(made["final_metrics"]["total_completion_tokens"], 20);
    let tokens = (&steps[2]["metrics"]["completion_token_ids"], &steps[2]["metrics"]["logprobs"]);
    assert_eq!(tokens, (&json!([0, 7]), &json!([-0.125, -1e-9])));
    assert_eq!(lost, [LostPart::ResultNames]);
    row.trajectory.truncate(1);
    let (line, lost) = exported(ExportFormat::Atif, row);
    assert!(!line.contains("prompt_tokens") && lost == [LostPart::ResultNames, LostPart::Metrics]);
}

#[test]
fn a_result_without_its_call_is_left_out_of_atif() {
    let odd = |messages: Vec<RowMessage>| left(ExportFormat::Atif, trajectory(messages));
    let user = || message("user", "x");
    let late = vec![calling("", &["{}"]), user(), result(Some("c0")), message("assistant", "y")];
    assert_eq!(odd(late), Some(LeftReason::NamelessResult));
    assert_eq!(
        odd(vec![result(None), message("assistant", "y")]),
        Some(LeftReason::NamelessResult)
    );
    let unnamed = vec![user(), calling("", &["{}"]), result(None)];
    assert_eq!(odd(unnamed), None, "it is of the step, though not of a call");
    assert_eq!(odd(vec![user(), calling("", &["ls"])]), Some(LeftReason::OddArguments));
    assert_eq!(
        odd(vec![message("developer", "x"), message("assistant", "y")]),
        Some(LeftReason::OddRole)
    );
}

#[test]
fn a_trace_of_the_hub_is_a_file_with_a_line_for_each_message() {
    let row = DatasetRow::from(stepped());
    let made = made(ExportFormat::HubTraces, &row).unwrap().unwrap();
    assert_eq!(made.own_file.as_deref(), Some("ep-0000000000000000.jsonl"));
    let lines: Vec<Value> =
        made.line.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (lines.len(), &lines[0]["type"], &lines[0]["id"]),
        (6, &json!("session"), &json!(row.id()))
    );
    let call = &lines[3]["message"]["toolCalls"][0];
    assert_eq!(call["function"]["arguments"], "{ \"z\": 1,\n \"a\": \"\\u00e9\" }");
    assert_eq!(
        (&lines[4]["message"]["toolCallId"], &lines[3]["message"]["model"]),
        (&json!("c0"), &json!("acme/large"))
    );
    assert!(lines[1]["message"].get("model").is_none());
    let up = TrajectoryRow { trajectory_id: "../up".to_owned(), ..stepped() };
    assert_eq!(left(ExportFormat::HubTraces, up), Some(LeftReason::OddId));
}

#[test]
fn spans_stand_end_to_end_below_the_agent() {
    let mut row = stepped();
    (row.trajectory[0].model_ms, row.trajectory[0].duration_ms) = (Some(30), 12);
    let (line, lost) = exported(ExportFormat::OtelSpans, row.clone());
    let made: Value = serde_json::from_str(&line).unwrap();
    let spans = made["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    let bash = "execute_tool bash";
    assert_eq!(names, ["invoke_agent minimal", "chat", bash, "chat", bash]);
    let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids.iter().all(|id| id.len() == 16)), (5, true));
    assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
    for pair in spans[1..].windows(2) {
        assert_eq!(pair[0]["endTimeUnixNano"], pair[1]["startTimeUnixNano"]);
    }
    assert_eq!(spans[0]["startTimeUnixNano"], spans[1]["startTimeUnixNano"]);
    assert_eq!(spans[0]["endTimeUnixNano"], json!("1767323045678000000"));
    let of = |span: &Value, key: &str| {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).map(|one| one["value"].clone()).unwrap_or_default()
    };
    assert_eq!(of(&spans[1], "gen_ai.usage.input_tokens"), json!({"intValue": "20"}));
    let input = within(&of(&spans[3], "gen_ai.input.messages")["stringValue"]);
    let response = json!({"type": "tool_call_response", "id": "c0", "response": "done\n"});
    assert_eq!(input, json!([{"role": "tool", "parts": [response]}]));
    let output = &of(&spans[1], "gen_ai.output.messages")["stringValue"];
    assert!(output.as_str().unwrap().contains(r#""arguments":{"z":1,"a":"\u00e9"}"#), "{output}");
    assert_eq!(spans[4]["status"]["code"], 2, "the second step has an error");
    assert_eq!(lost, [LostPart::ResultNames]);
    row.created_at = "yesterday".to_owned();
    assert_eq!(left(ExportFormat::OtelSpans, row), Some(LeftReason::OddTime));
}

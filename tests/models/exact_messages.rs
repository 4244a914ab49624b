//! The messages of a row are those of the recorded bytes: in every family of wire formats, and with every
//! kind of agent. What a call has sent and what came back is read here anew, from the bytes alone.

use super::host::{Act, Heard, Host, status};
use super::money::{cannot, command, summary};
use serde_json::{Value, json};
use std::path::Path;
use synthd::store::Store;
use synthd_actors::model::{CampaignName, RowMessage, TrajectoryRow};
use synthd_actors::ports::Journal;

const OWN: &str = include_str!("../python/own_agent.py");
/// What the model says, turn by turn.
const SAID: [(&str, &[&str]); 2] = [
    ("I see é.", &["cat words.txt", "n=$(wc -l < words.txt); echo $((n)) > count.txt"]),
    ("Done.", &["echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"]),
];

/// The tokens of the prompt and of the reply, turn by turn, as a host of the OpenAI chat format gives
/// them.
const TOKENS: [(&[i32], &[i32]); 2] = [(&[1, 2], &[3]), (&[1, 2, 3, 4], &[5])];

/// A part of a conversation: whose it is or what it is, and what it says.
type Unit = (String, Value);

fn text(kind: &str, content: &Value) -> Option<Unit> {
    let content = content.as_str().unwrap();
    (!content.is_empty()).then(|| (kind.to_owned(), json!(content)))
}

/// A call. Arguments are compared as JSON, because some families have them as an object.
fn call(name: &Value, arguments: &Value) -> Option<Unit> {
    let read = |text: &str| serde_json::from_str(text).unwrap();
    let arguments = arguments.as_str().map_or_else(|| arguments.clone(), read);
    Some(("call".to_owned(), json!([name, arguments])))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The messages of a row.
fn of_row(messages: &[RowMessage]) -> Vec<Unit> {
    let units = messages.iter().flat_map(|message| {
        let kind = if message.role == "tool" { "result" } else { message.role.as_str() };
        let said = text(kind, &json!(message.content));
        let calls = message.tool_calls.iter().flatten();
        let calls = calls.flat_map(|one| call(&json!(one.name), &json!(one.arguments)));
        said.into_iter().chain(calls).collect::<Vec<_>>()
    });
    units.collect()
}

/// What a request sent.
fn asked(dialect: &str, body: &Value) -> Vec<Unit> {
    match dialect {
        "anthropic" => {
            let system = list(&body["system"]);
            let system = system.iter().filter_map(|block| text("system", &block["text"]));
            system.chain(list(&body["messages"]).iter().flat_map(of_blocks)).collect()
        }
        "responses" => list(&body["input"]).iter().flat_map(of_item).collect(),
        "gemini" => {
            let system = list(&body["systemInstruction"]["parts"]);
            let system = system.iter().filter_map(|part| text("system", &part["text"]));
            system.chain(list(&body["contents"]).iter().flat_map(of_content)).collect()
        }
        _ => list(&body["messages"]).iter().flat_map(of_message).collect(),
    }
}

/// What an answer said.
fn said(dialect: &str, body: &Value) -> Vec<Unit> {
    match dialect {
        "anthropic" => of_blocks(body),
        "responses" => list(&body["output"]).iter().flat_map(of_item).collect(),
        "gemini" => of_content(&body["candidates"][0]["content"]),
        "ollama-native" => of_message(&body["message"]),
        _ => of_message(&body["choices"][0]["message"]),
    }
}

fn of_message(message: &Value) -> Vec<Unit> {
    let role = message["role"].as_str().unwrap();
    let said = text(if role == "tool" { "result" } else { role }, &message["content"]);
    let calls = list(&message["tool_calls"]);
    let calls = calls.iter().map(|call| &call["function"]);
    let calls = calls.flat_map(|function| call(&function["name"], &function["arguments"]));
    said.into_iter().chain(calls).collect()
}

fn of_blocks(message: &Value) -> Vec<Unit> {
    let role = message["role"].as_str().unwrap();
    let blocks = list(&message["content"]);
    let unit = |block: &Value| match block["type"].as_str().unwrap() {
        "tool_use" => call(&block["name"], &block["input"]),
        "tool_result" => text("result", &block["content"]),
        _ => text(role, &block["text"]),
    };
    blocks.iter().filter_map(unit).collect()
}

fn of_item(item: &Value) -> Vec<Unit> {
    let role = match item["role"].as_str().unwrap_or_default() {
        "developer" => "system",
        role => role,
    };
    let parts = list(&item["content"]);
    match item["type"].as_str().unwrap() {
        "function_call" => call(&item["name"], &item["arguments"]).into_iter().collect(),
        "function_call_output" => text("result", &item["output"]).into_iter().collect(),
        _ => parts.iter().filter_map(|part| text(role, &part["text"])).collect(),
    }
}

fn of_content(content: &Value) -> Vec<Unit> {
    let role = if content["role"] == "model" { "assistant" } else { "user" };
    let unit = |part: &Value| match (part.get("functionCall"), part.get("functionResponse")) {
        (Some(function), _) => call(&function["name"], &function["args"]),
        (_, Some(function)) => text("result", &function["response"]["result"]),
        _ => text(role, &part["text"]),
    };
    list(&content["parts"]).iter().filter_map(unit).collect()
}

/// How often the model has spoken.
fn turn_of(dialect: &str, body: &Value) -> usize {
    let units = asked(dialect, body);
    units.iter().filter(|(kind, _)| kind == "assistant").count()
}

/// The whole answer of a host.
fn answer(dialect: &str, heard: &Heard) -> Vec<Act> {
    let turn = turn_of(dialect, &heard.body);
    let (words, commands) = SAID[turn.min(1)];
    let calls = commands
        .iter()
        .enumerate()
        .map(|(at, command)| (format!("c{turn}{at}"), json!({ "command": command })));
    let calls: Vec<(String, Value)> = calls.collect();
    let body = match dialect {
        "anthropic" => {
            let uses = calls.iter().map(|(id, input)| {
                json!({ "type": "tool_use", "id": id, "name": "bash", "input": input })
            });
            let said = json!({ "type": "text", "text": words });
            let content: Vec<Value> = [said].into_iter().chain(uses).collect();
            json!({ "id": "m", "type": "message", "role": "assistant", "model": "m-2026",
                "content": content, "stop_reason": "tool_use",
                "usage": { "input_tokens": 9, "output_tokens": 5 } })
        }
        "responses" => {
            let items = calls.iter().map(|(id, arguments)| {
                json!({ "type": "function_call", "id": format!("f{id}"), "call_id": id,
                    "name": "bash", "arguments": arguments.to_string(), "status": "completed" })
            });
            let said = json!({ "type": "message", "id": "m", "role": "assistant",
                "content": [{ "type": "output_text", "text": words, "annotations": [] }] });
            let output: Vec<Value> = [said].into_iter().chain(items).collect();
            json!({ "status": "completed", "model": "m-2026", "output": output,
                "usage": { "input_tokens": 9, "output_tokens": 5, "total_tokens": 14 } })
        }
        "gemini" => {
            let parts = calls.iter().map(|(id, args)| {
                json!({ "functionCall": { "id": id, "name": "bash", "args": args },
                    "thoughtSignature": "c2ln" })
            });
            let parts: Vec<Value> = [json!({ "text": words })].into_iter().chain(parts).collect();
            json!({ "candidates": [{ "index": 0, "finishReason": "STOP",
                    "content": { "role": "model", "parts": parts } }],
                "usageMetadata": { "promptTokenCount": 9, "candidatesTokenCount": 5,
                    "totalTokenCount": 14 },
                "modelVersion": "m-2026" })
        }
        "ollama-native" => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|(_, args)| json!({ "function": { "name": "bash", "arguments": args } }))
                .collect();
            json!({ "model": "m-2026", "done": true, "done_reason": "stop",
                "message": { "role": "assistant", "content": words, "tool_calls": calls },
                "prompt_eval_count": 9, "eval_count": 5 })
        }
        _ => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|(id, args)| {
                    json!({ "id": id, "type": "function",
                        "function": { "name": "bash", "arguments": args.to_string() } })
                })
                .collect();
            let (prompt, ids) = TOKENS[turn.min(1)];
            let logprobs = json!({ "content": [{ "token": "t", "logprob": -0.5 }] });
            json!({ "model": "m-2026", "prompt_token_ids": prompt,
                "choices": [{ "index": 0, "finish_reason": "tool_calls",
                    "message": { "role": "assistant", "content": words, "tool_calls": calls },
                    "token_ids": ids, "logprobs": logprobs }],
                "usage": { "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14 } })
        }
    };
    status("200 OK", "", &body.to_string())
}

/// Writes a campaign with each of these scaffolds.
fn write(directory: &Path, dialect: &str, host: &Host, scaffolds: &[&str]) {
    let url = host.url();
    let url = if dialect == "ollama-native" { url.trim_end_matches("/v1") } else { &url };
    let agent = format!(
        "[agents.own]\ncommand = '''\ncat > /tmp/agent.py <<'PROGRAM'\n{OWN}\nPROGRAM\n\
         exec python3 /tmp/agent.py\n'''\n"
    );
    let agent = if scaffolds.contains(&"external/own") { agent } else { String::new() };
    let campaign = format!(
        "[campaign]\nname = \"paid\"\n[tasks]\ntemplates = [\"crash/*\"]\nper_template = 1\n\
         [providers.local]\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\nfree = true\n\
         key_env = \"SYNTHD_TEST_KEY\"\n\
         [[models]]\nname = \"local/m-1\"\ncontext = 32768\n\
         [scaffolds]\nnames = {scaffolds:?}\n{agent}"
    );
    std::fs::write(directory.join("paid.toml"), campaign).unwrap();
}

/// Compares a row with the bytes of its calls.
async fn compare(store: &Store, dialect: &str, row: &TrajectoryRow) {
    let place = format!("{dialect} {}", row.scaffold);
    let messages = of_row(row.messages.as_ref().unwrap());
    let calls = store.calls(&row.trajectory_id).await.unwrap();
    assert_eq!(calls.len(), SAID.len(), "{place}");
    for summary in calls {
        let exchange = store.call(&summary.id).await.unwrap().unwrap().exchange;
        let request: Value = serde_json::from_slice(&exchange.request).unwrap();
        let response: Value = serde_json::from_slice(&exchange.response).unwrap();
        let recorded = [asked(dialect, &request), said(dialect, &response)].concat();
        assert!(recorded.len() <= messages.len(), "{place}: {recorded:#?} {messages:#?}");
        assert_eq!(recorded, messages[..recorded.len()], "{place}");
        let is_last = turn_of(dialect, &request) + 1 == SAID.len();
        let rest = &messages[recorded.len()..];
        assert!(!is_last || rest.iter().all(|(kind, _)| kind == "result"), "{place}: {rest:?}");
        if dialect == "openai" {
            let tools: Value = serde_json::from_str(row.tools.as_ref().unwrap()).unwrap();
            assert_eq!(tools, request["tools"], "{place}");
        }
    }
    let tokens = row
        .trajectory
        .iter()
        .map(|step| (step.prompt_kept, step.prompt_token_ids.clone(), step.token_ids.clone()));
    let given =
        [(Some(0), Some(vec![1, 2]), Some(vec![3])), (Some(3), Some(vec![4]), Some(vec![5]))];
    let none = [(None, None, None), (None, None, None)];
    let expected = if dialect == "openai" { given } else { none };
    assert_eq!(tokens.collect::<Vec<_>>(), expected, "{place}");
    let logprobs = (dialect == "openai").then(|| vec![-0.5]);
    assert!(row.trajectory.iter().all(|step| step.logprobs == logprobs), "{place}");
    let replies = row.messages.iter().flatten().filter(|message| message.weight == Some(1));
    let hints: Vec<_> = replies.map(|m| (m.step, m.loss_hint.as_deref())).collect();
    assert_eq!(hints, [(Some(0), Some("reply")), (Some(1), Some("reply"))], "{place}");
    for step in &row.trajectory {
        assert_eq!(step.finish_reason.as_deref(), Some("tool_calls"), "{place}");
        assert_eq!((step.input_tokens, step.output_tokens), (Some(9), Some(5)), "{place}");
        assert_eq!(step.model_version.as_deref(), Some("m-2026"), "{place}");
    }
}

#[tokio::test]
async fn the_messages_of_a_row_are_those_of_the_recorded_bytes() {
    if cannot("messages of every family") {
        return;
    }
    let native: &[&str] = &["minimal", "files"];
    let all: &[&str] = &["minimal", "files", "external/own"];
    for (dialect, scaffolds) in [
        ("openai", all),
        ("anthropic", native),
        ("responses", native),
        ("gemini", native),
        ("ollama-native", native),
    ] {
        let host = Host::answering(move |heard| answer(dialect, heard));
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), dialect, &host, scaffolds);
        let output = command(directory.path()).output().unwrap();
        let done = summary(&output);
        assert_eq!(done["episodes"]["resolved"], scaffolds.len(), "{dialect}: {output:?}");
        let store = Store::open_read_only(&directory.path().join("data")).unwrap();
        let rows = store.rows(&CampaignName("paid".to_owned()), None, 9).await.unwrap();
        assert_eq!(rows.len(), scaffolds.len(), "{dialect}");
        for record in &rows {
            compare(&store, dialect, record.row.as_trajectory().unwrap()).await;
        }
    }
}

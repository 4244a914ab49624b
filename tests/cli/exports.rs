//! Exports through the program: what is written, what is counted, and what is refused.

use super::campaign::shared;
use super::harness::{Ran, synthd_in};
use crate::support;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Exports the shared trajectories.
pub(super) fn export(dir: &Path, format: &str, extra: &[&str]) -> Ran {
    let version = shared().dataset();
    let args = ["dataset", "export", version.to_str().unwrap(), "--to", format];
    synthd_in(dir, &[&args, extra].concat())
}

/// What `export.json` says.
fn record(dir: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(dir.join("export.json")).unwrap()).unwrap()
}

/// The lines of all splits.
fn rows(dir: &Path) -> Vec<Value> {
    let read = |split: &str| fs::read_to_string(dir.join(format!("{split}.jsonl")));
    let texts = ["train", "validation", "test"].into_iter().filter_map(|split| read(split).ok());
    let texts: Vec<String> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A number of `export.json`, over all splits.
fn sum(record: &Value, pointer: &str) -> u64 {
    let splits = record["splits"].as_object().unwrap().values();
    splits.filter_map(|counts| counts.pointer(pointer)?.as_u64()).sum()
}

/// The version of a campaign of completions, and its directory.
pub(super) fn answers() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let campaign = "[campaign]\nname = \"answers\"\nkind = \"completions\"\n[completions]\n\
                    prompts = [\"p.jsonl\"]\nsamples = 2\n[[models]]\nname = \"scripted/echo\"\n";
    fs::write(dir.path().join("answers.toml"), campaign).unwrap();
    let prompt = |n| format!("{{\"prompt\": \"Say {n}.\", \"answer\": \"{n}\"}}\n");
    let prompts: String = (0..6).map(prompt).collect();
    fs::write(dir.path().join("p.jsonl"), prompts).unwrap();
    let ran = synthd_in(dir.path(), &["run", "answers.toml", "--json"]).succeeds().document();
    let version = dir.path().join(ran["dataset"]["path"].as_str().unwrap());
    (dir, version)
}

#[test]
fn rows_with_unreadable_arguments_are_left_out_where_arguments_are_objects() {
    let dir = tempfile::tempdir().unwrap();
    let ran = export(dir.path(), "trl-sft", &[]).succeeds().fits();
    assert!(ran.stdout.contains("train: 1 left out: odd-arguments"), "{ran:?}");
    let out = dir.path().join("small-v1-trl-sft");
    let told = record(&out);
    assert_eq!((sum(&told, "/read"), sum(&told, "/written")), (10, 8));
    assert_eq!(sum(&told, "/left_out/odd-arguments"), 2);
    let metadata = fs::read_to_string(shared().dataset().join("metadata.json")).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(told["source"]["digest"], metadata["digest"]);
    let rows = rows(&out);
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row["tools"].is_string()));
    let calls = rows.iter().flat_map(|row| row["messages"].as_array().unwrap());
    let calls: Vec<_> = calls.filter_map(|message| message.get("tool_calls")).collect();
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|calls| calls[0]["function"]["arguments"]["command"].is_string()));
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else is left behind: {names:?}");
}

#[test]
fn messages_are_those_of_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    // The rows without unreadable arguments, which axolotl does not take.
    for format in ["jsonl", "axolotl"] {
        let filters = ["--without-label", "malformed-steps", "--out", format];
        export(dir.path(), format, &filters).succeeds();
    }
    let (plain, made) = (rows(&dir.path().join("jsonl")), rows(&dir.path().join("axolotl")));
    assert_eq!((plain.len(), made.len()), (8, 8));
    for (plain, made) in plain.iter().zip(&made) {
        let (plain, made) = (&plain["messages"], &made["messages"]);
        assert_eq!(plain.as_array().unwrap().len(), made.as_array().unwrap().len());
        for (plain, made) in plain.as_array().unwrap().iter().zip(made.as_array().unwrap()) {
            assert_eq!((&plain["role"], &plain["content"]), (&made["role"], &made["content"]));
            assert_eq!(plain["weight"] == 1, made["train"] == true);
            let calls = plain["tool_calls"].as_array().into_iter().flatten();
            for (at, call) in calls.enumerate() {
                let made = &made["tool_calls"][at];
                assert_eq!((&call["id"], &call["name"]), (&made["id"], &made["function"]["name"]));
                assert_eq!(call["arguments"], made["function"]["arguments"]);
            }
        }
    }
}

#[test]
fn what_a_format_lacks_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let ran = export(dir.path(), "openai-ft", &["--json", "--out", "o"]).succeeds().document();
    // A refusal is the last message; every other row ends with a result or a correction.
    assert_eq!(sum(&ran["export"], "/lost/last-messages"), 8);
    assert_eq!(ran["export"], record(&dir.path().join("o")));
    let ends = |row: &Value| row["messages"].as_array().unwrap().last().unwrap()["role"].clone();
    assert!(rows(&dir.path().join("o")).iter().all(|row| ends(row) == "assistant"));
    let ran = export(dir.path(), "llama-factory", &["--json", "--out", "l"]).succeeds().document();
    assert_eq!(sum(&ran["export"], "/written"), 8);
    assert_eq!(sum(&ran["export"], "/left_out/odd-arguments"), 2);
    let info = fs::read_to_string(dir.path().join("l/dataset_info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["small-train"]["file_name"], "train.jsonl");
    let ran = export(dir.path(), "openrlhf", &["--out", "r"]).fails(2, "SYN-0704");
    assert!(ran.stderr.contains("10 tool-calls"), "{ran:?}");
    assert!(!dir.path().join("r").exists());
}

#[test]
fn a_solved_try_stands_over_one_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), "trl-preference", &["--out", "all"]).succeeds();
    let pairs = rows(&dir.path().join("all"));
    assert_eq!(pairs.len(), 6, "one solved and three not, of two tasks");
    let told = record(&dir.path().join("all"));
    assert_eq!(told["options"]["pairs"]["per_task"], 4);
    for pair in &pairs {
        assert_ne!(pair["chosen"], pair["rejected"]);
        assert_eq!(pair["prompt"].as_array().unwrap().last().unwrap()["role"], "user");
        let last = pair["chosen"].as_array().unwrap().last().unwrap();
        assert!(last["content"].as_str().unwrap().contains("COMPLETE_TASK"), "{last}");
    }
    export(dir.path(), "trl-preference", &["--out", "again"]).succeeds();
    assert_eq!(pairs, rows(&dir.path().join("again")));
    export(dir.path(), "trl-preference", &["--out", "one", "--pairs-per-task", "1"]).succeeds();
    assert_eq!(rows(&dir.path().join("one")).len(), 2);
    let kto = export(dir.path(), "trl-kto", &["--out", "kto"]);
    kto.succeeds();
    let labels: Vec<_> =
        rows(&dir.path().join("kto")).iter().map(|row| row["label"] == true).collect();
    assert_eq!(labels.iter().filter(|label| **label).count(), 2);
    assert_eq!(labels.len(), 8);
    let odd = export(dir.path(), "trl-sft", &["--margin", "5"]);
    odd.fails(2, "SYN-0105");
}

#[test]
fn filters_choose_rows_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let filters = ["--split", "train", "--label", "resolved", "--without-label", "malformed-steps"];
    export(dir.path(), "axolotl", &[&filters[..], &["--out", "o"]].concat()).succeeds();
    let told = record(&dir.path().join("o"));
    assert_eq!(told["splits"].as_object().unwrap().len(), 1);
    assert_eq!((sum(&told, "/filtered"), sum(&told, "/written")), (4, 1));
    let before = fs::read(dir.path().join("o/train.jsonl")).unwrap();
    export(dir.path(), "axolotl", &["--out", "o"]).fails(2, "SYN-0704");
    assert_eq!(fs::read(dir.path().join("o/train.jsonl")).unwrap(), before);
    let ran = export(dir.path(), "axolotl", &["--label", "nobody", "--out", "p"]);
    let ran = ran.fails(2, "SYN-0704");
    assert!(ran.stderr.contains("10 filtered"), "{ran:?}");
    fs::write(dir.path().join("file"), "x").unwrap();
    export(dir.path(), "axolotl", &["--out", "file/below"]).fails(2, "SYN-0704");
    let none = synthd_in(dir.path(), &["dataset", "export", "file", "--to", "jsonl"]);
    none.fails(2, "SYN-0701");
}

#[test]
fn completions_become_each_format_but_those_of_verdicts() {
    let (dir, version) = answers();
    let export = |format: &str| {
        let args =
            ["dataset", "export", version.to_str().unwrap(), "--to", format, "--out", format];
        synthd_in(dir.path(), &args)
    };
    for format in ["jsonl", "trl-sft", "trl-prompt-completion", "openai-ft", "sharegpt"] {
        export(format).succeeds();
        assert_eq!(rows(&dir.path().join(format)).len(), 12, "{format}");
    }
    for format in
        ["axolotl", "llama-factory", "verl-sft", "openrlhf", "prime-rl-sft", "atif", "otel"]
    {
        export(format).succeeds();
        assert_eq!(rows(&dir.path().join(format)).len(), 12, "{format}");
    }
    for format in ["verl-rl", "skyrl", "prime-rl", "openrlhf-rl"] {
        export(format).succeeds();
        let told = record(&dir.path().join(format));
        let counts = (sum(&told, "/written"), sum(&told, "/left_out/same-task"));
        assert_eq!(counts, (6, 6), "{format}: a prompt is there once");
    }
    for format in ["trl-kto", "trl-preference", "trl-stepwise", "reward-model", "best-of-n"] {
        let ran = export(format).fails(2, "SYN-0704");
        assert!(ran.stderr.contains("12 no-verdict"), "{ran:?}");
    }
    let ran = export("step-reward").fails(2, "SYN-0704");
    assert!(ran.stderr.contains("12 no-milestones"), "{ran:?}");
}

#[test]
fn a_task_is_asked_once_and_its_checks_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["verl-rl", "skyrl", "verifiers"] {
        export(dir.path(), format, &["--out", format]).succeeds();
        let told = record(&dir.path().join(format));
        let counts = (sum(&told, "/written"), sum(&told, "/left_out/same-task"));
        assert_eq!(counts, (2, 8), "{format}: two tasks, each tried five times");
    }
    assert_eq!(record(&dir.path().join("verifiers"))["format"], "prime-rl");
    let (verl, sky) = (rows(&dir.path().join("verl-rl")), rows(&dir.path().join("skyrl")));
    let plain = export(dir.path(), "jsonl", &["--out", "jsonl"]);
    plain.succeeds();
    let plain = rows(&dir.path().join("jsonl"));
    for (verl, sky) in verl.iter().zip(&sky) {
        assert_eq!(verl["prompt"], sky["prompt"]);
        assert_eq!(verl["prompt"].as_array().unwrap().last().unwrap()["role"], "user");
        let truth = verl["reward_model"]["ground_truth"].as_str().unwrap();
        assert_eq!(truth, sky["reward_spec"]["ground_truth"]);
        let truth: Value = serde_json::from_str(truth).unwrap();
        let row = plain.iter().find(|row| row["task_id"] == truth["task_id"]).unwrap();
        let named = |checks: &Value| {
            let each = checks.as_array().unwrap().iter();
            each.map(|check| (check["name"].clone(), check["weight"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(named(&truth["checks"]), named(&row["verification"]["checks"]));
    }
    let ran = export(dir.path(), "openrlhf-rl", &["--out", "r"]).fails(2, "SYN-0704");
    assert!(ran.stderr.contains("10 tool-calls"), "{ran:?}");
}

#[test]
fn steps_and_tries_are_judged_by_what_the_rows_say() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["jsonl", "step-reward", "trl-stepwise", "reward-model", "best-of-n"] {
        export(dir.path(), format, &["--out", format]).succeeds();
    }
    let plain = rows(&dir.path().join("jsonl"));
    let stepwise = rows(&dir.path().join("trl-stepwise"));
    assert_eq!(
        (plain.len(), stepwise.len(), rows(&dir.path().join("step-reward")).len()),
        (10, 10, 8)
    );
    for (plain, made) in plain.iter().zip(&stepwise) {
        let steps = plain["trajectory"].as_array().unwrap();
        let labels = made["labels"].as_array().unwrap();
        assert_eq!(
            (labels.len(), made["completions"].as_array().unwrap().len()),
            (steps.len(), steps.len())
        );
        let solved = plain["final_result"] == "resolved";
        assert!(solved || labels.last().unwrap() == false, "{made}");
    }
    for made in rows(&dir.path().join("step-reward")) {
        let replies = made["replies"].as_array().unwrap();
        assert_eq!(replies.len(), made["rewards"].as_array().unwrap().len());
        let is_reply = |at: &Value| {
            let at = usize::try_from(at.as_u64().unwrap()).unwrap();
            made["messages"][at]["role"] == "assistant"
        };
        assert!(replies.iter().all(is_reply), "{made}");
    }
    for pair in rows(&dir.path().join("reward-model")) {
        let margin =
            pair["score_chosen"].as_f64().unwrap() - pair["score_rejected"].as_f64().unwrap();
        assert_eq!(pair["margin"].as_f64(), Some(margin));
    }
    let best = rows(&dir.path().join("best-of-n"));
    assert_eq!(best.len(), 2, "two tasks");
    for line in &best {
        assert_eq!(line["completions"].as_array().unwrap().len(), 4);
        assert_eq!(line["solved"], serde_json::json!([true, false, false, false]));
    }
    let few = export(dir.path(), "best-of-n", &["--out", "few", "--candidates", "2"]);
    few.succeeds();
    let few = rows(&dir.path().join("few"));
    assert!(few.iter().all(|line| line["completions"].as_array().unwrap().len() == 2));
    export(dir.path(), "best-of-n", &["--pairs-per-task", "2"]).fails(2, "SYN-0105");
    export(dir.path(), "trl-preference", &["--candidates", "2"]).fails(2, "SYN-0105");
}

#[test]
fn a_trace_is_a_file_and_a_span_has_its_times() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["hf-traces", "otel", "atif"] {
        export(dir.path(), format, &["--out", format]).succeeds();
    }
    let told = record(&dir.path().join("hf-traces"));
    let files = told["files"].as_array().unwrap();
    assert_eq!((files.len(), sum(&told, "/written")), (10, 10));
    for file in files {
        let path = dir.path().join("hf-traces").join(file["path"].as_str().unwrap());
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["type"], &lines[0]["harness"]),
            (&"session".into(), &"synthd".into())
        );
        assert_eq!(lines.len() as u64, file["rows"].as_u64().unwrap());
    }
    for trace in rows(&dir.path().join("otel")) {
        let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let at = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        let (from, to) = ("startTimeUnixNano", "endTimeUnixNano");
        assert!(spans.iter().all(|span| at(span, from) <= at(span, to)), "{trace}");
        assert!(spans.iter().all(|span| at(span, to) <= at(&spans[0], to)), "{trace}");
    }
    let told = record(&dir.path().join("atif"));
    assert_eq!((sum(&told, "/written"), sum(&told, "/left_out/odd-arguments")), (8, 2));
    assert_eq!(sum(&told, "/lost/metrics"), 0);
}

/// The formats of which the shared trajectories have rows.
const FORMATS: [&str; 19] = [
    "jsonl",
    "trl-sft",
    "trl-prompt-completion",
    "trl-preference",
    "trl-kto",
    "openai-ft",
    "axolotl",
    "llama-factory",
    "verl-sft",
    "prime-rl-sft",
    "verl-rl",
    "skyrl",
    "prime-rl",
    "trl-stepwise",
    "step-reward",
    "reward-model",
    "best-of-n",
    "hf-traces",
    "otel",
];

#[test]
fn datasets_loads_every_export_with_the_documented_columns() {
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
        return support::skip("exports in datasets", "SYNTHD_TEST_PYTHON names no Python");
    };
    let (dir, version) = answers();
    let out = dir.path().join("exports");
    for format in FORMATS {
        let to = out.join(format!("small.{format}"));
        export(dir.path(), format, &["--out", to.to_str().unwrap()]).succeeds();
    }
    for format in ["openrlhf", "sharegpt", "llama-factory", "trl-sft", "openrlhf-rl", "prime-rl"] {
        let to = out.join(format!("answers.{format}"));
        let (from, to) = (version.to_str().unwrap(), to.to_str().unwrap());
        let args = ["dataset", "export", from, "--to", format, "--out", to];
        synthd_in(dir.path(), &args).succeeds();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_exports.py");
    let output = Command::new(python).arg(script).arg(&out).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(text.contains("25 exports agree"), "{text}");
}

#[test]
fn harbors_own_models_read_every_document_of_atif() {
    let Some(harbor) = std::env::var_os("SYNTHD_TEST_HARBOR") else {
        return support::skip("Harbor's models", "SYNTHD_TEST_HARBOR names no directory with them");
    };
    let python = std::env::var_os("SYNTHD_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let (dir, version) = answers();
    export(dir.path(), "atif", &["--out", "small"]).succeeds();
    let args = ["dataset", "export", version.to_str().unwrap(), "--to", "atif", "--out", "answers"];
    synthd_in(dir.path(), &args).succeeds();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_atif.py");
    let exports = ["small", "answers"].map(|name| dir.path().join(name));
    let output =
        Command::new(python).arg(script).args(exports).env("PYTHONPATH", harbor).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("Harbor reads 20 documents"), "{told}{error}");
}

//! `task.toml` of an exported task.

use super::{ExportRefusal, commands};
use std::time::Duration;
use synthd_actors::model::{Task, TaskVerification};
use toml::{Table, Value};

/// The version of the schema that is written.
const SCHEMA: &str = "1.4";
/// The organisation before the names of tasks.
const OWNER: &str = "synthd";
/// The word of rows whose checks shared a sandbox with programs of the work. It is true of every export.
const LABEL: &str = synthd_actors::quality::SHARED_JUDGE;
/// The time of an agent, and the memory of the container in MiB, if the template states none.
const AGENT_TIME: Duration = Duration::from_secs(30 * 60);
const MEMORY: i64 = 2048;
/// Seconds of the tests besides those of the checks themselves.
const JUDGE_SECONDS: f64 = 120.0;

/// The text of the file. `name` is that of the folder.
pub(super) fn manifest(task: &Task, name: &str) -> Result<String, ExportRefusal> {
    let mut file = Table::new();
    put(&mut file, "schema_version", SCHEMA);
    put(&mut file, "task", package(task, name));
    put(&mut file, "metadata", metadata(task));
    put(&mut file, "agent", agent(task));
    put(&mut file, "verifier", verifier(&task.verification));
    put(&mut file, "environment", environment(task));
    if !task.stages.is_empty() {
        put(&mut file, "multi_step_reward_strategy", "mean");
        put(&mut file, "steps", steps(task));
    }
    toml::to_string(&file).map_err(|error| ExportRefusal::new(format!("it is no TOML: {error}")))
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn package(task: &Task, name: &str) -> Table {
    let mut table = Table::new();
    put(&mut table, "name", format!("{OWNER}/{name}"));
    put(&mut table, "description", task.title.as_str());
    let keywords = vec![Value::from(task.category.as_str()), Value::from(task.difficulty.as_str())];
    put(&mut table, "keywords", keywords);
    table
}

/// Where the task comes from, and what its label is worth.
fn metadata(task: &Task) -> Table {
    let mut table = Table::new();
    put(&mut table, "difficulty", task.difficulty.as_str());
    put(&mut table, "category", task.category.as_str());
    put(&mut table, "template", task.template.as_str());
    // A number of 64 bits without a sign is none of TOML's.
    put(&mut table, "seed", task.seed.to_string());
    put(&mut table, "digest", task.digest.as_str());
    put(&mut table, "cluster", task.cluster.as_str());
    let (least, most) = task.expected_steps;
    put(&mut table, "expected_steps", vec![Value::from(least), Value::from(most)]);
    if let Some(kind) = task.kind {
        put(&mut table, "kind", kind.as_str());
    }
    if !task.skills.is_empty() {
        let skills: Vec<Value> = task.skills.iter().map(|skill| skill.as_str().into()).collect();
        put(&mut table, "skills", skills);
    }
    put(&mut table, "label", LABEL);
    table
}

fn agent(task: &Task) -> Table {
    let mut table = Table::new();
    put(&mut table, "user", "agent");
    let time = task.resources.time.unwrap_or(AGENT_TIME);
    put(&mut table, "timeout_sec", time.as_secs_f64());
    table
}

/// The tests, which run as root, so that both users are apart from them.
fn verifier(verification: &TaskVerification) -> Table {
    let mut table = Table::new();
    put(&mut table, "user", "root");
    let checks = verification.timeout.as_secs_f64() * commands(verification) as f64;
    put(&mut table, "timeout_sec", checks + JUDGE_SECONDS);
    table
}

fn environment(task: &Task) -> Table {
    let mut table = Table::new();
    put(&mut table, "workdir", "/work");
    put(&mut table, "network_mode", "no-network");
    let stated = task.resources.memory_bytes.map(|bytes| bytes >> 20);
    let memory = stated.and_then(|stated| i64::try_from(stated).ok()).unwrap_or(0);
    // What the judge copies needs room as well.
    put(&mut table, "memory_mb", memory.max(MEMORY));
    table
}

fn steps(task: &Task) -> Vec<Value> {
    let step = |stage: &synthd_actors::model::TaskStage| {
        let mut table = Table::new();
        put(&mut table, "name", stage.name.as_str());
        put(&mut table, "agent", agent(task));
        put(&mut table, "verifier", verifier(&stage.verification));
        Value::Table(table)
    };
    task.stages.iter().map(step).collect()
}

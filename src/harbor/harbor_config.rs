//! `task.toml` as types. Keys that Harbor's loader does not know are ignored by it; they are listed here,
//! so that a misspelt one is seen.

use super::harbor_files::TASK_TOML;
use super::harbor_problem::HarborProblem;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The whole file. Every section may be missing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HarborConfig {
    pub(super) schema_version: Option<String>,
    /// The older name of `schema_version`.
    pub(super) version: Option<String>,
    pub(super) task: Option<HarborPackage>,
    /// A free table. Some of its customary keys are read.
    pub(super) metadata: Option<Value>,
    pub(super) agent: HarborAgent,
    pub(super) verifier: HarborVerifier,
    pub(super) environment: HarborEnvironment,
    pub(super) solution: HarborSolution,
    pub(super) multi_step_reward_strategy: Option<String>,
    pub(super) steps: Vec<HarborStep>,
    pub(super) artifacts: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct HarborPackage {
    pub(super) name: String,
    /// Tables with a name, and perhaps an address.
    #[serde(default)]
    pub(super) authors: Option<Value>,
}

impl HarborConfig {
    /// A text of the metadata under the first of these keys that has one.
    pub(super) fn stated(&self, keys: &[&str]) -> Option<String> {
        let metadata = self.metadata.as_ref()?;
        let texts = keys.iter().filter_map(|key| metadata.get(*key)?.as_str());
        texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The names of the authors.
    pub(super) fn authors(&self) -> Vec<String> {
        let listed = self.task.as_ref().and_then(|task| task.authors.as_ref()?.as_array());
        let name = |author: &Value| Some(author.get("name")?.as_str()?.to_owned());
        let names: Vec<String> = listed.into_iter().flatten().filter_map(name).collect();
        match names.is_empty() {
            true => self.stated(&["author_name", "author"]).into_iter().collect(),
            false => names,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HarborAgent {
    pub(super) timeout_sec: Option<f64>,
    pub(super) user: Option<Value>,
    pub(super) network_mode: Option<String>,
    pub(super) allowed_hosts: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HarborVerifier {
    pub(super) timeout_sec: Option<f64>,
    pub(super) user: Option<Value>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) environment_mode: Option<String>,
    pub(super) environment: Option<HarborEnvironment>,
    pub(super) collect: Vec<Value>,
    pub(super) network_mode: Option<String>,
    pub(super) allowed_hosts: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HarborEnvironment {
    pub(super) build_timeout_sec: Option<f64>,
    pub(super) docker_image: Option<String>,
    pub(super) os: Option<String>,
    pub(super) cpus: Option<f64>,
    pub(super) memory_mb: Option<i64>,
    pub(super) storage_mb: Option<i64>,
    /// Older forms of the two before, such as `"2G"`.
    pub(super) memory: Option<Value>,
    pub(super) storage: Option<Value>,
    pub(super) gpus: Option<i64>,
    pub(super) tpu: Option<Value>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) skills_dir: Option<String>,
    pub(super) workdir: Option<String>,
    pub(super) network_mode: Option<String>,
    pub(super) allowed_hosts: Option<Vec<String>>,
    pub(super) healthcheck: Option<Value>,
    pub(super) mcp_servers: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HarborSolution {
    pub(super) env: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct HarborStep {
    pub(super) name: String,
    #[serde(default)]
    pub(super) agent: HarborAgent,
    #[serde(default)]
    pub(super) verifier: HarborVerifier,
    #[serde(default)]
    pub(super) min_reward: Option<Value>,
    #[serde(default)]
    pub(super) healthcheck: Option<Value>,
    #[serde(default)]
    pub(super) artifacts: Vec<Value>,
}

/// The keys of each section that Harbor knows. The tables below `metadata` and `env` are free.
const TOP: &[&str] = &[
    "schema_version",
    "version",
    "task",
    "metadata",
    "agent",
    "verifier",
    "environment",
    "solution",
    "source",
    "multi_step_reward_strategy",
    "steps",
    "artifacts",
];
const PACKAGE: &[&str] = &["name", "version", "description", "authors", "keywords"];
const AGENT: &[&str] = &["timeout_sec", "user", "network_mode", "allowed_hosts"];
const VERIFIER: &[&str] = &[
    "timeout_sec",
    "env",
    "user",
    "environment_mode",
    "environment",
    "collect",
    "network_mode",
    "allowed_hosts",
];
const ENVIRONMENT: &[&str] = &[
    "build_timeout_sec",
    "docker_image",
    "os",
    "cpus",
    "memory_mb",
    "storage_mb",
    "memory",
    "storage",
    "gpus",
    "gpu_types",
    "tpu",
    "mcp_servers",
    "env",
    "skills_dir",
    "healthcheck",
    "workdir",
    "allow_internet",
    "network_mode",
    "allowed_hosts",
];
const SOLUTION: &[&str] = &["env"];
const STEP: &[&str] = &["name", "agent", "verifier", "min_reward", "healthcheck", "artifacts"];

/// Reads the text. The second value has the keys that Harbor ignores, such as `agent.timeout`.
pub(super) fn read_config(text: &str) -> Result<(HarborConfig, Vec<String>), HarborProblem> {
    let config: HarborConfig = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        HarborProblem::invalid(format!("{TASK_TOML}:{line}"), error.message().trim())
    })?;
    // The text was just read as TOML.
    let table: Table = toml::from_str(text).unwrap_or_default();
    let mut unknown = Vec::new();
    unknown_keys("", &table, TOP, &mut unknown);
    Ok((config, unknown))
}

/// Collects the keys of a section that are not known, and those of the sections in it.
fn unknown_keys(section: &str, table: &Table, known: &[&str], unknown: &mut Vec<String>) {
    for (key, value) in table {
        let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        if !known.contains(&key.as_str()) {
            unknown.push(path);
            continue;
        }
        let Some(inner) = keys_below(key) else { continue };
        match value {
            Value::Table(table) => unknown_keys(&path, table, inner, unknown),
            Value::Array(items) => {
                let tables = items.iter().filter_map(Value::as_table);
                tables.for_each(|table| unknown_keys(&path, table, inner, unknown));
            }
            _ => {}
        }
    }
}

/// The keys of a section with this name. None if everything may stand in it, or nothing is in it.
fn keys_below(key: &str) -> Option<&'static [&'static str]> {
    match key {
        "task" => Some(PACKAGE),
        "agent" => Some(AGENT),
        "verifier" => Some(VERIFIER),
        "environment" => Some(ENVIRONMENT),
        "solution" => Some(SOLUTION),
        "steps" => Some(STEP),
        _ => None,
    }
}

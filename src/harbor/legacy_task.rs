//! `task.yaml` of Terminal-Bench, whose tasks came before Harbor's.

use super::harbor_files::TASK_YAML;
use super::harbor_problem::HarborProblem;
use serde::Deserialize;

/// The keys that say what is to be run. The others are ignored, as by Harbor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct LegacyTask {
    pub(super) instruction: String,
    #[serde(default = "agent_seconds")]
    pub(super) max_agent_timeout_sec: f64,
    #[serde(default = "test_seconds")]
    pub(super) max_test_timeout_sec: f64,
    #[serde(default)]
    pub(super) author_name: Option<String>,
    #[serde(default)]
    pub(super) difficulty: Option<String>,
}

fn agent_seconds() -> f64 {
    360.0
}

fn test_seconds() -> f64 {
    60.0
}

/// Reads the text.
pub(super) fn read_legacy(text: &str) -> Result<LegacyTask, HarborProblem> {
    serde_saphyr::from_str(text)
        .map_err(|error| HarborProblem::invalid(TASK_YAML, error.to_string()))
}

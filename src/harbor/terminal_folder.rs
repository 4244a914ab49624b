//! A folder of Terminal-Bench: `task.yaml`, `docker-compose.yaml`, `Dockerfile`, `run-tests.sh`, `tests/`
//! and `solution.sh`. Its tests pass by their exit code.

use super::compose_file::build_directory;
use super::dockerfile::check_dockerfile;
use super::harbor_files::{HarborFiles, TASK_YAML};
use super::harbor_problem::HarborProblem;
use super::harbor_task::{
    BUILD_TIME, HarborImage, HarborPart, HarborTask, check_script, required, seconds,
    without_canary,
};
use super::legacy_task::{LegacyTask, read_legacy};
use std::collections::BTreeMap;
use std::time::Duration;

/// The word for the format.
pub(super) const FORMAT: &str = "terminal-bench";
const COMPOSE: &str = "docker-compose.yaml";
const TESTS: &str = "run-tests.sh";
const SOLUTION: &str = "solution.sh";

/// The task of the folder, or everything that is wrong with it.
pub(super) fn understand(
    files: &HarborFiles,
    folder: &str,
) -> Result<HarborTask, Vec<HarborProblem>> {
    let mut problems = Vec::new();
    let image = image_of(files, &mut problems);
    check_script(files, TESTS, &mut problems);
    if files.has(SOLUTION) {
        check_script(files, SOLUTION, &mut problems);
    } else if files.has("solution.yaml") {
        let what = "is a list of keys for a terminal; only solution.sh is understood";
        problems.push(HarborProblem::unsupported("solution.yaml", what));
    }
    let part = part_of(files, &mut problems);
    match (part, image) {
        (Some((part, task)), Some(image)) if problems.is_empty() => Ok(HarborTask {
            name: folder.to_owned(),
            format: FORMAT.to_owned(),
            image,
            workdir: None,
            build_timeout: BUILD_TIME,
            memory_mb: None,
            variables: BTreeMap::new(),
            tests_variables: BTreeMap::from([("TEST_DIR".to_owned(), "/tests".to_owned())]),
            solution_variables: BTreeMap::new(),
            steps: vec![part],
            licence: None,
            authors: task.author_name.filter(|name| name != "unknown").into_iter().collect(),
            difficulty: task.difficulty,
            notes: Vec::new(),
        }),
        _ => Err(problems),
    }
}

/// The Dockerfile that the compose file builds.
fn image_of(files: &HarborFiles, problems: &mut Vec<HarborProblem>) -> Option<HarborImage> {
    let text = required(files, COMPOSE, problems)?;
    match build_directory(COMPOSE, text) {
        Ok(directory) => {
            let slash = if directory.is_empty() { "" } else { "/" };
            let path = format!("{directory}{slash}Dockerfile");
            check_dockerfile(files, &path, problems);
            Some(HarborImage::Dockerfile(path))
        }
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// What `task.yaml` says.
fn part_of(
    files: &HarborFiles,
    problems: &mut Vec<HarborProblem>,
) -> Option<(HarborPart, LegacyTask)> {
    let text = required(files, TASK_YAML, problems)?;
    let task = match read_legacy(text) {
        Ok(task) => task,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let place = |key: &str| format!("{TASK_YAML}: {key}");
    let (agent, tests) = (task.max_agent_timeout_sec, task.max_test_timeout_sec);
    let agent_timeout = seconds(&place("max_agent_timeout_sec"), agent, problems);
    let tests_timeout = seconds(&place("max_test_timeout_sec"), tests, problems);
    let part = HarborPart {
        name: None,
        instruction: without_canary(&task.instruction).to_owned(),
        tests: TESTS.to_owned(),
        solution: files.has(SOLUTION).then(|| SOLUTION.to_owned()),
        agent_user: None,
        tests_user: None,
        agent_timeout,
        tests_timeout: tests_timeout.unwrap_or(Duration::ZERO),
    };
    Some((part, task))
}

//! The task of a Harbor folder: what the agent is told, its container, and the solution as moves of the
//! scripted oracle.

use super::folder_judge::{FolderJudge, JudgedFolder};
use super::judge_engine::JudgeEngine;
use super::oracle_moves::{DIRECTORY, oracle_moves, shell_word};
use super::task_draft::{TaskDraft, plain_name, task_of};
use crate::error::Code;
use crate::harbor::{
    HarborFiles, HarborPart, HarborProblem, HarborProblemKind, HarborTask, PROVEN_MEMORY_MB,
    TaskProver, folder_digest, read_task,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{
    ContainerSite, ContainerSource, Difficulty, ScriptedMove, TaskContainer,
};
use synthd_actors::task::ContainerTask;

/// The directory of the solution in a folder.
const SOLUTION: &str = "solution/";
/// The script of the solution, where the oracle plays it.
const SCRIPT: &str = "solve.sh";
/// The most bytes of a solution that is read for the oracle.
const MOST_SOLUTION: u64 = 256 << 10;

/// The task of a folder. Err says why it cannot be used.
pub(super) fn folder_task(
    folder: &Path,
    engine: &Arc<JudgeEngine>,
) -> Result<ContainerTask, String> {
    let task = read_task(folder).map_err(|problems| told(&problems))?;
    let [part] = task.steps.as_slice() else {
        return Err(format!(
            "it has {} steps; a campaign runs tasks with one instruction",
            task.steps.len()
        ));
    };
    let origin = folder_digest(folder).map_err(|problem| told(&[problem]))?;
    let unread = |error: io::Error| format!("cannot be read: {error}");
    let image = TaskProver::image_name(&task, folder).map_err(unread)?;
    let directory = TaskProver::begin_directory(&task, folder).map_err(unread)?;
    let directory = directory.ok_or(
        "the directory in which the agent begins is not known: state environment.workdir, or WORKDIR in \
         the Dockerfile",
    )?;
    let solution = solution_of(&task, part, folder).map_err(unread)?;
    let container = TaskContainer {
        source: ContainerSource::Harbor,
        origin: origin.clone(),
        licence: task.licence.as_deref().map(stated),
        authors: task.authors.iter().map(|author| stated(author)).collect(),
        image,
        site: ContainerSite {
            directory: Some(directory),
            user: part.agent_user.clone(),
            variables: task.variables.clone(),
        },
        memory_bytes: task.memory_mb.unwrap_or(PROVEN_MEMORY_MB).saturating_mul(1 << 20),
    };
    let drafted = task_of(TaskDraft {
        name: plain_name(&task.name),
        title: task.name.clone(),
        difficulty: difficulty(task.difficulty.as_deref()),
        instruction: part.instruction.clone(),
        solution,
        agent_time: part.agent_timeout,
        tests_time: part.tests_timeout,
        container,
    });
    let folder = folder.to_owned();
    let judged = JudgedFolder { task, folder, digest: origin, engine: engine.clone() };
    Ok(ContainerTask::new(drafted, Arc::new(FolderJudge(Arc::new(judged)))))
}

/// The problems of a folder on one line, each with its code.
fn told(problems: &[HarborProblem]) -> String {
    let code = |problem: &HarborProblem| match problem.kind {
        HarborProblemKind::Invalid => Code::HarborInvalid,
        HarborProblemKind::Unsupported => Code::HarborUnsupported,
    };
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{}: {problem}", code(problem).as_str())).collect();
    told.join("; ")
}

/// A text that a row shows, in printable characters and within bounds.
fn stated(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn difficulty(stated: Option<&str>) -> Difficulty {
    match stated.map(str::to_lowercase).as_deref() {
        Some("easy") => Difficulty::Easy,
        Some("hard") => Difficulty::Hard,
        _ => Difficulty::Medium,
    }
}

/// The solution as moves. Empty if there is none, or if it is too large to be played.
fn solution_of(
    task: &HarborTask,
    part: &HarborPart,
    folder: &Path,
) -> io::Result<Vec<ScriptedMove>> {
    let Some(script) = &part.solution else { return Ok(Vec::new()) };
    let files =
        HarborFiles::read(folder).map_err(|problem| io::Error::other(problem.to_string()))?;
    let mut paths: Vec<(&str, &str)> =
        files.paths().filter_map(|path| Some((path.strip_prefix(SOLUTION)?, path))).collect();
    paths.retain(|(name, _)| *name != SCRIPT);
    paths.push((SCRIPT, script.as_str()));
    let (mut laid, mut size) = (Vec::new(), 0_u64);
    for (name, path) in paths {
        size = size.saturating_add(std::fs::metadata(folder.join(path))?.len());
        if size > MOST_SOLUTION {
            return Ok(Vec::new());
        }
        laid.push((name.to_owned(), std::fs::read(folder.join(path))?));
    }
    Ok(oracle_moves(&laid, &playing(task)))
}

/// The command that plays the solution with its variables.
fn playing(task: &HarborTask) -> String {
    let variables = task.solution_variables.iter();
    let variables: String =
        variables.map(|(name, value)| shell_word(&format!("{name}={value}")) + " ").collect();
    format!(
        "chmod -R 755 \"{DIRECTORY}\"; mkdir -p /logs/agent 2>/dev/null; \
         env {variables}\"{DIRECTORY}/{SCRIPT}\""
    )
}

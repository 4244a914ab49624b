//! `synthd template check --harbor`: reads Harbor task folders and says what of them is wrong or cannot be
//! honoured. With `--prove`, it runs their solutions and their tests in containers.

use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::guest_dir;
use crate::cli::terminal::output::{eprint_line, print_json, print_line, stderr_is_terminal};
use crate::cli::terminal::terminal_text::{escape_controls, escape_line};
use crate::error::{Code, Error, Result};
use crate::harbor::{
    HarborImage, HarborProblem, HarborProblemKind, HarborTask, TaskProver, find_tasks, read_task,
};
use crate::private_directory::own_directory;
use crate::running_engine::{fault_error, run_in_actor_system};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synthd_actors::model::FaultKind;

/// A folder, and what came of reading it.
struct ReadFolder {
    path: PathBuf,
    task: std::result::Result<HarborTask, Vec<HarborProblem>>,
    /// What does not hold when it is run. None if it was not run.
    unproven: Option<Vec<String>>,
}

/// Reads all task folders at the paths, proves them if that is wanted, and tells of each. Err if one of
/// them is refused or not proven.
pub(super) fn check(paths: &[PathBuf], proves: bool, as_json: bool) -> Result<ExitCode> {
    let mut folders = Vec::new();
    for path in paths {
        for path in tasks_at(path)? {
            let task = read_task(&path);
            folders.push(ReadFolder { path, task, unproven: None });
        }
    }
    let ended = match proves {
        true => run_in_actor_system(prove(&mut folders))?,
        false => Ok(()),
    };
    // If the engine fails in the middle of the work, the results so far are still told.
    if as_json {
        print_json(&folders.iter().map(document).collect::<Vec<_>>())?;
    } else {
        folders.iter().for_each(tell);
    }
    ended?;
    verdict(&folders)
}

/// Proves those that are understood. Ctrl-C ends the proof that runs, with its containers.
async fn prove(folders: &mut [ReadFolder]) -> Result<()> {
    let mut signals = SignalListener::listen()?;
    own_directory(&guest_dir()).map_err(|error| {
        Error::new(Code::Io, "there is no directory for the logs of builds").with_source(error)
    })?;
    let prover = TaskProver::connect(guest_dir()).await.map_err(|fault| {
        Error::new(Code::EngineUnavailable, "there is no container engine to use")
            .with_source(fault.message)
            .hint("start an engine, or name one with DOCKER_HOST")
    })?;
    let ended = tokio::select! {
        ended = Box::pin(prove_all(&prover, folders)) => Some(ended),
        () = signals.wait_for_stop() => None,
    };
    // The proof was dropped, but its containers would go on.
    if ended.is_none() {
        prover.end().await;
    }
    ended.unwrap_or_else(|| {
        let what = "stopped in the middle of the proofs";
        Err(Error::new(Code::Interrupted, what).hint("the same command proves all tasks again"))
    })
}

/// Proves those that are understood, one after the other.
async fn prove_all(prover: &TaskProver, folders: &mut [ReadFolder]) -> Result<()> {
    for folder in folders {
        let Ok(task) = &folder.task else { continue };
        if stderr_is_terminal() {
            eprint_line(&escape_line(&format!("proving {}", task.name)));
        }
        folder.unproven = Some(match prover.prove(task, &folder.path).await {
            Ok(problems) => problems,
            Err(fault) if is_of_the_task(fault.kind) => vec![fault.message],
            Err(fault) => return Err(fault_error(&fault)),
        });
    }
    Ok(())
}

/// Whether a fault says nothing of other tasks: an image that cannot be had or built, or a container that
/// does not start, because of its user for example.
fn is_of_the_task(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::SandboxRefused | FaultKind::SandboxStart | FaultKind::TaskSetup)
}

/// The task folders at a path; at least one.
fn tasks_at(path: &Path) -> Result<Vec<PathBuf>> {
    let tasks = find_tasks(path).map_err(|error| {
        Error::new(Code::HarborInvalid, format!("cannot read {}", path.display()))
            .with_source(error)
            .hint("name a Harbor task folder, or a directory of such folders")
    })?;
    if tasks.is_empty() {
        let what = format!("{} has no Harbor task", path.display());
        return Err(Error::new(Code::HarborInvalid, what)
            .hint("a task is a folder with task.toml, or task.yaml of Terminal-Bench"));
    }
    Ok(tasks)
}

/// The error for the folders that are refused; success if there are none.
fn verdict(folders: &[ReadFolder]) -> Result<ExitCode> {
    let has = |folder: &&ReadFolder, kind: HarborProblemKind| {
        folder.task.as_ref().is_err_and(|problems| problems.iter().any(|one| one.kind == kind))
    };
    let count = |kind| folders.iter().filter(|folder| has(folder, kind)).count();
    let all = folders.len();
    let invalid = count(HarborProblemKind::Invalid);
    if invalid > 0 {
        let what = format!("{invalid} of {all} Harbor tasks cannot be used");
        return Err(Error::new(Code::HarborInvalid, what)
            .hint("each line says the file and the field; Harbor would not run them either"));
    }
    let unsupported = count(HarborProblemKind::Unsupported);
    if unsupported > 0 {
        let what = format!("{unsupported} of {all} Harbor tasks ask for what synthd cannot give");
        return Err(
            Error::new(Code::HarborUnsupported, what).hint("docs/harbor.md lists what is honoured")
        );
    }
    let is_unproven =
        |folder: &&ReadFolder| folder.unproven.as_ref().is_some_and(|why| !why.is_empty());
    match folders.iter().filter(is_unproven).count() {
        0 => Ok(ExitCode::SUCCESS),
        unproven => {
            let what = format!("not proven: {unproven} of {all} Harbor tasks");
            Err(Error::new(Code::TemplateUnproven, what)
                .hint("docs/harbor.md says what a proof runs and where"))
        }
    }
}

/// The code of a problem.
fn code(problem: &HarborProblem) -> Code {
    match problem.kind {
        HarborProblemKind::Invalid => Code::HarborInvalid,
        HarborProblemKind::Unsupported => Code::HarborUnsupported,
    }
}

fn tell(folder: &ReadFolder) {
    match &folder.task {
        Ok(task) => {
            let word = match &folder.unproven {
                None => "understood",
                Some(why) if why.is_empty() => "proven",
                Some(_) => "UNPROVEN",
            };
            print_line(&escape_line(&format!("{word:<10} {}", summary(task))));
            for note in &task.notes {
                print_line(&escape_line(&format!("           {note}")));
            }
            for why in folder.unproven.iter().flatten() {
                eprint_line(&escape_line(&format!("           {why}")));
            }
        }
        Err(problems) => {
            let path = folder.path.display();
            print_line(&escape_line(&format!("REFUSED    {path}")));
            for problem in problems {
                let line = format!("           {}: {problem}", code(problem));
                eprint_line(&escape_controls(&line.replace('\n', "\n           ")));
            }
        }
    }
}

/// A task on one line.
fn summary(task: &HarborTask) -> String {
    let (name, format, image) = (&task.name, &task.format, image(task));
    let steps = match task.steps.len() {
        1 => String::new(),
        count => format!(", {count} steps"),
    };
    format!("{name} ({format}{steps}, {image})")
}

fn image(task: &HarborTask) -> String {
    match &task.image {
        HarborImage::Prebuilt(name) => format!("image {name}"),
        HarborImage::Dockerfile(path) => path.clone(),
    }
}

fn document(folder: &ReadFolder) -> Value {
    let path = folder.path.display().to_string();
    match &folder.task {
        Ok(task) => {
            let steps: Vec<Value> = task.steps.iter().map(step).collect();
            json!({
                "folder": path, "understood": true, "task": task.name, "format": task.format,
                "environment": image(task), "steps": steps, "notes": task.notes, "problems": [],
                "proven": folder.unproven.as_ref().map(Vec::is_empty),
                "unproven_because": folder.unproven.clone().unwrap_or_default(),
            })
        }
        Err(problems) => {
            let problems: Vec<Value> = problems
                .iter()
                .map(|one| {
                    json!({ "code": code(one).as_str(), "place": one.place, "what": one.what })
                })
                .collect();
            json!({ "folder": path, "understood": false, "problems": problems })
        }
    }
}

fn step(part: &crate::harbor::HarborPart) -> Value {
    json!({
        "name": part.name,
        "instruction": part.instruction,
        "tests": part.tests,
        "solution": part.solution,
        "agent_seconds": part.agent_timeout.map(|time| time.as_secs_f64()),
        "tests_seconds": part.tests_timeout.as_secs_f64(),
    })
}

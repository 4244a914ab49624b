//! `synthd template check --harbor`: reads Harbor task folders and says what of them is wrong or cannot be
//! honoured. It runs nothing.

use crate::cli::terminal::output::{eprint_line, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_controls;
use crate::error::{Code, Error, Result};
use crate::harbor::{
    HarborImage, HarborProblem, HarborProblemKind, HarborTask, find_tasks, read_task,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A folder, and what came of reading it.
struct ReadFolder {
    path: PathBuf,
    task: std::result::Result<HarborTask, Vec<HarborProblem>>,
}

/// Reads all task folders at the paths and tells of each. Err if one of them is refused.
pub(super) fn check(paths: &[PathBuf], as_json: bool) -> Result<ExitCode> {
    let mut folders = Vec::new();
    for path in paths {
        for path in tasks_at(path)? {
            let task = read_task(&path);
            folders.push(ReadFolder { path, task });
        }
    }
    if as_json {
        print_json(&folders.iter().map(document).collect::<Vec<_>>())?;
    } else {
        folders.iter().for_each(tell);
    }
    verdict(&folders)
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
    Ok(ExitCode::SUCCESS)
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
            print_line(&escape_controls(&format!("understood {}", summary(task))));
            for note in &task.notes {
                print_line(&escape_controls(&format!("           {note}")));
            }
        }
        Err(problems) => {
            let path = folder.path.display();
            print_line(&escape_controls(&format!("REFUSED    {path}")));
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

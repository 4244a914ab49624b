//! A task folder as it was understood.

use super::harbor_files::{HarborFiles, TASK_TOML, TASK_YAML};
use super::harbor_problem::HarborProblem;
use super::{terminal_folder, toml_folder};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The time of a build if the task states none.
pub(super) const BUILD_TIME: Duration = Duration::from_secs(600);

/// A task that synthd understands.
#[derive(Clone, Debug, PartialEq)]
pub struct HarborTask {
    /// `org/name`, or the name of the folder.
    pub name: String,
    /// The version of Harbor's schema, or `terminal-bench`.
    pub format: String,
    pub image: HarborImage,
    /// Where scripts begin. None: where the image says.
    pub workdir: Option<String>,
    /// The time that a build of the image may take.
    pub build_timeout: Duration,
    /// What the task states of its memory.
    pub memory_mb: Option<u64>,
    /// Variables of the environment, of the tests and of the solution.
    pub variables: BTreeMap<String, String>,
    pub tests_variables: BTreeMap<String, String>,
    pub solution_variables: BTreeMap<String, String>,
    /// The steps; one without a name for a task without steps.
    pub steps: Vec<HarborPart>,
    /// What the task states of its licence, its authors and how hard it is.
    pub licence: Option<String>,
    pub authors: Vec<String>,
    pub difficulty: Option<String>,
    /// What is read and has no effect, in words.
    pub notes: Vec<String>,
}

/// What the environment is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HarborImage {
    /// The name of an image that is there already.
    Prebuilt(String),
    /// The path of a Dockerfile in the folder.
    Dockerfile(String),
}

/// A step of a task, or the whole of a task without steps.
#[derive(Clone, Debug, PartialEq)]
pub struct HarborPart {
    pub name: Option<String>,
    /// What the agent is asked to do, without the lines that mark a benchmark.
    pub instruction: String,
    /// The script that writes the reward, by its path in the folder.
    pub tests: String,
    /// The script of the oracle, if there is one.
    pub solution: Option<String>,
    /// The users of the agent and of the tests. None: the user of the image.
    pub agent_user: Option<String>,
    pub tests_user: Option<String>,
    pub agent_timeout: Option<Duration>,
    pub tests_timeout: Duration,
}

/// Reads a task folder. Err has every problem that was found, or the one that made it unreadable.
pub fn read_task(folder: &Path) -> Result<HarborTask, Vec<HarborProblem>> {
    let files = HarborFiles::read(folder).map_err(|problem| vec![problem])?;
    let name = folder.canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    understand(&files, &name.unwrap_or_default())
}

/// The task of some files. `folder` is the name of their folder.
pub(super) fn understand(
    files: &HarborFiles,
    folder: &str,
) -> Result<HarborTask, Vec<HarborProblem>> {
    if files.has(TASK_TOML) {
        toml_folder::understand(files, folder)
    } else if files.has(TASK_YAML) {
        terminal_folder::understand(files, folder)
    } else {
        let what = format!("there is neither {TASK_TOML} nor {TASK_YAML}");
        Err(vec![HarborProblem::invalid("", what)])
    }
}

/// The text of a file, which must be there. What is wrong goes to `problems`.
pub(super) fn required<'f>(
    files: &'f HarborFiles,
    path: &str,
    problems: &mut Vec<HarborProblem>,
) -> Option<&'f str> {
    match files.text(path) {
        Some(Ok(text)) => Some(text),
        Some(Err(problem)) => {
            problems.push(problem);
            None
        }
        None => {
            problems.push(HarborProblem::invalid(path, "is missing"));
            None
        }
    }
}

/// Looks at a script that is run directly: the kernel needs its first line.
pub(super) fn check_script(files: &HarborFiles, path: &str, problems: &mut Vec<HarborProblem>) {
    let Some(text) = required(files, path, problems) else { return };
    let first = text.split('\n').next().unwrap_or_default();
    let what = match first.strip_prefix("#!") {
        None => "does not begin with `#!`, so it cannot be run",
        Some(line) if line.ends_with('\r') => {
            "has the line ends of Windows, so its interpreter is not found"
        }
        Some(_) => return,
    };
    problems.push(HarborProblem::invalid(path, what));
}

/// Seconds of a file as a time. None, and a problem, if they are no time.
pub(super) fn seconds(
    place: &str,
    value: f64,
    problems: &mut Vec<HarborProblem>,
) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(value).ok().filter(|time| !time.is_zero());
    if time.is_none() {
        problems.push(HarborProblem::invalid(place, format!("{value} is no time in seconds")));
    }
    time
}

/// An instruction without the lines before it that mark a benchmark, and without the empty lines behind
/// those. They are comments of HTML or of a shell with the word `canary`.
pub(super) fn without_canary(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        if !is_canary(line.trim()) {
            break;
        }
        rest = after;
    }
    if is_canary(rest.trim()) && !rest.contains('\n') {
        return "";
    }
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            break;
        }
        rest = after;
    }
    rest
}

fn is_canary(line: &str) -> bool {
    let is_comment = line.starts_with('#') || (line.starts_with("<!--") && line.ends_with("-->"));
    is_comment && line.to_lowercase().contains("canary")
}

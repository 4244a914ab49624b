//! Writes a task of a template as a Harbor folder.
//!
//! ```text
//!  task.toml, instruction.md        what the task is
//!  environment/Dockerfile           the programs, two users, and the workspace as the agent finds it
//!  environment/work, setup          its files, and the commands that prepare it
//!  tests/test.sh, judge.py, judged  the judge: both sides of synthd's in one container
//!  tests/checks.json                the checks with their sealed files
//!  solution/solve.sh, moves         the oracle, move by move
//! ```
//! A task with stages has `instruction.md`, `checks.json` and `solution` in `steps/<stage>/`.
//!
//! Programs of the work and checks run in one container here, as two users. So a label is weaker than one
//! of a judge apart: the metadata say `shared-judge`.

mod environment;
mod manifest;
mod package_names;
mod solution;

use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use synthd_actors::model::{
    BASE_IMAGE, FileComparison, FileSpec, MoveAction, ScriptedMove, Task, TaskVerification,
};

/// The judge and what belongs to it, by their paths below `tests/`.
const JUDGE: [(&str, &str, bool); 3] = [
    ("test.sh", include_str!("test.sh"), true),
    ("judge.py", include_str!("judge.py"), false),
    ("judged", include_str!("judged"), true),
];

/// How tasks are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportSettings {
    /// An image that has the programs of the tasks already. None: Debian, and its packages.
    pub image: Option<String>,
}

/// A task as the files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HarborExport {
    /// The name of the folder.
    pub name: String,
    /// Its files by their paths.
    pub files: BTreeMap<String, ExportedFile>,
}

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    pub content: String,
    /// The permission bits.
    pub mode: u32,
}

/// Why a task cannot be written as a Harbor folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRefusal(String);

impl ExportRefusal {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for ExportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExportRefusal {}

/// The folder of a task that was drawn under `seed`. `Err`: Harbor has no word for something in it.
pub fn export_task(
    task: &Task,
    seed: u64,
    settings: &ExportSettings,
) -> Result<HarborExport, ExportRefusal> {
    refuse_unspoken(task, settings)?;
    let name = format!("{}-s{seed}", task.template.replace('/', "-"));
    let mut folder = FolderWriter::default();
    folder.text("task.toml", manifest::manifest(task, &name)?);
    environment::write(task, settings, &mut folder)?;
    for (path, content, is_program) in JUDGE {
        folder.file(&format!("tests/{path}"), content, if is_program { 0o755 } else { 0o644 });
    }
    if task.stages.is_empty() {
        let part = ExportedPart {
            directory: "",
            instruction: &task.instruction,
            solution: &task.solution,
            verification: &task.verification,
            goes_on: false,
        };
        part.write(task, &mut folder)?;
    }
    for (at, stage) in task.stages.iter().enumerate() {
        let directory = format!("steps/{}/", stage.name);
        let part = ExportedPart {
            directory: &directory,
            instruction: &stage.instruction,
            solution: &stage.solution,
            verification: &stage.verification,
            goes_on: at + 1 < task.stages.len(),
        };
        part.write(task, &mut folder)?;
    }
    Ok(HarborExport { name, files: folder.0 })
}

/// Refuses what a folder cannot say.
fn refuse_unspoken(task: &Task, settings: &ExportSettings) -> Result<(), ExportRefusal> {
    if !task.services.is_empty() {
        return Err(ExportRefusal::new("it has services, for which Harbor needs a compose engine"));
    }
    if task.image != BASE_IMAGE && settings.image.is_none() {
        let image = &task.image;
        let what = format!("its image is {image:?}; name one that has its programs with --image");
        return Err(ExportRefusal::new(what));
    }
    let mut weights = task.stages.iter().map(|stage| stage.weight);
    let first = weights.next();
    if weights.any(|weight| Some(weight) != first) {
        let what = "its stages have different weights; Harbor takes the mean of steps";
        return Err(ExportRefusal::new(what));
    }
    Ok(())
}

/// Collects the files of a folder.
#[derive(Default)]
struct FolderWriter(BTreeMap<String, ExportedFile>);

impl FolderWriter {
    fn file(&mut self, path: &str, content: &str, mode: u32) {
        let content = content.to_owned();
        self.0.insert(path.to_owned(), ExportedFile { content, mode });
    }

    fn text(&mut self, path: &str, content: String) {
        self.0.insert(path.to_owned(), ExportedFile { content, mode: 0o644 });
    }
}

/// A part of a task with an instruction of its own: a stage, or the whole.
struct ExportedPart<'t> {
    /// The directory of the part with a slash; empty for the whole.
    directory: &'t str,
    instruction: &'t str,
    solution: &'t [ScriptedMove],
    verification: &'t TaskVerification,
    /// Whether the agent goes on afterwards.
    goes_on: bool,
}

impl ExportedPart<'_> {
    fn write(&self, task: &Task, folder: &mut FolderWriter) -> Result<(), ExportRefusal> {
        let path = |name: &str| format!("{}{name}", self.directory);
        folder.text(&path("instruction.md"), self.instruction.to_owned());
        folder.text(&path("tests/checks.json"), self.plan(task)?);
        solution::write(self.solution, &path("solution/"), folder)
    }

    /// The plan of the judge.
    fn plan(&self, task: &Task) -> Result<String, ExportRefusal> {
        let verification = self.verification;
        let mut compares = verification.checks.iter().filter_map(|check| check.compare.as_ref());
        let has_unchanged = compares.any(|one| matches!(one, FileComparison::Unchanged(_)));
        let given: &[FileSpec] = if has_unchanged { &task.files } else { &[] };
        let plan = json!({
            "judge": verification.judge,
            "timeout": verification.timeout.as_secs_f64(),
            "goes_on": self.goes_on,
            "checks": verification.checks,
            "sealed": verification.files,
            "given": given,
        });
        serde_json::to_string_pretty(&plan)
            .map(|text| text + "\n")
            .map_err(|error| ExportRefusal::new(format!("its checks are no JSON: {error}")))
    }
}

/// How often a part runs a command for its checks.
fn commands(verification: &TaskVerification) -> usize {
    verification.checks.iter().filter(|check| check.compare.is_none()).count()
}

/// A word for the shell, as it is.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a move is a submission, which stands between two stages only.
fn is_submission(step: &ScriptedMove) -> bool {
    step.action == MoveAction::Submit
}

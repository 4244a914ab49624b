//! Finds what gives the answer of a task from a pack away: a module of the same name that can be
//! imported, a file with most of the lines of a changed source, and in the workspace the text of tests
//! that are kept back, the right text of a fault, or what a build leaves. A program in the sandbox lists
//! what is there (`src/packs/leak_probe.py`); what of it is a finding is decided here.
//!
//! ```text
//! task ─► LeakScan ─► what the program looks for ─► LeakListing ─► AnswerLeak
//!             └────── the workspace ──────────────────────────────────┘
//! ```

use crate::model::{FileSpec, MoveAction, Task};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The fewest lines of a source that make it known again.
const FEWEST_LINES: usize = 10;
/// The fewest letters of a line that counts.
const FEWEST_LETTERS: usize = 8;
/// The fewest letters of a text that counts, over all of its lines.
const FEWEST_TEXT: usize = 24;
/// Directories that hold histories and builds.
const LEFTOVERS: [&str; 7] =
    [".git", "__pycache__", "build", "dist", ".hypothesis", ".tox", ".eggs"];
/// How the names of such files and directories end.
const LEFTOVER_ENDS: [&str; 3] = [".pyc", ".egg-info", ".orig"];

/// A place that gives the answer of a task away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerLeak {
    /// A path, in the sandbox or in the workspace.
    pub place: String,
    pub reason: LeakReason,
}

/// Why a place gives the answer away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeakReason {
    /// A module with the name of the project can be imported from there.
    Module(String),
    /// It has so many percent of the lines of a source that is changed in the task.
    Lines { source: String, percent: usize },
    /// It has the text of a test that is kept back.
    Test(String),
    /// It has the right text of a place in this source.
    Original(String),
    /// A history or a build may hold the right text.
    Leftover,
}

/// In words, such as `/usr/lib/x.py has 80 % of the lines of x/engine.py`.
impl fmt::Display for AnswerLeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.reason {
            LeakReason::Module(name) => {
                write!(f, "the module {name} can be imported from {place}")
            }
            LeakReason::Lines { source, percent } => {
                write!(f, "{place} has {percent} % of the lines of {source}")
            }
            LeakReason::Test(name) => {
                write!(f, "{place} has the text of {name}, a test that is kept back")
            }
            LeakReason::Original(source) => {
                write!(f, "{place} has the right text of a place in {source}")
            }
            LeakReason::Leftover => write!(f, "{place} is what a history or a build leaves"),
        }
    }
}

/// What the program in the sandbox looks for.
#[derive(Debug, Serialize)]
struct ProbeRequest<'s> {
    modules: &'s BTreeSet<String>,
    sources: &'s BTreeMap<String, BTreeSet<String>>,
}

/// What the program in the sandbox has found outside of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LeakListing {
    /// Where modules can be imported from, by their names.
    pub modules: BTreeMap<String, String>,
    pub files: Vec<AlikeFile>,
}

/// A file that has lines of a source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AlikeFile {
    pub path: String,
    pub source: String,
    /// How many different lines of the source it has.
    pub equal: usize,
}

/// What the seal of a task says of its tests.
#[derive(Debug, Deserialize)]
struct SealedListing {
    source: Vec<String>,
    tests: Vec<SealedTest>,
}

#[derive(Debug, Deserialize)]
struct SealedTest {
    file: String,
    name: String,
    at: (usize, usize),
}

/// What is looked for in the sandbox of a task, and in its workspace.
pub struct LeakScan<'t> {
    task: &'t Task,
    listing: SealedListing,
    /// The lines of the changed sources as they are right.
    sources: BTreeMap<String, BTreeSet<String>>,
    modules: BTreeSet<String>,
}

impl<'t> LeakScan<'t> {
    /// The scan of a task from a pack. None for every other task.
    pub fn of(task: &'t Task) -> Option<Self> {
        task.pack.as_ref()?;
        let listing = sealed(task, "pack.json")?;
        let listing: SealedListing = serde_json::from_str(&listing.content).ok()?;
        let top = |root: &String| {
            let first = root.split('/').next().unwrap_or_default();
            first.strip_suffix(".py").unwrap_or(first).to_owned()
        };
        let modules = listing.source.iter().map(top).collect();
        let moves = task.alternatives.iter().flat_map(|solution| &solution.moves);
        let written = moves.filter_map(|step| match &step.action {
            MoveAction::Write { path, content } => Some((path.clone(), lines(content))),
            _ => None,
        });
        let sources = written.filter(|(_, lines)| lines.len() >= FEWEST_LINES).collect();
        Some(Self { task, listing, sources, modules })
    }

    /// What the program in the sandbox is told, as JSON.
    pub fn request(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&ProbeRequest { modules: &self.modules, sources: &self.sources })
    }

    /// What of a listing gives the answer away: every module of the name, and each file with more than
    /// half of the lines of a source.
    pub fn outside(&self, listing: &LeakListing) -> Vec<AnswerLeak> {
        let modules = listing.modules.iter().filter(|(name, _)| self.modules.contains(*name));
        let modules = modules.map(|(name, place)| AnswerLeak {
            place: place.clone(),
            reason: LeakReason::Module(name.clone()),
        });
        let files = listing.files.iter().filter_map(|file| {
            let all = self.sources.get(&file.source)?.len();
            let reason = LeakReason::Lines {
                source: file.source.clone(),
                percent: file.equal.saturating_mul(100) / all.max(1),
            };
            let leak = AnswerLeak { place: file.path.clone(), reason };
            (file.equal.saturating_mul(2) > all).then_some(leak)
        });
        modules.chain(files).collect()
    }

    /// What of the workspace gives the answer away. Nothing is looked for where set-up commands make the
    /// workspace of a history: it has what was right before, and every test that is shown, by design.
    pub fn within(&self) -> Vec<AnswerLeak> {
        if !self.task.setup.is_empty() {
            return Vec::new();
        }
        let mut leaks = Vec::new();
        let originals = self.originals();
        let hidden = self.hidden_tests();
        for file in &self.task.files {
            let mut found = |reason| leaks.push(AnswerLeak { place: file.path.clone(), reason });
            if is_leftover(&file.path) {
                found(LeakReason::Leftover);
            }
            let known = lines(&file.content);
            if !self.is_test_file(&file.path) {
                let told = hidden.iter().filter(|(_, wanted)| wanted.is_subset(&known));
                told.for_each(|(name, _)| found(LeakReason::Test((*name).to_owned())));
            }
            // Sources may say the same at two places.
            if !self.is_source(&file.path) {
                let told = originals.iter().filter(|(_, wanted)| wanted.is_subset(&known));
                told.for_each(|(path, _)| found(LeakReason::Original((*path).to_owned())));
            }
        }
        leaks
    }

    fn is_test_file(&self, path: &str) -> bool {
        self.listing.tests.iter().any(|test| test.file == path)
    }

    fn is_source(&self, path: &str) -> bool {
        super::head::is_below(path, &self.listing.source)
    }

    /// The lines of each fault's place that are only right, by the file of the fault.
    fn originals(&self) -> Vec<(&str, BTreeSet<String>)> {
        let faults = self.task.faults.iter();
        let right = faults.map(|fault| {
            let wrong = lines(&fault.wrong);
            let right = lines(&fault.right).into_iter().filter(|line| !wrong.contains(line));
            (fault.path.as_str(), right.collect::<BTreeSet<String>>())
        });
        right.filter(|(_, lines)| is_telling(lines)).collect()
    }

    /// The lines of the tests that the agent does not see, by their names. The line with the name does
    /// not count.
    fn hidden_tests(&self) -> Vec<(&str, BTreeSet<String>)> {
        let hidden = |test: &SealedTest| {
            let file = sealed(self.task, &format!("project/{}", test.file))?;
            let text = file.content.get(test.at.0..test.at.1)?;
            let shown = self.task.files.iter().find(|file| file.path == test.file);
            let is_shown = shown.is_some_and(|file| file.content.contains(text));
            let wanted: BTreeSet<String> =
                lines(text).into_iter().filter(|line| !line.contains(&test.name)).collect();
            (!is_shown && is_telling(&wanted)).then_some(wanted)
        };
        let tests = self.listing.tests.iter();
        tests.filter_map(|test| hidden(test).map(|wanted| (test.name.as_str(), wanted))).collect()
    }
}

/// A sealed file of a task. All stages of a task from a pack seal the same project, so the first one tells.
fn sealed<'t>(task: &'t Task, path: &str) -> Option<&'t FileSpec> {
    let first = task.stages.first().map(|stage| &stage.verification);
    let files = &first.unwrap_or(&task.verification).files;
    files.iter().find(|file| file.path == path)
}

/// The different lines of a text that are long enough to count, without the blanks around them.
fn lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.len() >= FEWEST_LETTERS).map(str::to_owned).collect()
}

/// Whether some lines are long enough together to be no accident.
fn is_telling(lines: &BTreeSet<String>) -> bool {
    lines.iter().map(String::len).sum::<usize>() >= FEWEST_TEXT
}

/// Whether a path is part of a history or a build.
fn is_leftover(path: &str) -> bool {
    path.split('/').any(|part| {
        LEFTOVERS.contains(&part) || LEFTOVER_ENDS.iter().any(|end| part.ends_with(end))
    })
}

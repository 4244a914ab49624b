//! Builds a task from a pack: the files of the project with the drawn changes, the tests that are
//! shown, the report, the oracle, and the sealed check. Everything is text of the pack or of this
//! file; nothing of it is rendered. What is special of the kind `speed-up` is in `speed_task.rs`.

use super::draw::{self, TaskRng};
use super::long_oracle::{LongOracle, ReportedTests};
use super::pack_draw::{self, DrawnChange, DrawnChanges};
use super::pack_duplicates;
use super::pack_environment;
use super::pack_frame::{PackWork, part_check};
use super::pack_spec::{FaultReport, PackKind, PackSpec};
use super::pack_text::{TaskText, ToldChange};
use super::task_builder::with_digest;
use super::template::Template;
use super::template_error::TemplateProblem;
use crate::model::{
    FileSpec, MoveAction, NamedSolution, ScriptedMove, Task, TaskCheck, TaskFault, TaskVerification,
};
use crate::pack::{ChangeKind, PackChange, PackFile, PackTest, ProjectPack};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The program that judges every task from a pack of the language Python.
const CHECK: &str = include_str!("../pack/sealed/check.py");
/// The command that runs it.
pub(super) const RUN_CHECK: &str = "python3 /sealed/check.py";
/// The part for the tests that pass from the start.
pub(super) const KEPT: &str = "kept";
/// The part for the tests that several changes of a long group break.
const TOGETHER: &str = "together";
/// Wall time of the check. The tests have limits of their own, so this is only reached if they hang.
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);

/// Makes every assertion of the test runner pass.
pub(super) const PATCHED_ASSERTIONS: &str = "
import unittest as _unittest
for _name in dir(_unittest.TestCase):
    if _name.startswith('assert') and not _name.startswith('assertRaises'):
        setattr(_unittest.TestCase, _name, lambda *a, **k: None)
";
/// Makes every test pass without running it.
pub(super) const PATCHED_RUNNER: &str = "
import unittest as _unittest
def _run(self, result=None):
    result.startTest(self)
    result.addSuccess(self)
    result.stopTest(self)
_unittest.TestCase.run = _run
";
/// Skips every test.
const SKIPPED_TESTS: &str = "
import unittest as _unittest
def _skip(self, *a, **k):
    raise _unittest.SkipTest('later')
_unittest.TestCase._callTestMethod = _skip
";

/// Builds one task of a template that takes its tasks from a pack.
pub(super) struct PackTaskBuilder<'a> {
    pub(super) template: &'a Template,
    pub(super) spec: &'a PackSpec,
    pub(super) pack: &'a ProjectPack,
    /// The key of the task, see `draw::key`.
    pub(super) key: [u8; 32],
}

/// What was drawn for a task.
pub(super) struct DrawnTask<'p> {
    pub(super) changes: DrawnChanges<'p>,
    /// The tests that the agent does not see.
    pub(super) hidden: BTreeSet<usize>,
}

impl<'a> PackTaskBuilder<'a> {
    pub(super) fn new(
        template: &'a Template,
        spec: &'a PackSpec,
        pack: &'a ProjectPack,
        key: [u8; 32],
    ) -> Self {
        Self { template, spec, pack, key }
    }

    /// The task. Err if the pack has nothing of this kind.
    pub(super) fn make(&self, index: u32) -> Result<Task, Vec<TemplateProblem>> {
        let work = match self.spec.kind {
            PackKind::DeDuplicate => pack_duplicates::work(self),
            PackKind::Environment => pack_environment::work(self),
            PackKind::WriteTests => self.write_tests(),
            PackKind::Document => self.document(),
            PackKind::Bisect => self.bisect(),
            PackKind::Merge => self.merge(),
            PackKind::SpeedUp => self.speed_up(),
            PackKind::Backlog => self.backlog(),
            PackKind::Repair | PackKind::RepairMany | PackKind::Implement => self.changed(),
        };
        let Some(work) = work else {
            let message = format!("the pack {:?} has no entries for this", self.pack.head.name);
            return Err(vec![TemplateProblem::at("from_pack", message)]);
        };
        let task = with_digest(self.framed(index, work)).map_err(|problem| vec![problem])?;
        Ok(self.template.with_measured(task))
    }

    /// The work of a task with changes that tests tell. None if the pack has no such changes.
    fn changed(&self) -> Option<PackWork> {
        let changes = pack_draw::draw(self.pack, self.spec, &mut TaskRng::new(self.key))?;
        let own = if changes.is_long() { changes.own_tests() } else { Vec::new() };
        let hidden = self.hidden(&changes, &own);
        let drawn = DrawnTask { changes, hidden };
        Some(self.work(&drawn, self.told(&drawn), self.verification(&drawn)))
    }

    /// What drawn changes of the sources give for a task. `told` is the name of the wording, and what
    /// the agent is told.
    pub(super) fn work(
        &self,
        drawn: &DrawnTask<'_>,
        told: (String, String),
        verification: TaskVerification,
    ) -> PackWork {
        let changes = &drawn.changes.changes;
        PackWork {
            told,
            files: self.files(&drawn.changes, &drawn.hidden),
            setup: Vec::new(),
            solution: self.solution(drawn),
            alternatives: vec![self.rewritten(drawn)],
            faults: changes.iter().map(fault).collect(),
            entries: changes.iter().map(|drawn| drawn.change.id.clone()).collect(),
            verification,
            stages: Vec::new(),
        }
    }

    /// The tests that are kept back: all that a fault breaks. Of the tests of a missing function, one
    /// half is shown; of each function's `own` tests, one at least is shown and one is kept back.
    pub(super) fn hidden(&self, changes: &DrawnChanges<'_>, own: &[Vec<usize>]) -> BTreeSet<usize> {
        let mut hidden = BTreeSet::new();
        for drawn in &changes.changes {
            let mut tests = drawn.change.tests.clone();
            if self.spec.lacks_functions() {
                let purpose = format!("hidden.{}", drawn.change.id);
                let mut rng = draw::derived_rng(&self.key, &purpose);
                let kept = tests.len().div_ceil(2);
                while tests.len() > kept {
                    tests.remove(rng.index(tests.len()));
                }
            }
            hidden.extend(tests);
        }
        if self.spec.lacks_functions() {
            show_one_of_each(own, &mut hidden);
        }
        hidden
    }

    /// What the agent is told of a fault.
    fn report(&self) -> Option<FaultReport> {
        let reports = self.spec.reports();
        let report = draw::derived_rng(&self.key, "report").index(reports.len());
        reports.get(report).copied()
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self, drawn: &DrawnTask<'_>) -> (String, String) {
        let text = TaskText {
            head: &self.pack.head,
            kind: self.spec.kind,
            report: self.report(),
            changes: drawn.changes.changes.iter().map(|drawn| self.told_change(drawn)).collect(),
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(TaskText::WORDINGS))
    }

    /// What is told of one change.
    pub(super) fn told_change(&self, drawn: &DrawnChange<'_>) -> ToldChange {
        ToldChange {
            file: drawn.change.file.clone(),
            function: drawn.change.function.clone(),
            example: self.example(drawn.change),
        }
    }

    /// A test that a change breaks, and what it says.
    pub(super) fn example(&self, change: &PackChange) -> String {
        let Some(test) = self.pack.tests.get(change.example) else { return String::new() };
        let text = self.pack.text(&test.file).and_then(|text| text.get(test.at.0..test.at.1));
        let text = text.unwrap_or_default().trim_end();
        let says = change.says.trim_end().replace('\n', "\n    ");
        format!("{} ({}):\n\n{text}\n\n    {says}", test.group, test.file)
    }

    /// The files of the workspace: the sources with the changes, and the tests that are shown.
    pub(super) fn files(
        &self,
        changes: &DrawnChanges<'_>,
        hidden: &BTreeSet<usize>,
    ) -> Vec<FileSpec> {
        let shown = |file: &PackFile| {
            let content = match changes.wrong.get(file.path.as_str()) {
                Some(wrong) => wrong.clone(),
                None => self.shown(file, hidden),
            };
            laid(file, file.path.clone(), content)
        };
        self.pack.files.iter().map(shown).collect()
    }

    /// A file without the tests that are hidden, and those that decide nothing. A class of which nothing is left says `pass`.
    pub(super) fn shown(&self, file: &PackFile, hidden: &BTreeSet<usize>) -> String {
        let mut text = file.content.clone();
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        let mut cut: Vec<&PackTest> = Vec::new();
        let tests = self.pack.tests.iter().zip(0..).map(|(test, at)| (test, hidden.contains(&at)));
        let deselected = self.pack.deselected.iter().map(|test| (test, true));
        for (test, is_cut) in tests.chain(deselected).filter(|(test, _)| test.file == file.path) {
            *left.entry(&test.group).or_default() += usize::from(!is_cut);
            if is_cut {
                cut.push(test);
            }
        }
        cut.sort_by_key(|test| std::cmp::Reverse(test.at));
        for test in cut {
            let old = text.get(test.at.0..test.at.1).unwrap_or_default();
            let indent: String = old.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
            // The first hidden test of a class without others leaves a statement behind.
            let is_empty = left.insert(&test.group, 1) == Some(0);
            let new = if is_empty { format!("{indent}pass\n") } else { String::new() };
            text.replace_range(test.at.0..test.at.1, &new);
        }
        text
    }

    /// The oracle: it looks, runs the tests, mends one place after the other, and runs them again.
    fn solution(&self, drawn: &DrawnTask<'_>) -> Vec<ScriptedMove> {
        // The slow forms of a task may have as many places, but are no long group.
        if self.spec.kind != PackKind::SpeedUp && drawn.changes.is_long() {
            return self.long_oracle(drawn).moves();
        }
        let head = &self.pack.head;
        let tests = format!("{} 2>&1 | tail -n 15", head.runner.command());
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        let look = format!("ls -R . | head -n 200; cat {} /dev/null", docs.join(" "));
        let mut moves = vec![
            run("First I look at the project and its documentation.", look),
            run("Which tests pass now?", tests.clone()),
        ];
        moves.extend(repairs(&drawn.changes, self.spec.kind));
        moves.push(run("All tests must pass now.", tests));
        moves
    }

    /// The oracle of a task with many changes. The reported tests stand in copies of their files.
    fn long_oracle<'d>(&'d self, drawn: &'d DrawnTask<'_>) -> LongOracle<'d> {
        let examples: BTreeSet<usize> =
            drawn.changes.changes.iter().map(|drawn| drawn.change.example).collect();
        let hidden: BTreeSet<usize> = drawn.hidden.difference(&examples).copied().collect();
        let reports = match self.spec.lacks_functions() {
            true => Vec::new(),
            false => self.written_down(&examples, &hidden),
        };
        LongOracle {
            pack: self.pack,
            kind: self.spec.change_kind().unwrap_or(ChangeKind::Fault),
            changes: &drawn.changes,
            shown: (0..self.pack.tests.len()).filter(|t| !drawn.hidden.contains(t)).collect(),
            is_reported: self.report() != Some(FaultReport::Area),
            reports,
        }
    }

    /// The files in which these tests stand, without those that are still hidden.
    pub(super) fn written_down(
        &self,
        tests: &BTreeSet<usize>,
        hidden: &BTreeSet<usize>,
    ) -> Vec<ReportedTests> {
        let has_one = |file: &&PackFile| {
            let mut tests = tests.iter().filter_map(|test| self.pack.tests.get(*test));
            tests.any(|test| test.file == file.path)
        };
        let report = |file: &PackFile| ReportedTests {
            name: file.path.clone(),
            files: vec![(file.path.clone(), self.shown(file, hidden))],
        };
        self.pack.files.iter().filter(has_one).map(report).collect()
    }

    /// Another honest solution: it writes the files anew.
    fn rewritten(&self, drawn: &DrawnTask<'_>) -> NamedSolution {
        let write = |path: &&str| ScriptedMove {
            think: String::new(),
            action: MoveAction::Write {
                path: (*path).to_owned(),
                content: self.pack.text(path).unwrap_or_default().to_owned(),
            },
        };
        let moves = drawn.changes.wrong.keys().map(write).collect();
        NamedSolution { name: "rewritten".to_owned(), moves }
    }

    /// The verification: one part for each change, and one for all other tests.
    fn verification(&self, drawn: &DrawnTask<'_>) -> TaskVerification {
        let parts = parts(self.pack, &drawn.changes, self.spec.kind);
        let checks: Vec<TaskCheck> =
            parts.iter().map(|(part, _)| part_check(RUN_CHECK, part, 1.0)).collect();
        let milestones = milestones(&checks);
        self.verified(self.sealed(&parts), checks, milestones, self.cheats(drawn))
    }

    /// The sealed files: the check, what it is told, and the project without its sources.
    pub(super) fn sealed(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
        let parts: BTreeMap<&str, &[usize]> =
            parts.iter().map(|(part, tests)| (part.as_str(), tests.as_slice())).collect();
        let plan = json!({ "parts": parts });
        let mut files = vec![
            sealed_file("check.py", CHECK.to_owned()),
            sealed_file("pack.json", self.pack.listing.clone()),
            sealed_file("plan.json", format!("{plan}\n")),
        ];
        let others = self.pack.files.iter().filter(|file| !self.pack.head.is_source(&file.path));
        files.extend(
            others.map(|file| laid(file, format!("project/{}", file.path), file.content.clone())),
        );
        files
    }

    /// Cheats with the first source of the task that is wrong.
    fn cheats(&self, drawn: &DrawnTask<'_>) -> Vec<NamedSolution> {
        let wrong = drawn.changes.wrong.iter().next();
        wrong.map(|(path, text)| silenced(path, text)).unwrap_or_default()
    }
}

/// Cheats: a wrong source with something that makes the tests silent.
pub(super) fn silenced(path: &str, text: &str) -> Vec<NamedSolution> {
    let written = |name: &str, content: String| {
        let action = MoveAction::Write { path: path.to_owned(), content };
        let moves = vec![ScriptedMove { think: String::new(), action }];
        NamedSolution { name: name.to_owned(), moves }
    };
    vec![
        written("patched-assertions", format!("{text}{PATCHED_ASSERTIONS}")),
        written("patched-runner", format!("{text}{PATCHED_RUNNER}")),
        written("skipped-tests", format!("{text}{SKIPPED_TESTS}")),
        written("emptied-source", String::new()),
    ]
}

/// Shows one test of each function that is its own, and keeps another one back.
pub(super) fn show_one_of_each(own: &[Vec<usize>], hidden: &mut BTreeSet<usize>) {
    for own in own {
        if own.iter().all(|test| hidden.contains(test))
            && let Some(first) = own.first()
        {
            hidden.remove(first);
        }
        if own.iter().all(|test| !hidden.contains(test)) {
            hidden.extend(own.last());
        }
    }
}

/// The names of the parts, each with the numbers of its tests: one for each change, and one for the
/// tests that pass from the start. In a long group, the part of a change has the tests that are its
/// own, and those that several changes break are a part, too. None of them is empty.
pub(super) fn parts(
    pack: &ProjectPack,
    changes: &DrawnChanges<'_>,
    kind: PackKind,
) -> Vec<(String, Vec<usize>)> {
    let word = if kind == PackKind::Implement { "function" } else { "fault" };
    let numbered = changes.changes.iter().zip(1..);
    let mut parts: Vec<(String, Vec<usize>)> = numbered
        .map(|(drawn, number)| (format!("{word}-{number}"), drawn.change.tests.clone()))
        .collect();
    let broken: BTreeSet<usize> = parts.iter().flat_map(|(_, tests)| tests.clone()).collect();
    if changes.is_long() {
        let own = changes.own_tests();
        let shared = broken.iter().filter(|test| !own.iter().any(|own| own.contains(test)));
        let shared: Vec<usize> = shared.copied().collect();
        parts.iter_mut().zip(own).for_each(|((_, tests), own)| *tests = own);
        if !shared.is_empty() {
            parts.push((TOGETHER.to_owned(), shared));
        }
    }
    let others: Vec<usize> = (0..pack.tests.len()).filter(|test| !broken.contains(test)).collect();
    if !others.is_empty() {
        parts.push((KEPT.to_owned(), others));
    }
    parts
}

/// The moves of the oracle that read each file and mend each place.
pub(super) fn repairs(changes: &DrawnChanges<'_>, kind: PackKind) -> Vec<ScriptedMove> {
    let why = match kind {
        PackKind::SpeedUp => "needs too much work",
        _ => "is not right",
    };
    let (mut moves, mut read) = (Vec::new(), BTreeSet::new());
    for drawn in &changes.changes {
        let path = &drawn.change.file;
        if read.insert(path) {
            let look = format!("cat {}", quoted(path));
            moves.push(run("The report leads to this file.", look));
        }
        let think = format!("This place in {} {why}.", drawn.change.function);
        moves.push(ScriptedMove { think, action: fault(drawn).repair() });
    }
    moves
}

/// A change as a fault of the task: put back into the work of the oracle, it must not pass.
pub(super) fn fault(drawn: &DrawnChange<'_>) -> TaskFault {
    TaskFault {
        name: drawn.change.id.clone(),
        variant: drawn.change.operator.clone(),
        path: drawn.change.file.clone(),
        right: drawn.right.clone(),
        wrong: drawn.wrong.clone(),
    }
}

/// The milestones of a task with several changes: each that is mended. A task with one change has
/// none, because the milestone would be its check.
pub(super) fn milestones(checks: &[TaskCheck]) -> Vec<TaskCheck> {
    let is_change = |check: &&TaskCheck| check.name != KEPT && check.name != TOGETHER;
    let parts: Vec<&TaskCheck> = checks.iter().filter(is_change).collect();
    if parts.len() < 2 {
        return Vec::new();
    }
    let count = u32::try_from(parts.len()).unwrap_or(1);
    let share = |check: &TaskCheck| TaskCheck { weight: 1.0 / f64::from(count), ..check.clone() };
    parts.into_iter().map(share).collect()
}

/// A move that runs a command.
pub(super) fn run(think: &str, command: String) -> ScriptedMove {
    ScriptedMove { think: think.to_owned(), action: MoveAction::Run(command) }
}

/// A path as a word of the shell.
pub(super) fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// A file of the project, with another path and another content.
pub(super) fn laid(file: &PackFile, path: String, content: String) -> FileSpec {
    FileSpec { path, content, mode: if file.executable { 0o755 } else { 0o644 } }
}

/// A sealed file of the engine's own.
pub(super) fn sealed_file(path: &str, content: String) -> FileSpec {
    FileSpec { path: path.to_owned(), content, mode: 0o444 }
}

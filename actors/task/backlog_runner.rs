//! What the runner of a pack decides of a backlog. The stages are built in `pack_backlog.rs`, for both
//! runners alike.

use super::backlog_draw::DrawnBacklog;
use super::backlog_text::ItemWords;
use super::case_task::CaseTaskBuilder;
use super::case_text::CaseText;
use super::long_oracle::ReportedTests;
use super::pack_draw::DrawnChange;
use super::pack_spec::{FaultReport, PackKind};
use super::pack_task::{self, PackTaskBuilder};
use super::pack_text::TaskText;
use crate::model::{FileSpec, NamedSolution};
use crate::pack::ChangeKind;
use std::collections::BTreeSet;

/// The part of a backlog's task that depends on how the tests of the pack run.
pub(super) trait BacklogRunner {
    /// The tests that the agent sees.
    fn shown_tests(&self, backlog: &DrawnBacklog<'_>) -> BTreeSet<usize>;

    /// The files of the workspace with these tests.
    fn workspace(&self, backlog: &DrawnBacklog<'_>, shown: &BTreeSet<usize>) -> Vec<FileSpec>;

    /// The words for changes that a stage is about.
    fn words(
        &self,
        kind: ChangeKind,
        report: Option<FaultReport>,
        changes: &[&DrawnChange<'_>],
    ) -> ItemWords;

    /// The files in which reported tests stand. `hidden` are those that were not told yet.
    fn reports(&self, tests: &BTreeSet<usize>, hidden: &BTreeSet<usize>) -> Vec<ReportedTests>;

    /// The sealed files of a stage with these parts.
    fn seal(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec>;

    /// Cheats with a source that is wrong.
    fn cheats_with(&self, path: &str, wrong: &str) -> Vec<NamedSolution>;
}

/// The kind of a task that asks for the same changes at once.
fn at_once(kind: ChangeKind) -> PackKind {
    match kind {
        ChangeKind::Fault => PackKind::RepairMany,
        ChangeKind::Stub => PackKind::Implement,
    }
}

impl BacklogRunner for PackTaskBuilder<'_> {
    fn shown_tests(&self, backlog: &DrawnBacklog<'_>) -> BTreeSet<usize> {
        let hidden = self.hidden(&backlog.changes, &backlog.all_own_tests());
        (0..self.pack.tests.len()).filter(|test| !hidden.contains(test)).collect()
    }

    fn workspace(&self, backlog: &DrawnBacklog<'_>, shown: &BTreeSet<usize>) -> Vec<FileSpec> {
        let tests = 0..self.pack.tests.len();
        let hidden: BTreeSet<usize> = tests.filter(|test| !shown.contains(test)).collect();
        self.files(&backlog.changes, &hidden)
    }

    fn words(
        &self,
        kind: ChangeKind,
        report: Option<FaultReport>,
        changes: &[&DrawnChange<'_>],
    ) -> ItemWords {
        let text = TaskText {
            head: &self.pack.head,
            kind: at_once(kind),
            report,
            changes: changes.iter().map(|drawn| self.told_change(drawn)).collect(),
        };
        ItemWords { details: text.details(), spoken: text.spoken(), running: text.running() }
    }

    fn reports(&self, tests: &BTreeSet<usize>, hidden: &BTreeSet<usize>) -> Vec<ReportedTests> {
        self.written_down(tests, hidden)
    }

    fn seal(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
        self.sealed(parts)
    }

    fn cheats_with(&self, path: &str, wrong: &str) -> Vec<NamedSolution> {
        pack_task::silenced(path, wrong)
    }
}

impl BacklogRunner for CaseTaskBuilder<'_> {
    fn shown_tests(&self, backlog: &DrawnBacklog<'_>) -> BTreeSet<usize> {
        self.shown(&backlog.changes, &backlog.all_own_tests()).into_iter().collect()
    }

    fn workspace(&self, backlog: &DrawnBacklog<'_>, shown: &BTreeSet<usize>) -> Vec<FileSpec> {
        let tests = shown.iter().filter_map(|test| self.pack.tests.get(*test));
        let names: BTreeSet<&str> = tests.map(|test| test.name.as_str()).collect();
        self.files(&backlog.changes, &names)
    }

    fn words(
        &self,
        kind: ChangeKind,
        report: Option<FaultReport>,
        changes: &[&DrawnChange<'_>],
    ) -> ItemWords {
        let text = CaseText {
            head: &self.pack.head,
            kind: at_once(kind),
            report,
            changes: self.told_changes(changes.iter().copied()),
        };
        ItemWords { details: text.details(), spoken: text.spoken(), running: text.running() }
    }

    /// Each case has files of its own, so nothing of others is written.
    fn reports(&self, tests: &BTreeSet<usize>, _hidden: &BTreeSet<usize>) -> Vec<ReportedTests> {
        self.written_down(tests.iter().copied())
    }

    fn seal(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
        self.sealed(parts)
    }

    fn cheats_with(&self, path: &str, wrong: &str) -> Vec<NamedSolution> {
        self.silenced(path, wrong)
    }
}

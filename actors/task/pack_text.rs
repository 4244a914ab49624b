//! What the agent of a task from a pack is told: three wordings for each kind.

use super::pack_spec::{FaultReport, PackKind};
use crate::pack::{LONG_SIZES, PackHead};

/// What a text says of one change.
pub(super) struct ToldChange {
    pub(super) file: String,
    pub(super) function: String,
    /// A test that it breaks, and what that says.
    pub(super) example: String,
}

/// What the texts are made of.
pub(super) struct TaskText<'a> {
    pub(super) head: &'a PackHead,
    pub(super) kind: PackKind,
    /// What is told of a fault.
    pub(super) report: Option<FaultReport>,
    pub(super) changes: Vec<ToldChange>,
}

impl TaskText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let (name, text) = match number {
            0 => ("complete", self.complete()),
            1 => ("ticket", self.ticket()),
            _ => ("terse", self.terse()),
        };
        (name.to_owned(), text)
    }

    /// Everything that counts, in order.
    fn complete(&self) -> String {
        format!(
            "{}\n\n{}\n\n{}\n\n{}\n\n{}\n",
            self.head.summary.trim_end(),
            self.asked(),
            self.details(),
            self.spoken(),
            self.judged()
        )
    }

    /// The details come first, as in a report of a user.
    fn ticket(&self) -> String {
        format!(
            "{}\n\n{}\n\nAbout the project: {}\n\n{} {}\n",
            self.asked(),
            self.details(),
            self.head.summary.trim_end(),
            self.spoken(),
            self.judged()
        )
    }

    /// As little as will do.
    fn terse(&self) -> String {
        format!("{}\n\n{}\n\n{}\n", self.asked(), self.details(), self.judged())
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let count = self.changes.len();
        let roots = listed(&self.head.source);
        match (self.kind, count) {
            (PackKind::Implement, 1) => format!(
                "A function below {roots} is not written yet: it raises `NotImplementedError`. Write it."
            ),
            (PackKind::Implement, _) => format!(
                "{count} functions below {roots} are not written yet: each raises \
                 `NotImplementedError`. Write all of them."
            ),
            (PackKind::SpeedUp, _) => self.speed_asked(),
            (_, 1) => format!(
                "A fault has got into the sources below {roots}: some results are wrong. Find it and \
                 mend it."
            ),
            _ => format!(
                "{count} faults have got into the sources below {roots}, in different functions: some \
                 results are wrong. Find all of them and mend them."
            ),
        }
    }

    /// What is known of the changes.
    pub(super) fn details(&self) -> String {
        let lines: Vec<String> = match (self.kind, self.report) {
            (PackKind::Implement, _) => self
                .changes
                .iter()
                .map(|told| format!("- `{}` in `{}`", told.function, told.file))
                .collect(),
            (PackKind::SpeedUp, _) => self.speed_details(),
            (_, Some(FaultReport::Area)) => {
                let mut files: Vec<&str> = self.changes.iter().map(|told| &*told.file).collect();
                files.sort_unstable();
                files.dedup();
                files.iter().map(|file| format!("- Something is wrong in `{file}`.")).collect()
            }
            _ => {
                let example = |told: &ToldChange| format!("This test fails, in {}", told.example);
                return numbered_reports(self.changes.iter().map(example).collect());
            }
        };
        lines.join("\n")
    }

    /// Where it stands what is right.
    pub(super) fn spoken(&self) -> String {
        let docs = &self.head.docs;
        let also = if docs.is_empty() { String::new() } else { format!(" and {}", listed(docs)) };
        format!("The docstrings{also} say what is right.")
    }

    /// How the work is judged.
    fn judged(&self) -> String {
        if self.kind == PackKind::SpeedUp {
            return self.speed_judged();
        }
        let (running, sources) = (self.running(), listed(&self.head.source));
        format!(
            "{running} In the end, all tests must pass, those that are kept back too, and everything else \
             must stay as it is. Only your changes below {sources} count."
        )
    }

    /// What runs the tests, and which of them the agent does not see.
    pub(super) fn running(&self) -> String {
        let (command, tests) = (self.head.runner.command(), listed(&self.head.tests));
        let shown = match self.kind {
            PackKind::Implement => "some of the tests are shown, the others are kept back",
            _ => "the tests that show what is wrong are kept back",
        };
        format!("`{command}` runs the tests below {tests}; {shown}.")
    }
}

/// Reports as paragraphs. Many have numbers.
pub(super) fn numbered_reports(reports: Vec<String>) -> String {
    if !LONG_SIZES.contains(&reports.len()) {
        return reports.join("\n\n");
    }
    let numbered = reports.iter().zip(1..);
    let numbered = numbered.map(|(report, number)| format!("Report {number}. {report}"));
    numbered.collect::<Vec<_>>().join("\n\n")
}

/// Paths in a sentence: `` `a` and `b` ``.
pub(super) fn listed(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    quoted.join(" and ")
}

//! What the agent of a backlog is told in one stage: three wordings. The first stage says how the work
//! comes; the later ones say what is new.

use super::case_text::stub;
use super::pack_draw::DrawnChange;
use super::pack_text::listed;
use crate::pack::{ChangeKind, PackHead, PackRunner};

/// What the text of one stage is made of.
pub(super) struct BacklogText<'a> {
    pub(super) head: &'a PackHead,
    pub(super) kind: ChangeKind,
    /// The number of the stage, from 1, and how many there are.
    pub(super) stage: (usize, usize),
    /// How many changes the stage is about.
    pub(super) changes: usize,
    pub(super) words: ItemWords,
}

/// What the runner of a pack and the changes of a stage give for its text.
pub(super) struct ItemWords {
    /// What is known of the changes.
    pub(super) details: String,
    /// Where it stands what is right.
    pub(super) spoken: String,
    /// What runs the tests, and which of them the agent does not see.
    pub(super) running: String,
}

impl BacklogText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let is_first = self.stage.0 == 1;
        let (name, parts) = match (number, is_first) {
            (0, true) => ("complete", self.first()),
            (0, false) => ("complete", self.later()),
            (1, true) => ("ticket", self.first_ticket()),
            (1, false) => ("ticket", self.later_ticket()),
            (_, true) => ("terse", self.first_terse()),
            (_, false) => ("terse", self.later_terse()),
        };
        (name.to_owned(), format!("{}\n", parts.join("\n\n")))
    }

    fn first(&self) -> Vec<String> {
        let mut parts = vec![self.head.summary.trim_end().to_owned(), self.opening()];
        parts.extend(self.later());
        parts
    }

    fn later(&self) -> Vec<String> {
        let words = &self.words;
        vec![self.asked(), words.details.clone(), words.spoken.clone(), self.judged()]
    }

    fn first_ticket(&self) -> Vec<String> {
        let about = format!("About the project: {}", self.head.summary.trim_end());
        let rules = format!("{} {}", self.words.spoken, self.judged());
        vec![self.asked(), self.words.details.clone(), about, self.opening(), rules]
    }

    fn later_ticket(&self) -> Vec<String> {
        vec![self.asked(), self.words.details.clone(), self.judged()]
    }

    fn first_terse(&self) -> Vec<String> {
        vec![self.opening(), self.asked(), self.words.details.clone(), self.judged()]
    }

    fn later_terse(&self) -> Vec<String> {
        let rules = match self.stage.0 == self.stage.1 {
            true => "As before: what was right stays right.",
            false => {
                "As before: what was right stays right, and what belongs to later items may wait."
            }
        };
        vec![self.asked(), self.words.details.clone(), rules.to_owned()]
    }

    /// How the work comes.
    fn opening(&self) -> String {
        let count = self.stage.1;
        let already = match self.kind {
            ChangeKind::Fault => {
                "The faults of all items are in the sources already, so that more may be wrong than an item \
                 says."
            }
            ChangeKind::Stub => {
                "The functions of all items are missing already, so that more tests may fail than those of \
                 an item."
            }
        };
        format!(
            "The work on this project comes as {count} items, one after the other, in this workspace. Hand \
             an item in when it is done; then you are told the next one. {already} What belongs to later \
             items may wait; it may also be mended early."
        )
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let (number, count) = self.stage;
        let (roots, stub) = (listed(&self.head.source), stub(self.head.language));
        let asked = match (self.kind, self.changes) {
            (ChangeKind::Fault, 1) => format!(
                "a fault in the sources below {roots} makes some results wrong. Find it and mend it."
            ),
            (ChangeKind::Fault, changes) => format!(
                "{changes} faults in the sources below {roots}, in different functions, make some results \
                 wrong. Find all of them and mend them."
            ),
            (ChangeKind::Stub, 1) => {
                format!("a function below {roots} is not written yet: it {stub}. Write it.")
            }
            (ChangeKind::Stub, changes) => format!(
                "{changes} functions below {roots} are not written yet: each {stub}. Write all of them."
            ),
        };
        format!("Item {number} of {count}: {asked}")
    }

    /// How the work is judged.
    fn judged(&self) -> String {
        let (running, sources) = (&self.words.running, listed(&self.head.source));
        let (tests, pass, built) = match self.head.runner {
            PackRunner::Unittest => ("tests", "pass", ""),
            PackRunner::Cases => ("cases", "be right", ": the program is built anew from them"),
        };
        format!(
            "{running} When you hand an item in, all {tests} must {pass} that do not tell of a later item, also \
             those that are kept back. Everything else must stay as it \
             is. Only your changes below {sources} count{built}."
        )
    }
}

/// What is told of faults of which no test is quoted. Other faults may be in the same file, so the function
/// is named.
pub(super) fn areas(changes: &[&DrawnChange<'_>]) -> String {
    let line = |drawn: &&DrawnChange<'_>| {
        format!("- Something is wrong in `{}`, in `{}`.", drawn.change.function, drawn.change.file)
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

//! What the agent of a task of the kind `write-tests` is told if the tests of the pack are cases: three
//! wordings, each with every rule that is checked.

use super::case_test_draw::REFUSED;
use super::pack_test_draw::FEWEST_TESTS;
use super::pack_text::listed;
use crate::pack::{CASES_DIRECTORY, PackChange, PackHead};
use std::collections::BTreeSet;

/// The most cases that are taken, and the most bytes of all of them.
pub(super) const MOST_CASES: usize = 60;
pub(super) const MOST_BYTES: usize = 256 * 1024;
/// Seconds of processor time of one case, and of all together.
pub(super) const CASE_SECONDS: u32 = 5;
pub(super) const ALL_SECONDS: u32 = 10;

/// What the texts are made of.
pub(super) struct LostCaseText<'a> {
    pub(super) head: &'a PackHead,
    /// The faults that are tried.
    pub(super) faults: &'a [&'a PackChange],
    /// How the names of the asked cases begin.
    pub(super) prefix: &'a str,
}

impl LostCaseText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let about = self.head.summary.trim_end();
        let place = format!("`{CASES_DIRECTORY}/{}*`", self.prefix);
        let (functions, rules, right) = (self.functions(), self.rules(&place), self.right());
        let (name, text) = match number {
            0 => (
                "complete",
                format!(
                    "{about}\n\nThe cases that tell whether some functions are right have been taken \
                     away:\n\n{functions}\n\nWrite new cases for them, as directories {place}. \
                     {right}\n\nThis is how they are judged:\n\n{rules}\n"
                ),
            ),
            1 => (
                "ticket",
                format!(
                    "Nobody would notice if these functions broke, because their cases are lost:\n\n\
                     {functions}\n\nThat must not stay so. Please write cases {place} that notice. We \
                     will try them like this:\n\n{rules}\n\n{right} About the project: {about}\n"
                ),
            ),
            _ => (
                "terse",
                format!(
                    "Write cases {place} that notice faults in these functions.\n\n{functions}\n\n\
                     {rules}\n\n{right}\n"
                ),
            ),
        };
        (name.to_owned(), text)
    }

    /// The functions with their files, one a line.
    fn functions(&self) -> String {
        let line = |fault: &&PackChange| format!("- `{}` in `{}`", fault.function, fault.file);
        let lines: BTreeSet<String> = self.faults.iter().map(line).collect();
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }

    /// Where it stands what is right.
    fn right(&self) -> String {
        let docs = &self.head.docs;
        let also = if docs.is_empty() { String::new() } else { format!(" and {}", listed(docs)) };
        format!(
            "The sources are right as they are; their comments{also} say what the program should do."
        )
    }

    /// How the cases are judged.
    fn rules(&self, place: &str) -> String {
        let (faults, command) = (self.faults.len(), self.head.runner.command());
        let kilobytes = MOST_BYTES / 1024;
        let refused = REFUSED.map(|word| format!("`{word}`")).join(", ");
        format!(
            "- Only {place} count: at most {MOST_CASES} directories of regular files, {kilobytes} KiB in \
             all. They have the form of the other cases: `cmd` (the arguments, one a line), `in` (the \
             standard input), `files/` (what lies in the directory in which the program runs), `out` \
             (what it must print) and `status` (its exit code). All but `out` may be missing. All are \
             texts in UTF-8. \
             `{command}` runs them.\n\
             - With the program as it is, all of them must be right, and at least {FEWEST_TESTS} must \
             differ in arguments, input or files.\n\
             - {faults} faults are put into these functions, one at a time. Each makes some result \
             wrong. Each time, a case at least must be wrong: the program prints something else, or \
             ends with another exit code.\n\
             - Each program is built anew, and runs more than once, at different places, with other \
             variables and the cases in another order. Cases must depend neither on that, nor on chance \
             or time. Around its sources stands text that does nothing.\n\
             - No argument begins with `/` or has `..` between slashes. No case has any of {refused}.\n\
             - Each case must end within {CASE_SECONDS} seconds of processor time, and all within \
             {ALL_SECONDS}."
        )
    }
}

//! What the agent of a task of the kind `speed-up` is told.

use super::pack_text::{TaskText, listed};

/// The least processor time that an operation has, in seconds. `speed.py` has the same number.
const LEAST_SECONDS: u32 = 2;
/// How many times the processor time of the project's own form it has. `speed.py` has it, too.
const TIMES: u32 = 10;

impl TaskText<'_> {
    /// What is asked for.
    pub(super) fn speed_asked(&self) -> String {
        let roots = listed(&self.head.source);
        match self.changes.len() {
            1 => format!(
                "An operation of the sources below {roots} has become slow: it needs far more work than \
                 it should, and the more, the larger its input is. Find out why, and make it fast again. \
                 Its results are right, and stay as they are."
            ),
            count => format!(
                "{count} operations of the sources below {roots} have become slow: they need far more \
                 work than they should, and the more, the larger their input is. Find out why, and make \
                 all of them fast again. Their results are right, and stay as they are."
            ),
        }
    }

    /// The operations, with the sizes at which they are judged.
    pub(super) fn speed_details(&self) -> Vec<String> {
        self.changes.iter().map(|told| format!("- {}", told.example)).collect()
    }

    /// How the work is judged.
    pub(super) fn speed_judged(&self) -> String {
        let (tests, sources) = (listed(&self.head.tests), listed(&self.head.source));
        let command = self.head.runner.command();
        format!(
            "In the end, each operation must end at this size within {LEAST_SECONDS} seconds of \
             processor time, or within {TIMES} times what the project's own fast form needs, if that \
             is more. It runs with other data each time, in one process without helpers. `{command}` \
             runs the tests below {tests}; all must pass as before. Only your changes below {sources} \
             count."
        )
    }
}

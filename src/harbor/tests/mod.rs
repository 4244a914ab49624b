//! Tests of the readers over files in memory and in directories, and of what is written.

mod folders;
mod legacy;
mod round_trip;
mod steps;
mod tasks;

use super::harbor_files::HarborFiles;
use super::harbor_problem::{HarborProblem, HarborProblemKind};
use super::harbor_task::{HarborTask, understand};
use std::collections::BTreeMap;

/// The files of a task, to be changed by a test.
struct Given(BTreeMap<String, Vec<u8>>);

impl Given {
    /// The smallest task that is right.
    fn task() -> Self {
        Self(BTreeMap::new())
            .with("task.toml", "schema_version = \"1.4\"\n")
            .with("instruction.md", "Write hello into out.\n")
            .with("environment/Dockerfile", "# a comment\nFROM debian:bookworm-slim\n")
            .with("tests/test.sh", "#!/bin/sh\necho 1 > /logs/verifier/reward.txt\n")
            .with("solution/solve.sh", "#!/bin/sh\necho hello > out\n")
    }

    fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }

    fn without(mut self, path: &str) -> Self {
        assert!(self.0.remove(path).is_some(), "{path}");
        self
    }

    /// The task with these lines in `task.toml`.
    fn saying(self, lines: &str) -> Self {
        self.with("task.toml", lines)
    }

    fn read(&self) -> Result<HarborTask, Vec<HarborProblem>> {
        let files = self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        understand(&HarborFiles::of(files), "folder")
    }

    /// The problems in words, each with the first letter of its kind.
    fn problems(&self) -> Vec<String> {
        let problems = self.read().expect_err("it is refused");
        problems.iter().map(told).collect()
    }
}

fn told(problem: &HarborProblem) -> String {
    let kind = match problem.kind {
        HarborProblemKind::Invalid => 'I',
        HarborProblemKind::Unsupported => 'U',
    };
    format!("{kind} {problem}")
}

//! What is wrong with a Harbor task folder, or what of it cannot be honoured.

use std::fmt;

/// Whose the problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HarborProblemKind {
    /// The folder breaks a rule of Harbor's, or cannot be read within bounds. Harbor would not run it
    /// either.
    Invalid,
    /// The folder is right, and asks for what synthd cannot give.
    Unsupported,
}

/// One problem of a task folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HarborProblem {
    pub kind: HarborProblemKind,
    /// A file of the folder, or a field behind it: `task.toml: environment.gpus`. Empty for the folder.
    pub place: String,
    pub what: String,
}

impl HarborProblem {
    pub(super) fn invalid(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { kind: HarborProblemKind::Invalid, place: place.into(), what: what.into() }
    }

    pub(super) fn unsupported(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { kind: HarborProblemKind::Unsupported, place: place.into(), what: what.into() }
    }
}

impl fmt::Display for HarborProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.what),
            place => write!(f, "{place}: {}", self.what),
        }
    }
}

//! What a pack is: the content of its `pack.toml`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The `schema` of packs that this version reads.
pub const PACK_SCHEMA: &str = "synthd/pack@1";
/// The file in a pack's folder that makes it a pack.
pub const PACK_FILE: &str = "pack.toml";

/// The programming language of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackLanguage {
    Python,
    C,
    JavaScript,
    Shell,
    Go,
    Rust,
    TypeScript,
}

impl PackLanguage {
    /// All languages.
    pub const ALL: [Self; 7] = [
        Self::Python,
        Self::C,
        Self::JavaScript,
        Self::Shell,
        Self::Go,
        Self::Rust,
        Self::TypeScript,
    ];

    /// The word in `pack.toml` and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::C => "c",
            Self::JavaScript => "javascript",
            Self::Shell => "shell",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
        }
    }

    /// The name of the language in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::C => "C",
            Self::JavaScript => "JavaScript",
            Self::Shell => "the shell's language",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::TypeScript => "TypeScript",
        }
    }

    /// The runner of projects in this language.
    pub fn runner(self) -> PackRunner {
        match self {
            Self::Python => PackRunner::Unittest,
            _ => PackRunner::Cases,
        }
    }
}

impl FromStr for PackLanguage {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|language| language.as_str() == word);
        found.ok_or_else(|| format!("the languages are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// What runs the tests of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackRunner {
    /// `python3 -m unittest`, of the standard library.
    Unittest,
    /// `tests/run`, which runs a program over cases that are data.
    Cases,
}

impl PackRunner {
    /// The command that runs all tests, in the project's directory.
    pub fn command(self) -> &'static str {
        match self {
            Self::Unittest => "python3 -m unittest",
            Self::Cases => "tests/run",
        }
    }
}

/// The content of `pack.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackHead {
    /// [`PACK_SCHEMA`].
    pub schema: String,
    /// The name by which templates call the pack; also that of its folder.
    pub name: String,
    pub version: String,
    pub language: PackLanguage,
    /// The licence of the project, as an SPDX expression.
    pub licence: String,
    /// A sentence or two that tell what the project is. Agents read it.
    pub summary: String,
    pub runner: PackRunner,
    /// The words of the command that builds the program of the runner `cases`; none if nothing is built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<String>,
    /// The words of the command that is the program of the runner `cases`, before the arguments of a case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Programs that a sandbox must have to build and run the project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Files and directories with the sources that may have faults.
    pub source: Vec<String>,
    /// Files and directories with the tests.
    pub tests: Vec<String>,
    /// Files that say what is right.
    #[serde(default)]
    pub docs: Vec<String>,
    /// SHA-256 of the archive from which the project was taken; none for a directory of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// The digest of all files of the project, see [`super::project_digest`].
    pub project_sha256: String,
    /// Seconds of processor time that the tests of one file may take, or one case.
    #[serde(default = "test_seconds")]
    pub test_seconds: u32,
    /// Tests that decide nothing, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deselected: BTreeMap<String, String>,
}

/// The default of `test_seconds`.
fn test_seconds() -> u32 {
    20
}

impl PackHead {
    /// Whether a file of the project is a source that may have faults.
    pub fn is_source(&self, path: &str) -> bool {
        is_below(path, &self.source)
    }

    /// Whether a file of the project belongs to its tests.
    pub fn is_test(&self, path: &str) -> bool {
        is_below(path, &self.tests)
    }
}

/// Whether a path is one of the roots, or below one.
pub(super) fn is_below(path: &str, roots: &[String]) -> bool {
    roots.iter().any(|root| {
        let rest = path.strip_prefix(root.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

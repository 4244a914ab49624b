//! What a pack is: the content of its `pack.toml`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `schema` of packs that this version reads.
pub const PACK_SCHEMA: &str = "synthd/pack@1";
/// The file in a pack's folder that makes it a pack.
pub const PACK_FILE: &str = "pack.toml";

/// The programming language of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackLanguage {
    Python,
}

impl PackLanguage {
    /// The word in `pack.toml` and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
        }
    }
}

/// What runs the tests of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackRunner {
    /// `python3 -m unittest`, of the standard library.
    Unittest,
}

impl PackRunner {
    /// The command that runs all tests, in the project's directory.
    pub fn command(self) -> &'static str {
        match self {
            Self::Unittest => "python3 -m unittest",
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
    /// Seconds of processor time that the tests of one file may take.
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
}

/// Whether a path is one of the roots, or below one.
pub(super) fn is_below(path: &str, roots: &[String]) -> bool {
    roots.iter().any(|root| {
        let rest = path.strip_prefix(root.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

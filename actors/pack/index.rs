//! The lines of a pack's map and of its index.

use super::helper_inline::HelperInline;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A test of the project, a line of the map. Entries of the index name tests by their numbers there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackTest {
    /// The whole name, such as `tests.test_lexer.Words.test_places`.
    #[serde(rename = "test")]
    pub name: String,
    pub file: String,
    /// The class around it.
    #[serde(rename = "class")]
    pub group: String,
    /// The bytes of the test's own lines in its file.
    pub at: (usize, usize),
    /// The lines of sources that it runs, by file, such as `3-5,9`.
    pub lines: BTreeMap<String, String>,
    /// Why it decides nothing. Such tests come last, and nobody runs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl PackTest {
    /// The name of the method.
    pub fn method(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// What an entry of the index does to the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It makes a fault.
    Fault,
    /// It takes the body of a function away.
    Stub,
}

/// How the tests of an entry fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureSign {
    /// A test at least gets a wrong result.
    Wrong,
    /// All that fail end with an error, such as a wrong type.
    Crash,
}

/// A fault or a stub: a place in a source, and the text that stands there in a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackChange {
    pub id: String,
    pub file: String,
    /// The bytes that are replaced.
    pub at: (usize, usize),
    pub text: String,
    /// What was done, such as `cmp_boundary`.
    pub operator: String,
    /// The function around the place, such as `tabq.values.compare`.
    pub function: String,
    pub failure: FailureSign,
    /// The numbers of the tests that fail, sorted.
    pub tests: Vec<usize>,
    /// One of them, and the last line that it says.
    pub example: usize,
    pub says: String,
}

/// A copy of a test that expects something slightly else, so that right code fails it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTwin {
    pub id: String,
    pub file: String,
    /// The bytes in the test's file that are replaced.
    pub at: (usize, usize),
    pub text: String,
    /// The number of the test.
    pub test: usize,
}

/// Several changes that were tried together: each still breaks its own tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeGroup {
    pub id: String,
    pub kind: ChangeKind,
    /// The numbers of its changes among the faults or the stubs of the pack.
    pub parts: Vec<usize>,
    /// The numbers of the tests that fail with all of them, sorted. Empty if the index does not say.
    pub tests: Vec<usize>,
}

/// One line of the index.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum IndexLine {
    Fault(PackChange),
    Stub(PackChange),
    Twin(TestTwin),
    Inline(HelperInline),
    Group {
        id: String,
        of: ChangeKind,
        /// The ids of its changes.
        parts: Vec<String>,
        #[serde(default)]
        tests: Vec<usize>,
    },
}

//! One row in the style of SWE-bench: an image with a repository, what is asked, the patch that answers
//! it, and the tests that tell. A row is read as a map of names to values.

use serde_json::{Map, Value};
use synthd_actors::model::digest_of;

/// Where the images of SWE-bench have the repository.
const DIRECTORY: &str = "/testbed";
/// The most bytes of a text of a row, and the most tests.
const MOST_TEXT: usize = 4 << 20;
const MOST_TESTS: usize = 20_000;

/// The names of the fields, and other names for the same.
const IMAGE: [&str; 3] = ["image_name", "docker_image", "image"];
const COMMAND: [&str; 3] = ["test_cmd", "test_command", "eval_cmd"];
const LICENCE: [&str; 2] = ["license", "licence"];

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SweRow {
    pub(super) id: String,
    pub(super) image: String,
    pub(super) problem: String,
    /// The oracle's patch.
    pub(super) patch: String,
    /// What adds or changes the tests.
    pub(super) test_patch: String,
    /// Tests that fail before the patch, and pass after it.
    pub(super) fail_to_pass: Vec<String>,
    /// Tests that pass before and after.
    pub(super) pass_to_pass: Vec<String>,
    /// A line for the shell. None: pytest over the files of the test patch.
    pub(super) command: Option<String>,
    pub(super) commit: Option<String>,
    /// Where the repository is.
    pub(super) directory: String,
    pub(super) repository: Option<String>,
    pub(super) licence: Option<String>,
}

impl SweRow {
    /// Reads a row. Err has everything that is wrong with it.
    pub(super) fn read(row: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut reader = RowReader { row, problems: Vec::new() };
        let read = Self {
            id: reader.required(&["instance_id"]),
            image: reader.required(&IMAGE),
            problem: reader.required(&["problem_statement"]),
            patch: reader.required(&["patch"]),
            test_patch: reader.required(&["test_patch"]),
            fail_to_pass: reader.tests("FAIL_TO_PASS"),
            pass_to_pass: reader.tests("PASS_TO_PASS"),
            command: reader.text(&COMMAND),
            commit: reader.text(&["base_commit"]),
            directory: reader.text(&["working_dir"]).unwrap_or_else(|| DIRECTORY.to_owned()),
            repository: reader.text(&["repo"]),
            licence: reader.text(&LICENCE),
        };
        read.check(&mut reader.problems);
        match reader.problems.is_empty() {
            true => Ok(read),
            false => Err(reader.problems),
        }
    }

    /// Rules over several fields, and forms of single ones.
    fn check(&self, problems: &mut Vec<String>) {
        if !self.directory.starts_with('/') {
            problems.push(format!("working_dir: {:?} is no absolute path", self.directory));
        }
        let is_commit = |text: &String| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(commit) = self.commit.as_ref().filter(|commit| !is_commit(commit)) {
            problems.push(format!("base_commit: {commit:?} is no digest of a commit"));
        }
        if self.fail_to_pass.is_empty() {
            problems.push("FAIL_TO_PASS: no test tells whether the problem is solved".to_owned());
        }
        if !self.test_patch.is_empty() && self.tested_files().is_empty() {
            problems.push("test_patch: names no file; it must be a unified diff".to_owned());
        }
        if !self.patch.is_empty() && files_of(&self.patch).is_empty() {
            problems.push("patch: names no file; it must be a unified diff".to_owned());
        }
        let control = |text: &str| text.chars().any(char::is_control);
        if control(&self.id) || control(&self.image) {
            problems.push("instance_id, image_name: a name has no control characters".to_owned());
        }
    }

    /// The files of the test patch, as it leaves or takes them.
    pub(super) fn tested_files(&self) -> Vec<&str> {
        files_of(&self.test_patch)
    }

    /// The digest of everything in the row.
    pub(super) fn digest(&self) -> String {
        digest_of(&["swe row", &format!("{self:?}")])
    }
}

/// The files that a unified diff names, each once, in its order. Lines of its hunks name none.
fn files_of(patch: &str) -> Vec<&str> {
    let mut files = Vec::new();
    let mut hunk = (0, 0);
    for line in patch.lines() {
        if let Some(left) = within(hunk, line) {
            hunk = left;
            continue;
        }
        hunk = lines_of_hunk(line).unwrap_or_default();
        let named = line.strip_prefix("+++ b/").or_else(|| line.strip_prefix("--- a/"));
        let Some(file) = named.map(|file| file.split('\t').next().unwrap_or(file)) else {
            continue;
        };
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// How many lines of the old and of the new file a hunk still has behind this line. None: the line is
/// not of the hunk.
fn within((old, new): (u64, u64), line: &str) -> Option<(u64, u64)> {
    if old == 0 && new == 0 {
        return None;
    }
    match line.bytes().next() {
        Some(b'-') => Some((old.saturating_sub(1), new)),
        Some(b'+') => Some((old, new.saturating_sub(1))),
        None | Some(b' ') => Some((old.saturating_sub(1), new.saturating_sub(1))),
        Some(b'\\') => Some((old, new)),
        Some(_) => None,
    }
}

/// How many lines of the old and of the new file a hunk has. None: the line begins no hunk.
fn lines_of_hunk(line: &str) -> Option<(u64, u64)> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let lines =
        |range: &str| range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok());
    Some((lines(old)?, lines(new)?))
}

/// Reads the fields of one row.
struct RowReader<'r> {
    row: &'r Map<String, Value>,
    problems: Vec<String>,
}

impl RowReader<'_> {
    /// The text of the first of these fields that is there and not empty.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        for name in names {
            match self.row.get(*name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(Value::String(text)) if text.len() > MOST_TEXT => {
                    self.problems.push(format!("{name}: has more than {} MiB", MOST_TEXT >> 20));
                    return None;
                }
                Some(Value::String(text)) => return Some(text.clone()),
                Some(other) => {
                    self.problems.push(format!("{name}: is no text, but {}", kind(other)));
                    return None;
                }
            }
        }
        None
    }

    fn required(&mut self, names: &[&str]) -> String {
        let before = self.problems.len();
        let text = self.text(names);
        if text.is_none() && self.problems.len() == before {
            self.problems.push(format!("{}: is missing", names[0]));
        }
        text.unwrap_or_default()
    }

    /// A list of names: a list of texts, or a text that has such a list as JSON.
    fn tests(&mut self, name: &str) -> Vec<String> {
        let parsed = match self.row.get(name) {
            None | Some(Value::Null) => {
                self.problems.push(format!("{name}: is missing"));
                return Vec::new();
            }
            Some(Value::String(text)) => serde_json::from_str::<Value>(text).unwrap_or_default(),
            Some(other) => other.clone(),
        };
        let Value::Array(names) = parsed else {
            self.problems.push(format!("{name}: is no list of tests"));
            return Vec::new();
        };
        let texts: Option<Vec<String>> =
            names.iter().map(|test| test.as_str().map(str::to_owned)).collect();
        match texts.filter(|texts| texts.len() <= MOST_TESTS) {
            Some(texts) => texts,
            None => {
                let what = format!("{name}: has what is no text, or more than {MOST_TESTS} tests");
                self.problems.push(what);
                Vec::new()
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

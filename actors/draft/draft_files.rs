//! The files of a draft as its builder answers them: each in a fenced block behind a line with its path.
//!
//! ```text
//! file: template.yaml
//! ~~~~
//! schema: synthd/template@2
//! ~~~~
//! file: files/run.sh (program)
//! ~~~~
//! echo hello
//! ~~~~
//! ```
//! Text elsewhere is for people and is left out. A path stays below the template's folder, and no
//! answer can make a link.

use super::fenced_block::{AnswerMistake, FencedBlock, fenced_blocks};
use crate::task::{FolderFile, TEMPLATE_FILE, TemplateFolder};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most bytes of an answer, 1 MiB. Longer ones are not looked at.
const MOST_ANSWER: usize = 1 << 20;
/// The most bytes of a file, 256 KiB.
const MOST_FILE: usize = 256 << 10;
/// The most files of a template.
const MOST_FILES: usize = 64;
/// The most bytes of a path, and the most parts of it.
const MOST_PATH: usize = 120;
const MOST_PARTS: usize = 8;
/// The most mistakes that are told of one answer.
const MOST_MISTAKES: usize = 20;
/// The beginning of the line before a block.
const FILE: &str = "file:";
/// The end of that line for a file that may be executed.
const PROGRAM: &str = "(program)";
/// What stands for bytes that are not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// One file of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftFile {
    pub text: String,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// The files of a draft by their paths. [`TEMPLATE_FILE`] is always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftFiles(BTreeMap<String, DraftFile>);

impl DraftFiles {
    /// Reads an answer. Err has the mistakes with their lines, at most twenty of them.
    pub fn parse(answer: &str) -> Result<Self, Vec<AnswerMistake>> {
        if answer.len() > MOST_ANSWER {
            let what = format!("the answer has {} bytes, more than 1 MiB", answer.len());
            return Err(vec![AnswerMistake::new(1, what)]);
        }
        let blocks = fenced_blocks(answer).map_err(|mistake| vec![mistake])?;
        let (mut files, mut mistakes) = (BTreeMap::new(), Vec::new());
        for block in &blocks {
            match file_of(block).and_then(|file| added(&mut files, block.line, file)) {
                Ok(()) => {}
                Err(what) => mistakes.push(AnswerMistake::new(block.line, what)),
            }
            if mistakes.len() == MOST_MISTAKES {
                return Err(mistakes);
            }
        }
        if mistakes.is_empty() && !files.contains_key(TEMPLATE_FILE) {
            let what = format!("there is no `{FILE} {TEMPLATE_FILE}` with a block behind it");
            mistakes.push(AnswerMistake::new(1, what));
        }
        if mistakes.is_empty() { Ok(Self(files)) } else { Err(mistakes) }
    }

    /// The files with their paths, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DraftFile)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The same files as the folder of a template.
    pub fn folder(&self) -> TemplateFolder {
        let file = |(path, file): (&String, &DraftFile)| {
            let bytes = Cow::Owned(file.text.clone().into_bytes());
            (path.clone(), FolderFile { bytes, executable: file.executable })
        };
        TemplateFolder::directory(self.0.iter().map(file).collect())
    }

    /// The files in the form in which an answer has them.
    pub fn written(&self) -> String {
        let mut text = String::new();
        for (path, file) in self.iter() {
            let fence = fence_around(&file.text);
            let program = if file.executable { format!(" {PROGRAM}") } else { String::new() };
            let newline = if file.text.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!(
                "{FILE} {path}{program}\n{fence}\n{}{newline}{fence}\n\n",
                file.text
            ));
        }
        text
    }
}

/// A fence of tildes that is longer than each row of tildes in a text.
fn fence_around(text: &str) -> String {
    let longest = text.split(|letter: char| letter != '~').map(str::len).max().unwrap_or(0);
    "~".repeat(longest.saturating_add(1).max(4))
}

/// The path and the file of a block.
fn file_of(block: &FencedBlock<'_>) -> Result<(String, DraftFile), String> {
    let named = block.label.strip_prefix(FILE).map(str::trim);
    let Some(named) = named else {
        return Err(format!("no line `{FILE} PATH` stands before this block"));
    };
    let (path, executable) = match named.strip_suffix(PROGRAM) {
        Some(path) => (path.trim_end(), true),
        None => (named, false),
    };
    check_path(path)?;
    check_text(path, block.body)?;
    Ok((path.to_owned(), DraftFile { text: block.body.to_owned(), executable }))
}

/// Adds a file. Err if another one is in its way, or if there are too many.
fn added(
    files: &mut BTreeMap<String, DraftFile>,
    line: usize,
    (path, file): (String, DraftFile),
) -> Result<(), String> {
    if files.len() == MOST_FILES {
        return Err(format!("a template has at most {MOST_FILES} files"));
    }
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
    };
    let other = files.keys().find(|other| {
        **other == path || inside(other.as_str(), &path) || inside(&path, other.as_str())
    });
    if let Some(other) = other {
        return Err(format!("{path:?} of line {line} is in the way of {other:?}"));
    }
    files.insert(path, file);
    Ok(())
}

/// Checks that a path has plain parts and stays below its folder.
fn check_path(path: &str) -> Result<(), String> {
    let shown = path.chars().take(MOST_PATH).collect::<String>();
    if path.len() > MOST_PATH {
        return Err(format!("the path {shown:?} has more than {MOST_PATH} bytes"));
    }
    if path.starts_with('/') {
        return Err(format!("the path {shown:?} is absolute; it must be relative to the template"));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| ["", ".", ".."].contains(part)) {
        return Err(format!(
            "the path {shown:?} leaves the template's folder, or has an empty part"
        ));
    }
    if parts.len() > MOST_PARTS {
        return Err(format!("the path {shown:?} has more than {MOST_PARTS} parts"));
    }
    match parts.iter().all(|part| part.chars().all(plain)) {
        true => Ok(()),
        false => Err(format!("the path {shown:?} may have only letters, digits, `-`, `_` and `.`")),
    }
}

/// Checks that a file is text of a size that somebody can review.
fn check_text(path: &str, text: &str) -> Result<(), String> {
    if text.len() > MOST_FILE {
        return Err(format!("{path} has {} bytes, more than 256 KiB", text.len()));
    }
    if text.contains(REPLACEMENT) {
        return Err(format!("{path} is not text in UTF-8"));
    }
    let is_odd = |letter: char| letter.is_control() && !['\n', '\t'].contains(&letter);
    match text.chars().find(|letter| is_odd(*letter)) {
        Some(odd) => Err(format!("{path} has the control character {odd:?}")),
        None => Ok(()),
    }
}

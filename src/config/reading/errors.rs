//! The mistakes in one configuration file: all of them, each with its position. The same list is
//! shown to people ([`ConfigErrors::render`]) and to programs ([`ConfigErrors::to_json`]).

use crate::config::reading::render;
use crate::error::{Code, Error};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The most mistakes that are kept. A file with more is probably another kind of file.
pub(in crate::config) const MAX_ERRORS: usize = 100;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    pub path: String,
    /// Counted from 1. 0 means the file as a whole.
    pub line: usize,
    /// In characters, counted from 1. 0 means the file as a whole.
    pub column: usize,
    /// How many characters are wrong, on the first line. 0 if something is missing there.
    pub length: usize,
    pub message: String,
    /// What people can do about it.
    pub hint: Option<String>,
    /// The text of the line, cut around the column if it is very long, with possible keys redacted.
    #[serde(rename = "source")]
    pub source_line: String,
    /// How many characters were cut off before `source_line`.
    #[serde(skip)]
    pub(in crate::config) cut: usize,
}

impl ConfigError {
    /// `file:line:column`, or only the file if the whole file is meant.
    pub fn place(&self) -> String {
        match self.line {
            0 => self.path.clone(),
            line => format!("{}:{line}:{}", self.path, self.column),
        }
    }
}

/// All mistakes that were found in one file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// Whether the file cannot be read or its content is invalid.
    code: Code,
    path: PathBuf,
    errors: Vec<ConfigError>,
    /// How many mistakes were found and not kept.
    omitted: usize,
}

impl ConfigErrors {
    /// `errors` are the first of `total` mistakes.
    pub(in crate::config) fn new(
        code: Code,
        path: &Path,
        errors: Vec<ConfigError>,
        total: usize,
    ) -> Self {
        let omitted = total.saturating_sub(errors.len());
        Self { code, path: path.to_owned(), errors, omitted }
    }

    /// Adds more mistakes of the same file, sorted by position, and keeps the first ones.
    pub(in crate::config) fn and(mut self, more: Vec<ConfigError>) -> Self {
        self.errors.extend(more);
        self.errors.sort_by_key(|error| (error.line, error.column));
        self.omitted += self.errors.len().saturating_sub(MAX_ERRORS);
        self.errors.truncate(MAX_ERRORS);
        self
    }

    /// The error for a file that cannot be used at all.
    pub(in crate::config) fn unreadable(path: &Path, message: String, hint: &str) -> Self {
        let error = ConfigError {
            path: path.display().to_string(),
            line: 0,
            column: 0,
            length: 0,
            message,
            hint: Some(hint.to_owned()),
            source_line: String::new(),
            cut: 0,
        };
        Self::new(Code::ConfigUnreadable, path, vec![error], 1)
    }

    /// The stable code of the error: `ConfigUnreadable` or `ConfigInvalid`.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What errors call the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mistakes that were kept, at most a hundred. [`Self::total`] counts all.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// How many mistakes were found.
    pub fn total(&self) -> usize {
        self.errors.len() + self.omitted
    }

    /// One line: the mistake if there is only one, otherwise their number.
    pub fn summary(&self) -> String {
        match (self.total(), self.errors.first()) {
            (1, Some(error)) => format!("{}: {}", error.place(), error.message),
            (total, _) => format!("{}: {total} errors", self.path.display()),
        }
    }

    /// Every mistake with its line, a caret and a hint, at most 80 columns wide.
    pub fn render(&self) -> String {
        let mut text: String = self.errors.iter().map(render::error).collect();
        if self.omitted > 0 {
            text.push_str(&format!("and {} more errors\n", self.omitted));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// The list for programs. It has the same content as [`Self::render`], for example
    /// `{"code":"SYN-0102","path":"c.toml","total":1,"errors":[{"line":3,"column":1,…}]}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code.as_str(),
            "path": self.path.display().to_string(),
            "total": self.total(),
            "errors": self.errors,
        })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

impl std::error::Error for ConfigErrors {}

/// The list as the cause of an application error. It is printed on lines of its own.
#[derive(Debug)]
struct ConfigErrorList(ConfigErrors);

impl fmt::Display for ConfigErrorList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead = if self.0.total() == 1 { "this line" } else { "these lines" };
        write!(f, "{lead}:\n\n{}", self.0.render().trim_end())
    }
}

impl std::error::Error for ConfigErrorList {}

/// The statement is for logs and protocols; the cause is what people want to see.
impl From<ConfigErrors> for Error {
    /// The summary becomes the error's message, for logs and protocols. The list becomes its cause,
    /// for people. If the file as a whole is meant, there is no list to show.
    fn from(errors: ConfigErrors) -> Self {
        let error = Self::new(errors.code, errors.summary());
        match errors.errors.as_slice() {
            [ConfigError { line: 0, hint: Some(hint), .. }] => error.hint(hint.clone()),
            _ => error.with_source(ConfigErrorList(errors)),
        }
    }
}

//! Errors of templates: what is wrong, and where. A [`TemplateProblem`] names a field of the YAML text,
//! or a place in another file of the template's folder. With the folder it becomes a
//! [`TemplateError`] with line and column.

use super::template_folder::{TEMPLATE_FILE, TemplateFolder};
use super::yaml;
use serde_saphyr::Error as YamlError;

/// A template that cannot be used: the place and the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The id of the template.
    pub template: String,
    /// The file at fault: a path below the templates directory, such as `git/undo.yaml`.
    pub path: Box<str>,
    /// The same file in the template's folder. It is [`TEMPLATE_FILE`] for the YAML text.
    pub file: Box<str>,
    /// Line and column, both counted from one. None if no place in the text is at fault.
    pub location: Option<(u64, u64)>,
    /// The number of characters at fault, beginning at `location`, for the caret line of the
    /// message.
    pub length: usize,
    pub message: String,
    /// The unknown word that caused the error, and the words that are known. The command line
    /// suggests a similar word from it.
    pub unknown: Option<Box<UnknownWord>>,
}

/// An unknown word, such as a misspelt key, and the words that are allowed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    pub word: String,
    pub known: Vec<String>,
}

impl TemplateError {
    /// An error of the whole template, without a place.
    pub fn new(template: &str, message: impl Into<String>) -> Self {
        Self {
            template: template.to_owned(),
            path: format!("{template}.yaml").into(),
            file: TEMPLATE_FILE.into(),
            location: None,
            length: 0,
            message: message.into(),
            unknown: None,
        }
    }

    /// The error of a YAML text that cannot be read, or that does not have the shape of a template.
    pub(super) fn unreadable(
        template: &str,
        folder: &TemplateFolder,
        text: &str,
        error: &YamlError,
    ) -> Self {
        let location = error.location().map(|at| (at.line(), at.column()));
        let (message, unknown) = plain(bare(error));
        let key = location.and_then(|(line, column)| yaml::key_at(text, line, column));
        let message = match (key, &unknown) {
            (Some(key), None) if !message.starts_with("the key") => format!("`{key}`: {message}"),
            _ => message,
        };
        let length = unknown.as_ref().map_or(0, |unknown| unknown.word.chars().count());
        let path = folder.path_of(template, TEMPLATE_FILE).into();
        Self { path, location, length, unknown, ..Self::new(template, message) }
    }
}

/// A place in a file of the template's folder other than the YAML text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePlace {
    /// The path in the folder.
    pub(super) file: String,
    /// The byte at which the fault begins, and its length in characters.
    pub(super) at: usize,
    pub(super) length: usize,
}

/// The part of a field's text that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ErrorExcerpt {
    /// The text at fault.
    pub(super) text: String,
    /// How often the same text occurs in the field before it.
    pub(super) nth: usize,
}

/// What is wrong with one field of a template, before its place in the text is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TemplateProblem {
    /// The path of the field, such as `environment.files.0.content`. Empty for the whole template.
    pub(super) field: String,
    pub(super) message: String,
    /// See [`TemplateError::unknown`].
    pub(super) unknown: Option<Box<UnknownWord>>,
    /// The part of the field at fault; none for the whole field.
    pub(super) spot: Option<Box<ErrorExcerpt>>,
    /// The place, if the fault is not in the YAML text. Then `field` is empty, because several fields
    /// may use the file.
    pub(super) place: Option<FilePlace>,
}

impl TemplateProblem {
    /// A problem of a whole field.
    pub(super) fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), ..Self::default() }
    }

    /// The same problem, with `field` put in front of its path. Each caller adds its own part of
    /// the path.
    pub(super) fn below(mut self, field: &str) -> Self {
        if self.place.is_some() {
            return self;
        }
        let gap = if self.field.is_empty() { "" } else { "." };
        self.field = format!("{field}{gap}{}", self.field);
        self
    }

    /// The error with its place in the files of the template.
    pub(super) fn in_folder(self, template: &str, folder: &TemplateFolder) -> TemplateError {
        let file =
            self.place.as_ref().map_or(TEMPLATE_FILE, |place| place.file.as_str()).to_owned();
        let text = folder.shown(&file);
        let place = match &self.place {
            Some(FilePlace { at, length, .. }) => {
                yaml::line_and_column(text, *at).map(|(line, column)| (line, column, *length))
            }
            None => {
                let spot = self.spot.as_ref().map(|spot| (spot.text.as_str(), spot.nth));
                yaml::place(text, &self.field, spot)
            }
        };
        let message = match self.field.as_str() {
            "" => self.message,
            field => format!("`{field}`: {}", self.message),
        };
        TemplateError {
            path: folder.path_of(template, &file).into(),
            file: file.into(),
            location: place.map(|(line, column, _)| (line, column)),
            length: place.map_or(0, |(_, _, length)| length),
            unknown: self.unknown,
            ..TemplateError::new(template, message)
        }
    }
}

/// The error itself, without the wrappers that the parser adds for snippets and aliases.
fn bare(error: &YamlError) -> &YamlError {
    match error {
        YamlError::WithSnippet { error, .. } | YamlError::AliasError { error, .. } => bare(error),
        error => error,
    }
}

/// The message of the parser in plain words, and the unknown word if there is one.
fn plain(error: &YamlError) -> (String, Option<Box<UnknownWord>>) {
    let among = |word: &str, known: &[&str]| {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        Some(Box::new(UnknownWord { word: word.to_owned(), known }))
    };
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), among(field, expected))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), among(variant, expected))
        }
        YamlError::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), None)
        }
        YamlError::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), None)
        }
        error => (plain_words(&error.to_string()), None),
    }
}

/// The first line of a parser's message, without its place, in plain words.
fn plain_words(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    // The caller shows the place beside the message.
    let text = match first.split_once(": ") {
        Some((place, text)) if place.starts_with("line ") => text,
        _ => first,
    };
    let known = [
        ("expected mapping start", "a mapping (`key: value`) is expected here"),
        ("expected sequence start", "a list (`- entry`) is expected here"),
        ("expected string scalar", "a text is expected here"),
        ("unexpected sequence start", "a text is expected here, not a list"),
        ("unexpected mapping start", "a text is expected here, not a mapping"),
    ];
    let plain = known.into_iter().find(|(words, _)| text.starts_with(words));
    plain.map_or(text, |(_, plain)| plain).to_owned()
}

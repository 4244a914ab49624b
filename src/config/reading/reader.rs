//! What the reading of one file collects: problems with their positions, the keys that the reader
//! knows, the keys that it does not know, and the keys that are missing. Hints for unknown keys are
//! made at the end (`finish`), when all known keys are known.
//!
//! `section` writes into the reader while it reads. `validate` and the other checks add the
//! problems of values that do not fit together.

use crate::config::reading::errors::MAX_ERRORS;
use crate::config::reading::source::Span;
use crate::config::reading::units::short;
use crate::config::reading::values::ValueFault;
use crate::word_suggestion;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Why something is a problem. In a file with broken syntax, some causes are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum ProblemCause {
    /// The text is no valid TOML there.
    Syntax,
    /// A value or a key is there and is wrong.
    Value,
    /// Something is not there. With broken syntax it may be in the broken part.
    Missing,
}

/// One mistake with its position.
#[derive(Debug)]
pub(in crate::config) struct ConfigProblem {
    /// Where it is; for something missing, the section in which it should be.
    pub(in crate::config) span: Span,
    pub(in crate::config) cause: ProblemCause,
    /// What is wrong, in lower case and without a period.
    pub(in crate::config) message: String,
    /// What people can do about it.
    pub(in crate::config) hint: Option<String>,
}

impl ConfigProblem {
    fn new(cause: ProblemCause, span: Span, fault: ValueFault) -> Self {
        Self { span, cause, message: fault.message, hint: fault.hint }
    }
}

/// A key's value as it was read.
#[derive(Clone, Debug)]
pub(in crate::config) enum RawField<T> {
    /// The file does not have the key.
    Absent,
    /// The key has a value that is wrong. The problem was already reported.
    Bad,
    /// The value and where it is.
    Given(T, Span),
}

impl<T> RawField<T> {
    /// The value, if there is a valid one.
    pub(in crate::config) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    /// Where the value is, if there is a valid one.
    pub(in crate::config) fn span(&self) -> Option<&Span> {
        match self {
            Self::Given(_, span) => Some(span),
            _ => None,
        }
    }

    /// The value, or the default for a key that is absent or wrong.
    pub(in crate::config) fn or(self, default: T) -> T {
        self.into_option().unwrap_or(default)
    }

    /// The value without its position, if there is a valid one.
    pub(in crate::config) fn into_option(self) -> Option<T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    /// Whether the file does not have the key. False for a wrong value.
    pub(in crate::config) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The known keys of each section, as the reader has asked for them. Also used to check that the
/// reference file names every key.
pub(in crate::config) type KnownKeys = BTreeMap<String, BTreeSet<&'static str>>;

/// Collects what the reading of one file finds. The sections share one reader, so its lists are in
/// cells.
#[derive(Default)]
pub(in crate::config) struct ConfigReader {
    problems: RefCell<Vec<ConfigProblem>>,
    known: RefCell<KnownKeys>,
    unknown: RefCell<Vec<UnknownKey>>,
    missing: RefCell<Vec<MissingKey>>,
    /// Paths of sections that are lists of tables (`[[models]]`).
    lists: RefCell<BTreeSet<String>>,
}

/// A key that the reader does not know.
pub(in crate::config) struct UnknownKey {
    /// The path of its section, such as `sandbox`; empty at the top.
    pub(in crate::config) path: String,
    /// The position of its section.
    pub(in crate::config) place: Span,
    pub(in crate::config) key: String,
    /// Whether its value is a table or a list.
    pub(in crate::config) is_section: bool,
    /// The position of the key.
    pub(in crate::config) span: Span,
}

/// A required key that the file does not have.
pub(in crate::config) struct MissingKey {
    /// The path of the section in which it should be.
    pub(in crate::config) path: String,
    /// The position of that section.
    pub(in crate::config) place: Span,
    pub(in crate::config) key: &'static str,
    pub(in crate::config) fault: ValueFault,
}

impl ConfigReader {
    /// Reports what is wrong with the value at `span`.
    pub(in crate::config) fn value(&self, span: &Span, fault: ValueFault) {
        self.problems.borrow_mut().push(ConfigProblem::new(
            ProblemCause::Value,
            span.clone(),
            fault,
        ));
    }

    /// Remembers a missing key. It becomes a problem in `finish`, unless the key is only misspelt.
    pub(in crate::config) fn missing(&self, missing: MissingKey) {
        self.missing.borrow_mut().push(missing);
    }

    /// Remembers that `key` is a key that the reader asks for in the section at `path`.
    pub(in crate::config) fn know(&self, path: &str, key: &'static str) {
        self.known.borrow_mut().entry(path.to_owned()).or_default().insert(key);
    }

    /// Remembers an unknown key. It becomes a problem in `finish`.
    pub(in crate::config) fn unknown(&self, unknown: UnknownKey) {
        self.unknown.borrow_mut().push(unknown);
    }

    /// Remembers that the section at `path` is a list of tables, so its header has two brackets.
    pub(in crate::config) fn is_list(&self, path: &str) {
        self.lists.borrow_mut().insert(path.to_owned());
    }

    /// The header of the section at `path`, as the file writes it.
    pub(in crate::config) fn header(&self, path: &str) -> String {
        header(path, &self.lists.borrow())
    }

    /// All problems, with hints that need the whole set of known keys, and that set.
    pub(in crate::config) fn finish(self) -> (Vec<ConfigProblem>, KnownKeys) {
        let known = self.known.into_inner();
        let lists = self.lists.into_inner();
        let mut problems = self.problems.into_inner();
        let mut unknown = self.unknown.into_inner();
        unknown.sort_by_key(|unknown| unknown.span.start);
        let guesses: Vec<_> =
            unknown.iter().map(|one| guess(one, &known)).take(MAX_ERRORS).collect();
        for missing in self.missing.into_inner() {
            // A misspelt key is unknown, and the key that was meant is missing. That is one
            // mistake, and it is reported at the misspelt key.
            let mut guessed = unknown.iter().zip(&guesses);
            if !guessed.any(|(one, guess)| *guess == Some(missing.key) && one.is_beside(&missing)) {
                problems.push(ConfigProblem::new(
                    ProblemCause::Missing,
                    missing.place,
                    missing.fault,
                ));
            }
        }
        // Guessing takes time, and no more than `MAX_ERRORS` problems are shown.
        let guesses = guesses.into_iter().chain(std::iter::repeat(None));
        for (unknown, guess) in unknown.into_iter().zip(guesses) {
            let fault = unknown.fault(guess, &known, &lists);
            problems.push(ConfigProblem::new(ProblemCause::Value, unknown.span, fault));
        }
        (problems, known)
    }
}

impl UnknownKey {
    /// Whether both keys belong to the same section.
    fn is_beside(&self, missing: &MissingKey) -> bool {
        self.path == missing.path && self.place == missing.place
    }

    /// The problem of this key, with the best hint: the key that was meant, the section in which
    /// the key is right, or all known keys of this section.
    fn fault(
        &self,
        guess: Option<&str>,
        known: &KnownKeys,
        lists: &BTreeSet<String>,
    ) -> ValueFault {
        let key = short(&self.key);
        let fault = ValueFault::new(match (self.path.as_str(), self.is_section) {
            ("", true) => format!("unknown section `[{key}]`"),
            ("", false) => format!("unknown key `{key}` outside of all sections"),
            (path, _) => format!("unknown key `{key}` in `{}`", header(path, lists)),
        });
        match guess {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint(self.elsewhere(known, lists)),
        }
    }

    /// The sections in which this key is right, or all keys that are right here.
    fn elsewhere(&self, known: &KnownKeys, lists: &BTreeSet<String>) -> String {
        let key = self.key.as_str();
        let homes = known.iter().filter(|(path, keys)| !path.is_empty() && keys.contains(key));
        let homes: Vec<String> = homes.map(|(path, _)| header(path, lists)).collect();
        if !homes.is_empty() {
            return format!("`{}` belongs in `{}`", short(key), homes.join("` or `"));
        }
        let here = known.get(&self.path).into_iter().flatten();
        format!("known here: {}", here.copied().collect::<Vec<_>>().join(", "))
    }
}

/// The known key of the same section that was most likely meant.
fn guess(unknown: &UnknownKey, known: &KnownKeys) -> Option<&'static str> {
    let here = known.get(&unknown.path).into_iter().flatten();
    word_suggestion::closest(&unknown.key, here.copied())
}

/// A section's path, written as its header.
fn header(path: &str, lists: &BTreeSet<String>) -> String {
    if lists.contains(path) { format!("[[{path}]]") } else { format!("[{path}]") }
}

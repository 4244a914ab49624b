//! What reading a file comes to: problems with their places, the keys the reader knows, and
//! the keys nobody asked for. Hints for the latter are made at the end, when all known keys
//! are known.

use super::errors::MAX_ERRORS;
use super::source::Span;
use super::units::short;
use super::values::ValueFault;
use crate::word_suggestion;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Why a problem is one; a file with broken syntax gets fewer of them believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProblemCause {
    Syntax,
    Value,
    /// Something is not there.
    Missing,
}

#[derive(Debug)]
pub(super) struct ConfigProblem {
    pub(super) span: Span,
    pub(super) cause: ProblemCause,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl ConfigProblem {
    fn new(cause: ProblemCause, span: Span, fault: ValueFault) -> Self {
        Self { span, cause, message: fault.message, hint: fault.hint }
    }
}

/// A key's value: not there, there but wrong, or read.
#[derive(Clone, Debug)]
pub(super) enum RawField<T> {
    Absent,
    Bad,
    Given(T, Span),
}

impl<T> RawField<T> {
    pub(super) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    pub(super) fn span(&self) -> Option<&Span> {
        match self {
            Self::Given(_, span) => Some(span),
            _ => None,
        }
    }

    pub(super) fn or(self, default: T) -> T {
        self.into_option().unwrap_or(default)
    }

    pub(super) fn into_option(self) -> Option<T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Keys by section, as the reader asked for them.
pub(super) type KnownKeys = BTreeMap<String, BTreeSet<&'static str>>;

/// What reading one file has come to.
#[derive(Default)]
pub(super) struct ConfigReader {
    problems: RefCell<Vec<ConfigProblem>>,
    known: RefCell<KnownKeys>,
    unknown: RefCell<Vec<UnknownKey>>,
    missing: RefCell<Vec<MissingKey>>,
    /// Paths of `[[lists]]` of tables.
    lists: RefCell<BTreeSet<String>>,
}

/// A key that nobody asked for.
pub(super) struct UnknownKey {
    pub(super) path: String,
    /// The section it is in.
    pub(super) place: Span,
    pub(super) key: String,
    pub(super) is_section: bool,
    pub(super) span: Span,
}

/// A key that is not there.
pub(super) struct MissingKey {
    pub(super) path: String,
    /// The section it should be in.
    pub(super) place: Span,
    pub(super) key: &'static str,
    pub(super) fault: ValueFault,
}

impl ConfigReader {
    /// Notes what is wrong with the value at `span`.
    pub(super) fn value(&self, span: &Span, fault: ValueFault) {
        self.problems.borrow_mut().push(ConfigProblem::new(
            ProblemCause::Value,
            span.clone(),
            fault,
        ));
    }

    pub(super) fn missing(&self, missing: MissingKey) {
        self.missing.borrow_mut().push(missing);
    }

    /// Remembers that `key` is one the reader asks for.
    pub(super) fn know(&self, path: &str, key: &'static str) {
        self.known.borrow_mut().entry(path.to_owned()).or_default().insert(key);
    }

    pub(super) fn unknown(&self, unknown: UnknownKey) {
        self.unknown.borrow_mut().push(unknown);
    }

    /// Remembers that the section at `path` is a list of tables.
    pub(super) fn is_list(&self, path: &str) {
        self.lists.borrow_mut().insert(path.to_owned());
    }

    /// The header of the section at `path`.
    pub(super) fn header(&self, path: &str) -> String {
        header(path, &self.lists.borrow())
    }

    /// Everything found, with hints that only the whole set of known keys can give.
    pub(super) fn finish(self) -> (Vec<ConfigProblem>, KnownKeys) {
        let known = self.known.into_inner();
        let lists = self.lists.into_inner();
        let mut problems = self.problems.into_inner();
        let mut unknown = self.unknown.into_inner();
        unknown.sort_by_key(|unknown| unknown.span.start);
        let guesses: Vec<_> =
            unknown.iter().map(|one| guess(one, &known)).take(MAX_ERRORS).collect();
        for missing in self.missing.into_inner() {
            // A key that is only misspelt is one mistake, told where it stands.
            let mut guessed = unknown.iter().zip(&guesses);
            if !guessed.any(|(one, guess)| *guess == Some(missing.key) && one.is_beside(&missing)) {
                problems.push(ConfigProblem::new(
                    ProblemCause::Missing,
                    missing.place,
                    missing.fault,
                ));
            }
        }
        // Guessing takes time, and of more than these none is shown.
        let guesses = guesses.into_iter().chain(std::iter::repeat(None));
        for (unknown, guess) in unknown.into_iter().zip(guesses) {
            let fault = unknown.fault(guess, &known, &lists);
            problems.push(ConfigProblem::new(ProblemCause::Value, unknown.span, fault));
        }
        (problems, known)
    }
}

impl UnknownKey {
    fn is_beside(&self, missing: &MissingKey) -> bool {
        self.path == missing.path && self.place == missing.place
    }

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

    /// Where the key would be right, or all that would be right here.
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

/// The key of the same section that was most likely meant.
fn guess(unknown: &UnknownKey, known: &KnownKeys) -> Option<&'static str> {
    let here = known.get(&unknown.path).into_iter().flatten();
    word_suggestion::closest(&unknown.key, here.copied())
}

/// A section's path as its header is written.
fn header(path: &str, lists: &BTreeSet<String>) -> String {
    if lists.contains(path) { format!("[[{path}]]") } else { format!("[{path}]") }
}

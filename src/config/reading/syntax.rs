//! Handles broken TOML. The parser recovers from errors, so that several syntax errors are reported
//! together, and together with mistakes in values. What the parser reads from a broken file is only
//! believed as far as it stands apart from the broken lines.
//!
//! A list or table that is never closed swallows the lines after it, and at a key without a value
//! the parser gives up. Such a statement is blanked out with spaces, so that all positions stay the
//! same, and the text is parsed again.
//!
//! ```text
//!  text ─► parse ─► does a statement hide others? ─ yes ─► note the problem, blank it, parse again
//!                          └─ no ─► the remaining syntax errors ─► which lines are unreliable
//! ```

use crate::config::reading::errors::MAX_ERRORS;
use crate::config::reading::reader::{ConfigProblem, ProblemCause};
use crate::config::reading::source::{SourceText, Span};
use crate::config::reading::units::short;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::de::{DeTable, Error};

/// The most statements that are blanked out. Each of them costs one more pass over the text.
const MAX_TORN: usize = 16;
/// How many lines are searched backwards for the first of two equal keys.
const MAX_LOOK_BACK: usize = 1_000;
/// The beginning of the parser's message for a key without a value.
const NO_VALUE: &str = "key with no value";
/// Beginnings of the parser's messages when it meets a new statement inside an unclosed list or
/// table.
const STUMBLED: [&str; 5] = [
    "missing comma",
    "missing key for inline",
    "unexpected `=`",
    "invalid inline",
    "extra assignment",
];
/// The beginning of the parser's message for a key that is given twice.
const DUPLICATE: &str = "duplicate key";

/// The text without the statements that hide others, and the problems of these statements. All
/// positions in the result are those of the source.
pub(in crate::config) fn blank_broken(source: &SourceText<'_>) -> (String, Vec<ConfigProblem>) {
    let mut text = source.text().to_owned();
    let mut problems: Vec<ConfigProblem> = vec![];
    while problems.len() < MAX_TORN {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let mut found = torn(source, &errors);
        // A problem that was found before would be found again if blanking it did not help; the
        // loop must end.
        found.retain(|torn| problems.iter().all(|known| known.span != torn.problem.span));
        if found.is_empty() {
            break;
        }
        for torn in found.into_iter().take(MAX_TORN - problems.len()) {
            blank(&mut text, &torn.bytes(source));
            problems.push(torn.problem);
        }
    }
    (text, problems)
}

/// The syntax errors of a text as problems, at most one for each line: one mistake often breaks a
/// line in several ways, and the first error explains the others.
pub(in crate::config) fn problems(source: &SourceText<'_>, errors: &[Error]) -> Vec<ConfigProblem> {
    let mut problems = BTreeMap::new();
    for error in errors {
        let line = source.line_of(error.span().unwrap_or(0..0).start);
        let count = problems.len();
        problems.entry(line).or_insert_with(|| problem(source, error, count < MAX_ERRORS));
    }
    problems.into_values().collect()
}

/// The lines whose values are not believed, because they hold a syntax error or are below a broken
/// section header.
pub(in crate::config) struct UnreliableLines {
    lines: Vec<bool>,
    /// Whether there was a syntax error at all.
    any: bool,
}

impl UnreliableLines {
    /// Below a broken header, no line is reliable until the next header, because the lines may
    /// belong to any section.
    pub(in crate::config) fn new(source: &SourceText<'_>, syntax: &[ConfigProblem]) -> Self {
        let broken = syntax.iter().filter(|error| error.cause == ProblemCause::Syntax);
        let broken: BTreeSet<usize> = broken.map(|e| source.line_of(e.span.start)).collect();
        let mut under_broken = false;
        let lines = (0..source.lines()).map(|line| {
            if is_header(source, line) {
                under_broken = broken.contains(&line);
            }
            under_broken || broken.contains(&line)
        });
        Self { lines: lines.collect(), any: !broken.is_empty() }
    }

    /// Whether a problem is reported. After syntax errors, a missing key is not reported, because
    /// it may be in a broken statement; and a wrong value is reported only if its lines are
    /// reliable.
    pub(in crate::config) fn trusts(
        &self,
        source: &SourceText<'_>,
        problem: &ConfigProblem,
    ) -> bool {
        if !self.any || problem.cause == ProblemCause::Missing {
            return !self.any;
        }
        let (first, last) = (source.line_of(problem.span.start), source.line_of(problem.span.end));
        !self.lines.get(first..=last).is_some_and(|lines| lines.contains(&true))
    }
}

/// A statement that hides the lines after it.
struct BrokenStatement {
    /// The lines to blank out; the end is not included.
    lines: Range<usize>,
    problem: ConfigProblem,
}

impl BrokenStatement {
    /// The bytes of these lines in the source.
    fn bytes(&self, source: &SourceText<'_>) -> Span {
        source.start_of(self.lines.start)..source.start_of(self.lines.end)
    }
}

/// The broken statements, up to the first one that swallows others. The errors after that one are
/// about lines that were read as a part of it, so they mean nothing.
fn torn(source: &SourceText<'_>, errors: &[Error]) -> Vec<BrokenStatement> {
    let mut found = vec![];
    let mut last_line = None;
    for error in errors {
        let line = source.line_of(error.span().unwrap_or(0..0).start);
        // Several errors on one line have one cause.
        if last_line.replace(line) == Some(line) || found.len() >= MAX_TORN {
            continue;
        }
        if error.message().starts_with(NO_VALUE) {
            found.push(BrokenStatement {
                lines: line..line + 1,
                problem: problem(source, error, true),
            });
        } else if let Some(statement) = unclosed(source, error, line) {
            found.push(statement);
            break;
        }
    }
    found
}

/// The unclosed list or table that an error shows. There is one if the parser reached the end of
/// the file inside of it, or if it met a new key or header at the start of a line. None for other
/// errors.
fn unclosed(source: &SourceText<'_>, error: &Error, line: usize) -> Option<BrokenStatement> {
    let at = error.span()?.start;
    let ended = error.message().starts_with("unclosed") && at >= source.text().trim_end().len();
    let starts_line = || {
        let before = source.text().get(source.start_of(line)..at);
        before.is_some_and(|before| before.trim().is_empty())
    };
    let starts_statement = || is_key(source, line) || is_header(source, line);
    let stumbled = STUMBLED.iter().any(|part| error.message().starts_with(part));
    if !(ended || stumbled && starts_line() && starts_statement()) {
        return None;
    }
    let end = if ended { source.lines() } else { line };
    // The unclosed value begins at the nearest key above.
    let first = (0..end).rev().find(|line| is_key(source, *line))?;
    let (open, bracket) = opening(source, first)?;
    // The error of the parser is somewhere below; the message points to the bracket that was never
    // closed.
    let (what, close) = if bracket == '[' { ("list", ']') } else { ("table", '}') };
    let message = format!("the {what} is never closed");
    let hint = match ended {
        true => format!("add `{close}` at its end"),
        false => format!("add `{close}` before line {}", end + 1),
    };
    let span = open..open + 1;
    let problem = ConfigProblem { span, cause: ProblemCause::Syntax, message, hint: Some(hint) };
    Some(BrokenStatement { lines: first..end, problem })
}

/// Where the value on a line opens, and with which bracket. None if the value is no list or table.
fn opening(source: &SourceText<'_>, line: usize) -> Option<(usize, char)> {
    let equals = source.line(line).find('=')?;
    let value = source.line(line).get(equals + 1..)?;
    let lead = value.len() - value.trim_start().len();
    let bracket = value.trim_start().chars().next().filter(|first| "[{".contains(*first))?;
    Some((source.start_of(line) + equals + 1 + lead, bracket))
}

/// Replaces everything but line ends by spaces, byte for byte.
fn blank(text: &mut String, span: &Span) {
    let inside = text.get(span.clone()).unwrap_or_default();
    let spaces: String =
        inside.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    if !spaces.is_empty() {
        text.replace_range(span.clone(), &spaces);
    }
}

/// Whether a line looks like a section header.
fn is_header(source: &SourceText<'_>, line: usize) -> bool {
    source.line(line).trim_start().starts_with('[')
}

/// Whether a line looks like the start of `key = value`.
fn is_key(source: &SourceText<'_>, line: usize) -> bool {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_.\"' \t".contains(c);
    let key = source.line(line).split_once('=').map(|(key, _)| key);
    key.is_some_and(|key| !key.trim().is_empty() && key.chars().all(bare))
}

/// A syntax error in plain words. `shown` is false if so many problems were found that this one
/// will not be shown; then no slow search is made for it.
fn problem(source: &SourceText<'_>, error: &Error, shown: bool) -> ConfigProblem {
    let span = error.span().unwrap_or(0..0);
    if error.message().starts_with(DUPLICATE) {
        return duplicate(source, span, shown);
    }
    let (message, hint) = explain(error.message(), span.is_empty());
    ConfigProblem { span, cause: ProblemCause::Syntax, message, hint: hint.map(str::to_owned) }
}

/// The problem of a key that is given twice. Its cause counts as a value, not as syntax: it is no
/// reason to doubt other lines.
fn duplicate(source: &SourceText<'_>, span: Span, shown: bool) -> ConfigProblem {
    let key = source.text().get(span.clone()).unwrap_or_default();
    let line = source.line_of(span.start);
    let other = if shown { given_before(source, line) } else { None };
    let hint = other.map(|line| format!("see line {}", line + 1));
    let message = format!("`{}` is given twice", short(key));
    ConfigProblem { span, cause: ProblemCause::Value, message, hint }
}

/// The nearest line above `line`, in the same section, with the same key.
fn given_before(source: &SourceText<'_>, line: usize) -> Option<usize> {
    let start = |line: usize| source.line(line).split('=').next().unwrap_or_default().trim();
    let wanted = start(line);
    let mut above = (0..line).rev().take(MAX_LOOK_BACK);
    if is_header(source, line) {
        return above.find(|line| start(*line) == wanted);
    }
    above.take_while(|line| !is_header(source, *line)).find(|line| start(*line) == wanted)
}

/// The parser's message in plain words, and a hint for the usual mistakes. `empty` says that the
/// error has no extent.
fn explain(message: &str, empty: bool) -> (String, Option<&'static str>) {
    if message.starts_with("string values must be quoted") {
        return match empty {
            true => ("no value after `=`".to_owned(), Some("write `key = value`")),
            false => ("text must be in quotes".to_owned(), Some("put it in double quotes")),
        };
    }
    let hints = [
        ("unclosed table", "close the header with `]`"),
        ("unclosed array table", "close the header with `]]`"),
        ("unclosed array", "close the list with `]`"),
        ("unclosed inline table", "close the table with `}`"),
        (NO_VALUE, "write `key = value`"),
        ("unquoted keys cannot be empty", "write `key = value`"),
        ("missing comma", "separate entries with commas"),
        ("extra comma", "remove one comma"),
        ("invalid basic string", "close the text with a double quote"),
        ("invalid literal string", "close the text with a single quote"),
        ("invalid multi-line", "a text that starts with three quotes ends with three quotes"),
        ("unexpected leading zero", "remove the leading zeros"),
        ("missing escaped value", "write `\\\\` for a backslash, or use 'single quotes'"),
    ];
    let hint = hints.into_iter().find(|(part, _)| message.starts_with(part)).map(|(_, hint)| hint);
    // The parser adds what it expected; that is left out if there is a better hint.
    let plain = message.split_once(", expected").map_or(message, |(plain, _)| plain);
    (if hint.is_some() { plain } else { message }.to_owned(), hint)
}

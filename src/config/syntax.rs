//! Broken TOML. The parser recovers, so that several syntax errors are told together and
//! with what else is wrong; what is left of a broken file is believed only as far as it
//! was not torn itself.
//!
//! A list or table that is never closed swallows the lines after it, and at a key without a
//! value the parser gives up. Such a statement is blanked out, byte for byte so that every
//! place stays true, and the rest is read again.

use super::errors::MAX_ERRORS;
use super::reader::{ConfigProblem, ProblemCause};
use super::source::{SourceText, Span};
use super::units::short;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::de::{DeTable, Error};

/// Statements blanked out; each costs another look at the text.
const MAX_TORN: usize = 16;
/// Lines searched for the other one of two equal keys.
const MAX_LOOK_BACK: usize = 1_000;
const NO_VALUE: &str = "key with no value";
/// What the parser says inside a list or table when it meets the start of a statement.
const STUMBLED: [&str; 5] = [
    "missing comma",
    "missing key for inline",
    "unexpected `=`",
    "invalid inline",
    "extra assignment",
];
const DUPLICATE: &str = "duplicate key";

/// The text without what would hide the rest of it, and what was wrong there.
pub(super) fn blank_broken(source: &SourceText<'_>) -> (String, Vec<ConfigProblem>) {
    let mut text = source.text().to_owned();
    let mut problems: Vec<ConfigProblem> = vec![];
    while problems.len() < MAX_TORN {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let mut found = torn(source, &errors);
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

/// What is wrong with the syntax of a text in the place of the source's, a line at a time:
/// one mistake often breaks a line in several ways, and the first one explains the rest.
pub(super) fn problems(source: &SourceText<'_>, errors: &[Error]) -> Vec<ConfigProblem> {
    let mut problems = BTreeMap::new();
    for error in errors {
        let line = source.line_of(error.span().unwrap_or(0..0).start);
        let count = problems.len();
        problems.entry(line).or_insert_with(|| problem(source, error, count < MAX_ERRORS));
    }
    problems.into_values().collect()
}

/// The lines of a file that say nothing reliable, because they hold a syntax error or
/// stand below a broken header.
pub(super) struct UnreliableLines {
    lines: Vec<bool>,
    any: bool,
}

impl UnreliableLines {
    pub(super) fn new(source: &SourceText<'_>, syntax: &[ConfigProblem]) -> Self {
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

    /// Whether a problem of the values stands apart from what is torn. What is missing may
    /// have been swallowed by it.
    pub(super) fn trusts(&self, source: &SourceText<'_>, problem: &ConfigProblem) -> bool {
        if !self.any || problem.cause == ProblemCause::Missing {
            return !self.any;
        }
        let (first, last) = (source.line_of(problem.span.start), source.line_of(problem.span.end));
        !self.lines.get(first..=last).is_some_and(|lines| lines.contains(&true))
    }
}

/// Lines that hide what follows them.
struct BrokenStatement {
    lines: Range<usize>,
    problem: ConfigProblem,
}

impl BrokenStatement {
    fn bytes(&self, source: &SourceText<'_>) -> Span {
        source.start_of(self.lines.start)..source.start_of(self.lines.end)
    }
}

/// What is torn, up to the first statement that swallows others: what is said of the lines
/// after it is worth nothing.
fn torn(source: &SourceText<'_>, errors: &[Error]) -> Vec<BrokenStatement> {
    let mut found = vec![];
    let mut last_line = None;
    for error in errors {
        let line = source.line_of(error.span().unwrap_or(0..0).start);
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

/// The statement that an error shows to be unclosed: what it stumbled over is the start of
/// another one, or the end of the file.
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
    let first = (0..end).rev().find(|line| is_key(source, *line))?;
    let (open, bracket) = opening(source, first)?;
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

/// The first bracket of the value that starts on a line.
fn opening(source: &SourceText<'_>, line: usize) -> Option<(usize, char)> {
    let equals = source.line(line).find('=')?;
    let value = source.line(line).get(equals + 1..)?;
    let lead = value.len() - value.trim_start().len();
    let bracket = value.trim_start().chars().next().filter(|first| "[{".contains(*first))?;
    Some((source.start_of(line) + equals + 1 + lead, bracket))
}

/// Puts spaces in the place of everything but line ends.
fn blank(text: &mut String, span: &Span) {
    let inside = text.get(span.clone()).unwrap_or_default();
    let spaces: String =
        inside.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    if !spaces.is_empty() {
        text.replace_range(span.clone(), &spaces);
    }
}

fn is_header(source: &SourceText<'_>, line: usize) -> bool {
    source.line(line).trim_start().starts_with('[')
}

fn is_key(source: &SourceText<'_>, line: usize) -> bool {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_.\"' \t".contains(c);
    let key = source.line(line).split_once('=').map(|(key, _)| key);
    key.is_some_and(|key| !key.trim().is_empty() && key.chars().all(bare))
}

/// `shown` is false for one of so many that no one will see it.
fn problem(source: &SourceText<'_>, error: &Error, shown: bool) -> ConfigProblem {
    let span = error.span().unwrap_or(0..0);
    if error.message().starts_with(DUPLICATE) {
        return duplicate(source, span, shown);
    }
    let (message, hint) = explain(error.message(), span.is_empty());
    ConfigProblem { span, cause: ProblemCause::Syntax, message, hint: hint.map(str::to_owned) }
}

/// Well understood, hence no reason to doubt the rest of the file.
fn duplicate(source: &SourceText<'_>, span: Span, shown: bool) -> ConfigProblem {
    let key = source.text().get(span.clone()).unwrap_or_default();
    let line = source.line_of(span.start);
    let other = if shown { given_before(source, line) } else { None };
    let hint = other.map(|line| format!("see line {}", line + 1));
    let message = format!("`{}` is given twice", short(key));
    ConfigProblem { span, cause: ProblemCause::Value, message, hint }
}

/// The nearest line above `line`, in the same section, that starts the same way.
fn given_before(source: &SourceText<'_>, line: usize) -> Option<usize> {
    let start = |line: usize| source.line(line).split('=').next().unwrap_or_default().trim();
    let wanted = start(line);
    let mut above = (0..line).rev().take(MAX_LOOK_BACK);
    if is_header(source, line) {
        return above.find(|line| start(*line) == wanted);
    }
    above.take_while(|line| !is_header(source, *line)).find(|line| start(*line) == wanted)
}

/// The parser's words put plainly, with a way out of the usual mistakes.
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
    // The parser's own advice is only needed where there is no better one.
    let plain = message.split_once(", expected").map_or(message, |(plain, _)| plain);
    (if hint.is_some() { plain } else { message }.to_owned(), hint)
}

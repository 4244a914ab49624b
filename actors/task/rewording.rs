//! Other ways to write statements of Python that do the same: what a function returns, or a condition, gets
//! a name first. No syntax tree is made: a scanner finds statements of functions that stand on one line
//! without a comment, and only a keyword and the end of the line are replaced. So what stands between may
//! change, and variables may get other names.

use super::project_state::has_word;
use crate::pack::PackChange;

/// Names for what is returned, and for conditions. The first one that is no word of the source is taken.
const RETURNED: [&str; 4] = ["result", "outcome", "answer", "given_back"];
const CONDITIONS: [&str; 4] = ["is_so", "holds", "applies", "is_needed"];
/// Words of sources that may see the names of their variables. Nothing in them is written differently.
const SEEING: [&str; 7] = ["locals", "vars", "exec", "eval", "dir", "globals", "_getframe"];
/// What opens and closes texts. Longer ones come first.
const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

/// A statement that is written differently: bytes that are replaced, sorted and apart, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RewordedStatement {
    pub(super) edits: Vec<((usize, usize), String)>,
}

/// A statement of a function that stands on one line.
pub(super) struct PlainStatement<'t> {
    /// Where its line begins.
    pub(super) line: usize,
    indent: &'t str,
    text: &'t str,
}

impl RewordedStatement {
    /// The bytes from its first replacement to its last one.
    pub(super) fn span(&self) -> (usize, usize) {
        let starts = self.edits.iter().map(|((start, _), _)| *start);
        let ends = self.edits.iter().map(|((_, end), _)| *end);
        (starts.min().unwrap_or_default(), ends.max().unwrap_or_default())
    }

    /// Whether the statement is right with a change and without it, whether it is written differently or not: the
    /// change is elsewhere, or takes the whole statement away, or stands between the replacements.
    pub(super) fn goes_with(&self, change: &PackChange) -> bool {
        let ((start, end), at) = (self.span(), change.at);
        let is_apart = end < at.0 || at.1 < start;
        is_apart || (at.0 <= start && end < at.1) || self.is_around(change)
    }

    /// Whether a change stands between two replacements and stays on their line.
    fn is_around(&self, change: &PackChange) -> bool {
        let is_plain = !["\n", "#", ":=", ";"].iter().any(|word| change.text.contains(word));
        let ends = self.edits.iter().map(|((_, end), _)| *end);
        let starts = self.edits.iter().skip(1).map(|((start, _), _)| *start);
        is_plain && ends.zip(starts).any(|(end, start)| end < change.at.0 && change.at.1 < start)
    }
}

impl PlainStatement<'_> {
    /// What is replaced if a value gets a name before the statement uses it: the keyword, and the end of the line
    /// without so many of its last letters.
    fn named(&self, name: &str, keyword: &str, last: &str) -> Option<RewordedStatement> {
        let inner = self.text.strip_prefix(keyword)?.strip_prefix(' ')?.strip_suffix(last)?;
        let is_strange = inner.trim() != inner || inner.is_empty();
        if is_strange || [":=", ";"].iter().any(|word| inner.contains(word)) {
            return None;
        }
        let start = self.line + self.indent.len();
        let end = start + self.text.len();
        let then = format!("\n{}{keyword} {name}{last}", self.indent);
        Some(RewordedStatement {
            edits: vec![
                ((start, start + keyword.len()), format!("{name} =")),
                ((end - last.len(), end), then),
            ],
        })
    }
}

/// Every statement of a source that can be written differently, in their order.
pub(super) fn rewordings(content: &str) -> Vec<RewordedStatement> {
    if SEEING.iter().any(|word| has_word(content, word)) {
        return Vec::new();
    }
    let free = |names: &[&'static str]| names.iter().copied().find(|name| !has_word(content, name));
    let (returned, condition) = (free(&RETURNED), free(&CONDITIONS));
    let reworded = |statement: PlainStatement<'_>| {
        let returns = returned.and_then(|name| statement.named(name, "return", ""));
        returns.or_else(|| condition.and_then(|name| statement.named(name, "if", ":")))
    };
    plain_statements(content).into_iter().filter_map(reworded).collect()
}

/// The statements of functions that stand on one line without a comment.
pub(super) fn plain_statements(content: &str) -> Vec<PlainStatement<'_>> {
    let (mut found, mut scanner, mut at) = (Vec::new(), LineScanner::default(), 0);
    // The blocks around a line: their indentation, and whether they are functions.
    let mut blocks: Vec<(usize, bool)> = Vec::new();
    for line in content.split_inclusive('\n') {
        let begins = scanner.is_between();
        scanner.read(line);
        let text = line.trim();
        if begins && !text.is_empty() && !text.starts_with('#') {
            let size = line.len() - line.trim_start().len();
            blocks.retain(|(indent, _)| *indent < size);
            let is_inside = blocks.last().is_some_and(|(_, is_function)| *is_function);
            if is_inside && scanner.is_between() && !scanner.has_comment {
                let indent = line.get(..size).unwrap_or_default();
                found.push(PlainStatement { line: at, indent, text });
            }
            blocks.extend(opened(text).map(|is_function| (size, is_function)));
        }
        at += line.len();
    }
    found
}

/// Whether a line begins a function, or a class. None if it begins neither.
fn opened(text: &str) -> Option<bool> {
    let is_function = text.starts_with("def ") || text.starts_with("async def ");
    (is_function || text.starts_with("class ")).then_some(is_function)
}

/// What is open behind a line of Python.
#[derive(Default)]
struct LineScanner {
    quote: Option<&'static str>,
    depth: usize,
    /// The line ends with a backslash.
    continues: bool,
    has_comment: bool,
}

impl LineScanner {
    /// Whether no statement is open.
    fn is_between(&self) -> bool {
        self.quote.is_none() && self.depth == 0 && !self.continues
    }

    /// Reads a line with its newline.
    fn read(&mut self, line: &str) {
        (self.continues, self.has_comment) = (false, false);
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            if self.quote.is_none() && first == '#' {
                self.has_comment = true;
                return;
            }
            let size = self.step(rest, first);
            rest = rest.get(size..).unwrap_or_default();
        }
    }

    /// Reads the next letter, or the quote that begins there. How many bytes that was.
    fn step(&mut self, rest: &str, first: char) -> usize {
        let quote = QUOTES.into_iter().find(|quote| rest.starts_with(*quote));
        match (self.quote, first) {
            (_, '\\') => {
                self.continues = rest.trim_end() == "\\";
                return 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            (Some(open), _) if rest.starts_with(open) => {
                self.quote = None;
                return open.len();
            }
            (None, '"' | '\'') => {
                self.quote = quote;
                return quote.map_or(1, str::len);
            }
            (None, '(' | '[' | '{') => self.depth += 1,
            (None, ')' | ']' | '}') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        first.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::FailureSign;

    const SOURCE: &str = "\
LIMIT = 3
if LIMIT:
    pass


def one(a, b):
    \"\"\"A text.

    if a text: it is
    return none
    \"\"\"
    if a < b:
        return a  # as it is
    if (a,
            b):
        return [
            a]
    for c in \"if\": pass
    return f'{a}' + \"x\"


class Two:
    if LIMIT:
        three = 4

    def four(self):
        if self.three: return 1
        return \\
            2
";

    /// A source with some of its statements written differently.
    fn applied(content: &str, rewordings: &[RewordedStatement]) -> String {
        let mut text = content.to_owned();
        for ((start, end), new) in rewordings.iter().flat_map(|one| &one.edits).rev() {
            text.replace_range(*start..*end, new);
        }
        text
    }

    #[test]
    fn conditions_and_results_of_one_line_get_a_name() {
        let found = rewordings(SOURCE);
        let text = applied(SOURCE, &found);
        assert_eq!(found.len(), 2, "{text}");
        assert!(
            text.contains("\n    is_so = a < b\n    if is_so:\n        return a  # as"),
            "{text}"
        );
        assert!(
            text.contains("\n    result = f'{a}' + \"x\"\n    return result\n\n\nclass"),
            "{text}"
        );
    }

    #[test]
    fn a_source_that_sees_its_names_stays() {
        assert!(rewordings(&format!("{SOURCE}\nprint(locals())\n")).is_empty());
        let taken = format!("{SOURCE}result = is_so = 1\n");
        assert!(applied(&taken, &rewordings(&taken)).contains("outcome = f'"));
    }

    fn change(old: &str, new: &str) -> PackChange {
        let start = SOURCE.find(old).unwrap();
        PackChange {
            id: "f1".to_owned(),
            file: "a.py".to_owned(),
            at: (start, start + old.len()),
            text: new.to_owned(),
            operator: "x".to_owned(),
            function: "a.one".to_owned(),
            failure: FailureSign::Wrong,
            tests: vec![0],
            example: 0,
            says: String::new(),
        }
    }

    #[test]
    fn a_change_is_within_a_condition_or_takes_the_whole_statement() {
        let condition = &rewordings(SOURCE)[0];
        assert!(condition.goes_with(&change(" < ", " <= ")), "between the keyword and the colon");
        assert!(condition.goes_with(&change("    if a < b:\n        return a  # as it is\n", "")));
        assert!(!condition.goes_with(&change("if a <", "while a <")), "the keyword alone");
        assert!(!condition.goes_with(&change("b:\n        return a", "b: pass")));
        assert!(!condition.goes_with(&change(" < ", "\n")), "it does not stay on the line");
        assert!(condition.goes_with(&change("LIMIT = 3", "LIMIT = 4")), "it is elsewhere");
    }
}

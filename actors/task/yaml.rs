//! Finds the fields of a template in its YAML text, only to show the place of an error. A
//! deserialized template does not keep the places of its fields, so the text is parsed a second
//! time here. If the text is broken, the places before the break are known.

use granit_parser::{Event, Parser, Span};

/// No template is nested so deeply. Reading stops there, so that a hostile text costs little.
const MAX_DEPTH: usize = 32;

/// A value in the text.
#[derive(Debug)]
struct YamlNode {
    /// The keys and list indices that lead to the value, joined by dots, such as `steps.0.run`.
    path: String,
    /// The bytes of the value in the text: from here up to `to`.
    from: usize,
    to: usize,
    /// Where the key of the value begins; none for the entries of lists.
    key: Option<usize>,
}

/// A list or mapping that is being read.
struct OpenNode {
    path: String,
    /// What comes next inside it.
    next: ExpectedItem,
    from: usize,
}

/// What comes next in an open list or mapping.
enum ExpectedItem {
    /// A key of a mapping.
    Key,
    /// The value of this key, which begins at this byte.
    Value(String, usize),
    /// The list entry with this index.
    Entry(usize),
}

/// Collects the values of a text while the parser reads it.
#[derive(Default)]
struct YamlWalker {
    /// The values that were read completely.
    nodes: Vec<YamlNode>,
    /// The lists and mappings around the present place, outermost first.
    open: Vec<OpenNode>,
}

/// The line and the column of a field, both from one, and a length in characters. With `spot` (a
/// text, and how many equal texts come before it in the field) it is the place of that text.
/// Otherwise it is the first line of the field. If the text does not have the field, it is the
/// place of the innermost part of its path that exists. None if nothing of the path exists.
pub(super) fn place(
    text: &str,
    field: &str,
    spot: Option<(&str, usize)>,
) -> Option<(u64, u64, usize)> {
    let nodes = nodes(text);
    let node = prefixes(field).find_map(|path| nodes.iter().find(|node| node.path == path))?;
    let inside = text.get(node.from..node.to)?;
    let found = spot.filter(|(wanted, _)| !wanted.is_empty()).and_then(|(wanted, nth)| {
        let mut places = inside.match_indices(wanted).map(|(at, _)| at);
        let first = places.next()?;
        let at = if nth == 0 { first } else { places.nth(nth - 1).unwrap_or(first) };
        Some((node.from + at, wanted.chars().count()))
    });
    let line = inside.lines().next().unwrap_or_default().trim_end();
    let (at, length) = found.unwrap_or((node.from, line.chars().count()));
    let (line, column) = line_and_column(text, at)?;
    Some((line, column, length))
}

/// The path of the value that begins at this line and column. None if no value begins there.
pub(super) fn key_at(text: &str, line: u64, column: u64) -> Option<String> {
    let mut nodes = nodes(text).into_iter();
    let found = nodes.find(|node| line_and_column(text, node.from) == Some((line, column)))?;
    Some(found.path).filter(|path| !path.is_empty())
}

/// The text without the key that begins at this line and column, and without its value. Spaces stand
/// in their place, so that every other place of the text stays. None if no key begins there.
pub(super) fn without_key(text: &str, line: u64, column: u64) -> Option<String> {
    let mut nodes = nodes(text).into_iter();
    let is_there = |at: usize| line_and_column(text, at) == Some((line, column));
    let node = nodes.find(|node| node.key.is_some_and(is_there))?;
    let from = node.key?;
    let (before, rest) = text.split_at_checked(from)?;
    let (cut, after) = rest.split_at_checked(node.to.checked_sub(from)?)?;
    let blank = |c: char| if matches!(c, '\n' | '\r') { c } else { ' ' };
    Some(before.chars().chain(cut.chars().map(blank)).chain(after.chars()).collect())
}

/// The path itself, and then the paths around it, innermost first: `a.0.b`, `a.0`, `a`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let outer = path.rmatch_indices('.').map(|(at, _)| &path[..at]);
    std::iter::once(path).chain(outer)
}

/// The line and the column of a byte position, both from one. None if the position is not between
/// two characters.
pub(super) fn line_and_column(text: &str, at: usize) -> Option<(u64, u64)> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[start..].chars().count() + 1;
    Some((line as u64, column as u64))
}

/// All values of the text, up to where it cannot be read any more.
fn nodes(text: &str) -> Vec<YamlNode> {
    let mut walk = YamlWalker::default();
    for next in Parser::new_from_str(text) {
        let Ok((event, span)) = next else { break };
        walk.take(&event, &span);
        if walk.open.len() > MAX_DEPTH {
            break;
        }
    }
    walk.nodes
}

impl YamlWalker {
    /// Handles one event of the parser.
    fn take(&mut self, event: &Event<'_>, span: &Span) {
        let from = span.start.byte_offset().unwrap_or(0);
        let to = span.end.byte_offset().unwrap_or(from);
        match event {
            Event::MappingStart(..) => self.begin(ExpectedItem::Key, from),
            Event::SequenceStart(..) => self.begin(ExpectedItem::Entry(0), from),
            Event::MappingEnd | Event::SequenceEnd => self.end(to),
            Event::Scalar(value, ..) => self.scalar(value, from, to),
            Event::Alias(_) => self.scalar("", from, to),
            _ => {}
        }
    }

    /// A list or mapping begins.
    fn begin(&mut self, next: ExpectedItem, from: usize) {
        let path = self.path();
        self.open.push(OpenNode { path, next, from });
    }

    /// The innermost list or mapping ends.
    fn end(&mut self, to: usize) {
        if let Some(OpenNode { path, from, .. }) = self.open.pop() {
            self.add(path, from, to);
        }
    }

    /// A scalar: a key if a key is expected, otherwise a value.
    fn scalar(&mut self, value: &str, from: usize, to: usize) {
        if let Some(OpenNode { next: next @ ExpectedItem::Key, .. }) = self.open.last_mut() {
            *next = ExpectedItem::Value(value.to_owned(), from);
            return;
        }
        let path = self.path();
        self.add(path, from, to);
    }

    /// Adds a value that was read completely.
    fn add(&mut self, path: String, from: usize, to: usize) {
        let key = match self.open.last().map(|open| &open.next) {
            Some(ExpectedItem::Value(_, key)) => Some(*key),
            _ => None,
        };
        self.nodes.push(YamlNode { path, from, to, key });
        self.passed();
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let Some(open) = self.open.last() else { return String::new() };
        let last = match &open.next {
            ExpectedItem::Key => return open.path.clone(),
            ExpectedItem::Value(key, _) => key.clone(),
            ExpectedItem::Entry(place) => place.to_string(),
        };
        if open.path.is_empty() { last } else { format!("{}.{last}", open.path) }
    }

    /// A value was read completely: the next entry or key is expected.
    fn passed(&mut self) {
        match self.open.last_mut().map(|open| &mut open.next) {
            Some(ExpectedItem::Entry(place)) => *place += 1,
            Some(next) => *next = ExpectedItem::Key,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{key_at, nodes, place, without_key};
    use proptest::prelude::*;

    const TEXT: &str = "\
title: t
instruction: |
  one
  two {{ x }} {{ x }}
files: [{path: 'a', content: \"b\"}]
steps:
  - run: hi
    think: there
  - run: >-
      fold
      ed
";

    #[test]
    fn fields_are_found() {
        for (field, spot, expected) in [
            ("title", None, (1, 8, 1)),
            ("instruction", None, (3, 3, 3)),
            ("instruction", Some(("x", 0)), (4, 10, 1)),
            ("instruction", Some(("x", 1)), (4, 18, 1)),
            ("instruction", Some(("nowhere", 0)), (3, 3, 3)),
            ("files.0.content", None, (5, 30, 3)),
            ("steps.0.think", None, (8, 12, 5)),
            ("steps.1.run", Some(("ed", 0)), (11, 7, 2)),
            ("steps.1.write.path", None, (9, 5, 7)),
        ] {
            assert_eq!(place(TEXT, field, spot), Some(expected), "{field} {spot:?}");
        }
        assert_eq!(place(TEXT, "nothing", None), None);
        assert_eq!(key_at(TEXT, 8, 12).as_deref(), Some("steps.0.think"));
    }

    #[test]
    fn a_key_is_taken_out_and_every_other_place_stays() {
        let text = "a: 1\nb: {c: 2, dé: [x, y], e: 3}\nf: |\n  one\n  two\ng: 4\n";
        let without = |line, column| without_key(text, line, column).unwrap();
        assert_eq!(without(2, 11), text.replace("dé: [x, y]", "          "));
        assert_eq!(without(3, 1), text.replace("f: |\n  one\n  two\n", "    \n     \n     \n"));
        assert_eq!(without(6, 1), text.replace("g: 4", "    "));
        assert_eq!(without_key(text, 2, 2), None);
    }

    #[test]
    fn a_deep_text_costs_little() {
        assert!(nodes(&"[".repeat(100_000)).len() < 100);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[a-c:\\-\\[\\]{}|>'\"&*#\\n é]{0,60}", field in "[a-c.0]{0,6}") {
            if let Some((line, column, _)) = place(&text, &field, Some(("a", 1))) {
                prop_assert!(line >= 1 && column >= 1);
            }
        }
    }
}

//! Where the fields of a template stand in its text. Read only for errors; a text that is
//! broken is known up to where it breaks.

use granit_parser::{Event, Parser, Span};

/// Deeper than any template is; what lies below belongs to what lies here.
const MAX_DEPTH: usize = 32;

/// A value in the text.
#[derive(Debug)]
struct YamlNode {
    /// The keys and places that lead to it, joined by dots.
    path: String,
    /// Bytes.
    from: usize,
    to: usize,
}

/// A list or mapping that is being read.
struct OpenNode {
    path: String,
    /// The key whose value is next, or the place of the next entry of a list.
    next: ExpectedItem,
    from: usize,
}

enum ExpectedItem {
    Key,
    Value(String),
    Entry(usize),
}

#[derive(Default)]
struct YamlWalker {
    nodes: Vec<YamlNode>,
    open: Vec<OpenNode>,
}

/// Line and column from one, and the length in characters: of `spot`, which is a text and
/// how often it stands in the field before, or of the first line of the field. The field is
/// found as far as the text has it.
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

/// The path of the value that stands at a line and column from one.
pub(super) fn key_at(text: &str, line: u64, column: u64) -> Option<String> {
    let mut nodes = nodes(text).into_iter();
    let found = nodes.find(|node| line_and_column(text, node.from) == Some((line, column)))?;
    Some(found.path).filter(|path| !path.is_empty())
}

/// The path, and the paths of all it lies in.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let outer = path.rmatch_indices('.').map(|(at, _)| &path[..at]);
    std::iter::once(path).chain(outer)
}

fn line_and_column(text: &str, at: usize) -> Option<(u64, u64)> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[start..].chars().count() + 1;
    Some((line as u64, column as u64))
}

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

    fn begin(&mut self, next: ExpectedItem, from: usize) {
        let path = self.path();
        self.open.push(OpenNode { path, next, from });
    }

    fn end(&mut self, to: usize) {
        if let Some(OpenNode { path, from, .. }) = self.open.pop() {
            self.nodes.push(YamlNode { path, from, to });
            self.passed();
        }
    }

    fn scalar(&mut self, value: &str, from: usize, to: usize) {
        if let Some(OpenNode { next: next @ ExpectedItem::Key, .. }) = self.open.last_mut() {
            *next = ExpectedItem::Value(value.to_owned());
            return;
        }
        let path = self.path();
        self.nodes.push(YamlNode { path, from, to });
        self.passed();
    }

    /// The path of the value that is next.
    fn path(&self) -> String {
        let Some(open) = self.open.last() else { return String::new() };
        let last = match &open.next {
            ExpectedItem::Key => return open.path.clone(),
            ExpectedItem::Value(key) => key.clone(),
            ExpectedItem::Entry(place) => place.to_string(),
        };
        if open.path.is_empty() { last } else { format!("{}.{last}", open.path) }
    }

    /// A value was read.
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
    use super::{key_at, nodes, place};
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

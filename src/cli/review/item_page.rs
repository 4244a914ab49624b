//! The text of an item: what is shown before the decision, and what after it. Every piece is made safe
//! for a terminal.

use crate::cli::terminal::terminal_text::{TextStyle, TextStyler, escape_controls, escape_line};
use serde::Serialize;
use synthd_actors::model::{DatasetRow, ReviewDecision, ReviewState};
use synthd_actors::review::{
    ReviewBook, ReviewItem, ReviewSection, hidden_sections, shown_sections,
};
use unicode_width::UnicodeWidthChar;

/// The width of a line where there is no terminal.
const USUAL_WIDTH: usize = 100;
/// A tab is shown as so many blanks.
const TAB: &str = "    ";

/// What is shown of an item, for programs.
#[derive(Serialize)]
pub(super) struct ItemDocument<'a> {
    review: &'a str,
    item: u64,
    /// How many items the review has.
    items: u64,
    row: &'a str,
    sections: Vec<ReviewSection>,
    /// What is hidden until the reviewer has decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<HiddenPart<'a>>,
}

/// What a blind reviewer is not shown.
#[derive(Serialize)]
struct HiddenPart<'a> {
    sections: Vec<ReviewSection>,
    state: ReviewState,
    decisions: &'a [ReviewDecision],
}

impl<'a> ItemDocument<'a> {
    pub(super) fn new(
        book: &'a ReviewBook,
        item: &'a ReviewItem,
        row: &DatasetRow,
        open: bool,
    ) -> Self {
        let hidden = open.then(|| HiddenPart {
            sections: hidden_sections(row, &item.contradictions),
            state: book.state(item),
            decisions: book.decisions(item.number),
        });
        let sections = shown_sections(row);
        let head = book.head();
        Self {
            review: &head.name,
            item: item.number,
            items: head.items,
            row: &item.row,
            sections,
            hidden,
        }
    }

    /// The lines before the decision.
    pub(super) fn lines(&self, styler: TextStyler, width: Option<usize>) -> Vec<String> {
        let title = format!("item {} of {}: {}", self.item, self.items, self.row);
        let mut lines = vec![styler.styled(TextStyle::Strong, &escape_line(&title))];
        self.sections.iter().for_each(|section| add(&mut lines, section, styler, width));
        lines
    }

    /// The lines after the decision; none if they are hidden.
    pub(super) fn hidden_lines(&self, styler: TextStyler, width: Option<usize>) -> Vec<String> {
        let Some(hidden) = &self.hidden else { return Vec::new() };
        let mut lines = Vec::new();
        hidden.sections.iter().for_each(|section| add(&mut lines, section, styler, width));
        let said = hidden.decisions.iter().map(|decision| {
            let note = decision.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            format!("{} says {}{note}", decision.reviewer, decision.value.as_str())
        });
        let said: Vec<String> = said.collect();
        let title = format!("decisions ({})", hidden.state.as_str());
        add(&mut lines, &ReviewSection { title, text: said.join("\n") }, styler, width);
        lines
    }
}

/// Adds a section: its title, and its text with a margin.
fn add(lines: &mut Vec<String>, section: &ReviewSection, styler: TextStyler, width: Option<usize>) {
    lines.push(String::new());
    lines.push(styler.styled(TextStyle::Mark, &escape_line(&section.title)));
    let width = width.unwrap_or(USUAL_WIDTH).saturating_sub(2).max(1);
    let text = escape_controls(section.text.trim_end()).replace('\t', TAB);
    for line in text.split('\n') {
        lines.extend(wrapped(line, width).into_iter().map(|piece| format!("  {piece}")));
    }
}

/// The pieces of a line, none wider than `width` columns. Nothing is left out.
fn wrapped(line: &str, width: usize) -> Vec<&str> {
    let (mut pieces, mut begin, mut used) = (Vec::new(), 0, 0);
    for (at, c) in line.char_indices() {
        let wide = UnicodeWidthChar::width(c).unwrap_or(0);
        if used + wide > width && at > begin {
            pieces.push(&line[begin..at]);
            (begin, used) = (at, 0);
        }
        used += wide;
    }
    pieces.push(&line[begin..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    proptest! {
        #[test]
        fn lines_fit_and_nothing_is_left_out(line in "[a-z 漢é]{0,80}", width in 2..20_usize) {
            let pieces = wrapped(&line, width);
            prop_assert!(pieces.iter().all(|piece| UnicodeWidthStr::width(*piece) <= width));
            prop_assert_eq!(pieces.concat(), line);
        }
    }

    #[test]
    fn no_code_of_a_row_reaches_the_terminal() {
        let text = "a\u{1b}[2J\u{202e}b\u{9b}31m\tc\r\nd".to_owned();
        let section = ReviewSection { title: "t\u{1b}[1m\nx".to_owned(), text };
        let mut lines = Vec::new();
        add(&mut lines, &section, TextStyler::plain(), None);
        let wanted = ["", "t␛[1m␊x", "  a␛[2J\\u{202e}b\\u{9b}31m    c", "  d"];
        assert_eq!(lines, wanted);
    }
}

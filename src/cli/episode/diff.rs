//! A small diff of two observations for `episode replay`: the lines that differ, with a little
//! context.
//!
//! It cuts the common lines at the head and at the tail, and shows all between them as changed.
//! Observations are short, and usually one place differs.

use crate::cli::terminal::terminal_text::{TextStyle, TextStyler, elide_middle};

/// Equal lines that are shown before and after the difference.
const AROUND: usize = 2;
/// The most differing lines that are shown of each side.
const MOST: usize = 16;

/// The diff as text: lines with `-` are the recorded ones, lines with `+` are the new ones.
pub(super) fn diff(styler: TextStyler, recorded: &str, found: &str) -> String {
    let (old, new) = (split(recorded), split(found));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    // The tail may not reach into the head: in `a a` and `a`, the same line would count twice.
    let rest = old.len().min(new.len()) - head;
    let tails = old.iter().rev().zip(new.iter().rev()).take(rest);
    let tail = tails.take_while(|(a, b)| a == b).count();
    let mut shown = Vec::new();
    same(&mut shown, styler, &old[head.saturating_sub(AROUND)..head]);
    differing(&mut shown, styler, TextStyle::Bad, "- ", &old[head..old.len() - tail]);
    differing(&mut shown, styler, TextStyle::Good, "+ ", &new[head..new.len() - tail]);
    let after = &old[old.len() - tail..];
    same(&mut shown, styler, &after[..after.len().min(AROUND)]);
    shown.join("\n")
}

/// The lines of a text. A text that ends with a newline has an empty last line, so that a missing
/// newline is seen.
fn split(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

/// Adds lines of context.
fn same(shown: &mut Vec<String>, styler: TextStyler, lines: &[&str]) {
    shown.extend(lines.iter().map(|line| styler.styled(TextStyle::Faint, &format!("    {line}"))));
}

/// Adds the differing lines of one side, cut in the middle if there are many.
fn differing(
    shown: &mut Vec<String>,
    styler: TextStyler,
    style: TextStyle,
    mark: &str,
    lines: &[&str],
) {
    if lines.is_empty() {
        return;
    }
    let text = elide_middle(&lines.join("\n"), MOST);
    shown.extend(text.split('\n').map(|line| styler.styled(style, &format!("  {mark}{line}"))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_differs_and_a_little_around_is_shown() {
        let recorded = "a\nb\nc\nold\nd\ne\nf\n";
        let found = "a\nb\nc\nnew\nmore\u{7}\nd\ne\nf\n";
        let shown = diff(TextStyler::plain(), recorded, found);
        assert_eq!(shown, "    b\n    c\n  - old\n  + new\n  + more␇\n    d\n    e");
    }

    #[test]
    fn a_missing_newline_shows() {
        assert_eq!(diff(TextStyler::plain(), "a\n", "a"), "    a\n  - ");
    }

    proptest! {
        #[test]
        fn any_two_texts_have_a_diff(a in "[ab\n]{0,40}", b in "[ab\n]{0,40}") {
            let shown = diff(TextStyler::plain(), &a, &b);
            let marked = shown.lines().any(|l| l.starts_with("  - ") || l.starts_with("  + "));
            prop_assert_eq!(marked, a != b);
        }
    }
}

//! Small pieces of Markdown for the dataset cards.

use std::fmt::Write as _;

/// A table with titles. The cells must not contain a bare `|`; see [`cell`].
pub(super) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}", titles.join(" | "), " --- |".repeat(titles.len()));
    for row in rows {
        // Writing to a string cannot fail.
        write!(text, "\n| {} |", row.join(" | ")).unwrap_or_default();
    }
    text
}

/// A text as one line, whatever line breaks it contains.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text for a cell of a table: one line, with each `|` escaped.
pub(super) fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}

/// A share as a percentage, such as `66.7 %`; `-` if it is unknown.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

/// A number with two decimals; `-` if it is unknown.
pub(super) fn decimal(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:.2}"))
}

/// A whole number; `-` if it is unknown.
pub(super) fn whole(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), |v| v.to_string())
}

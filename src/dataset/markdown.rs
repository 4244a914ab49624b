//! Small pieces of Markdown for the card.

use std::fmt::Write as _;

pub(super) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}", titles.join(" | "), " --- |".repeat(titles.len()));
    for row in rows {
        // Writing to a string cannot fail.
        write!(text, "\n| {} |", row.join(" | ")).unwrap_or_default();
    }
    text
}

/// One line of plain text, whatever a name holds.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

pub(super) fn decimal(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:.2}"))
}

pub(super) fn whole(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), |v| v.to_string())
}

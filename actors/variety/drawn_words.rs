//! The words that a template draws. A text without them is the same in tasks that differ only in
//! numbers and names.

use crate::task::{ParamSpec, Template, TemplateError};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// Stands for something drawn: a word or a number.
const DRAWN: char = '@';
/// Characters between entries of a list, parts of a name and parts of a time.
const BETWEEN: &str = " ,.:/_'\"";
/// A derived text of more words is no name, but a text of the template itself.
const MOST_WORDS: usize = 3;

/// The words of everything that a template draws under some seeds, in lower case.
pub(super) struct DrawnWords(HashSet<String>);

impl DrawnWords {
    /// The words that are drawn under the seeds 1 to `seeds`. A word that any of them draws counts
    /// in all tasks, because the others may have it as a fixed word.
    pub(super) fn of(template: &Template, seeds: u32) -> Result<Self, TemplateError> {
        let mut words = Self(HashSet::new());
        for seed in 1..=seeds {
            let drawn = template.drawn(u64::from(seed), 0)?;
            for (name, spec) in &template.parameters.0 {
                let most = match spec {
                    ParamSpec::Derive(_) => MOST_WORDS,
                    _ => usize::MAX,
                };
                drawn.get(name).into_iter().for_each(|value| words.add(value, most));
            }
        }
        Ok(words)
    }

    /// Adds the words of the texts in a value that have at most `most` words.
    fn add(&mut self, value: &Value, most: usize) {
        match value {
            Value::String(text) => {
                let found: Vec<&str> = pieces(text).filter(|piece| is_word(piece)).collect();
                if found.len() <= most {
                    self.0.extend(found.into_iter().map(str::to_lowercase));
                }
            }
            Value::Array(list) => list.iter().for_each(|one| self.add(one, most)),
            Value::Object(map) => map.values().for_each(|one| self.add(one, most)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The different lines of a text in the order of the alphabet, without what is drawn. So neither
    /// the number of entries in data nor their order makes a difference.
    pub(super) fn lines(&self, text: &str) -> String {
        let lines: BTreeSet<String> = text.lines().map(|line| self.masked(line.trim())).collect();
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }

    /// A text of one line without what is drawn.
    pub(super) fn masked(&self, line: &str) -> String {
        let mut text = String::with_capacity(line.len());
        for piece in pieces(line) {
            if !is_word(piece) {
                text.push_str(piece);
                continue;
            }
            match self.kept(piece) {
                Some(word) => text.push_str(&word),
                None => push_drawn(&mut text),
            }
        }
        text
    }

    /// What is fixed of a word: nothing of a number, of a drawn word and of a mixture such as a
    /// digest, and all but the number of a numbered word such as `page2`.
    fn kept(&self, word: &str) -> Option<String> {
        if self.0.contains(&word.to_lowercase()) {
            return None;
        }
        let (letters, rest) = word.split_at(word.find(char::is_numeric).unwrap_or(word.len()));
        if rest.is_empty() {
            return Some(word.to_owned());
        }
        let is_numbered = !letters.is_empty() && rest.chars().all(char::is_numeric);
        is_numbered.then(|| format!("{letters}0"))
    }
}

/// Adds the sign of something drawn. Several in a row have one sign, however many they are.
fn push_drawn(text: &mut String) {
    let before = text
        .strip_suffix('-')
        .unwrap_or_else(|| text.trim_end_matches(|letter: char| BETWEEN.contains(letter)));
    let end = before.ends_with(DRAWN).then_some(before.len());
    match end {
        Some(end) => text.truncate(end),
        None => text.push(DRAWN),
    }
}

/// The words of a line, and the characters between them one by one.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match first.is_alphanumeric() {
            true => rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Whether a piece is a word.
fn is_word(piece: &str) -> bool {
    piece.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_has_one_sign() {
        let words = DrawnWords(["red", "lamp", "e101"].map(str::to_owned).into());
        for (line, masked) in [
            ("take the Red-lamp, lamp and red", "take the @ and @"),
            ("2024-03-14 17:05: E101", "@"),
            ("if a <= 17 or b < page2:", "if a <= @ or b < page0:"),
            ("x - 1", "x - @"),
            ("['red', 'lamp']", "['@']"),
            ("sha256 9f3a0c lamps", "sha0 @ lamps"),
            ("", ""),
        ] {
            assert_eq!(words.masked(line), masked, "{line}");
        }
        assert_eq!(words.lines("b 1\n  a\nb 22\n"), "a\nb @");
    }
}

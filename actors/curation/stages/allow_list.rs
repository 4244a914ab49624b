//! What the people of a recipe say is no finding: texts, and regular expressions behind `re:`.

use crate::curation::TextMatch;
use regex::Regex;
use std::collections::BTreeSet;

/// What stands in front of a regular expression.
const PATTERN: &str = "re:";

/// Passages that are no findings.
pub(super) struct AllowList {
    /// Whole passages.
    texts: BTreeSet<String>,
    /// What a passage may have anywhere.
    patterns: Vec<Regex>,
}

impl AllowList {
    /// The list of a recipe. A recipe's reader has refused entries that cannot be read; such a one counts as a text.
    pub(super) fn new(entries: &[String]) -> Self {
        let (mut texts, mut patterns) = (BTreeSet::new(), Vec::new());
        for entry in entries {
            match entry.strip_prefix(PATTERN).map(Regex::new) {
                Some(Ok(pattern)) => patterns.push(pattern),
                Some(Err(_)) | None => {
                    texts.insert(entry.clone());
                }
            }
        }
        Self { texts, patterns }
    }

    fn allows(&self, passage: &str) -> bool {
        self.texts.contains(passage) || self.patterns.iter().any(|one| one.is_match(passage))
    }

    /// The passages that are not allowed, in their order. Of two that overlap, the first and longer one stays.
    pub(super) fn settle(&self, text: &str, mut found: Vec<TextMatch>) -> Vec<TextMatch> {
        found.sort_by(|one, other| {
            one.at.start.cmp(&other.at.start).then(other.at.end.cmp(&one.at.end))
        });
        let mut end = 0;
        found.retain(|one| {
            let passage = text.get(one.at.clone());
            let stays = one.at.start >= end && passage.is_some_and(|text| !self.allows(text));
            if stays {
                end = one.at.end;
            }
            stays
        });
        found
    }
}

/// What is wrong with an entry of an allow-list, in words.
pub fn check_allowed(entry: &str) -> Result<(), String> {
    match entry.strip_prefix(PATTERN).map(Regex::new) {
        Some(Err(error)) => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_whole_passages_and_patterns_are_anywhere() {
        let list = AllowList::new(&["one".to_owned(), "re:^t[wx]o$".to_owned()]);
        assert!(list.allows("one") && list.allows("two"));
        assert!(!list.allows("one more") && !list.allows("twos"));
        assert!(check_allowed("re:[a").is_err());
        assert_eq!(check_allowed("[a"), Ok(()));
    }

    #[test]
    fn the_first_of_overlapping_passages_stays_and_the_longer_one() {
        let found = |at, what| TextMatch { at, what };
        let list = AllowList::new(&["cd".to_owned()]);
        let all = vec![found(4..6, "b"), found(0..2, "short"), found(0..3, "a"), found(2..4, "cd")];
        assert_eq!(list.settle("abcdef", all), [found(0..3, "a"), found(4..6, "b")]);
    }
}

//! Names that a recipe gives, as words of a text. Upper and lower case are the same.

use super::byte_set::{begins_word, ends_word};
use super::gram_filter::GramFilter;
use crate::curation::TextMatch;

/// The fewest bytes of a given name. A shorter one would be found in half of all words.
pub const SHORTEST_NAME: usize = 3;

/// Names to look for.
pub(super) struct GivenNames {
    filter: GramFilter,
    lengths: Vec<usize>,
}

impl GivenNames {
    pub(super) fn new(names: &[String]) -> Self {
        let filter = GramFilter::new(names.iter().map(String::as_str));
        Self { filter, lengths: names.iter().map(String::len).collect() }
    }

    /// Adds the places of the names. Nothing is looked at if there are none.
    pub(super) fn scan(&self, text: &str, what: &'static str, found: &mut Vec<TextMatch>) {
        if self.lengths.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        self.filter.scan(bytes, |number, at| {
            let end = at + self.lengths[number];
            if begins_word(bytes, at) && ends_word(bytes, end) {
                found.push(TextMatch { at: at..end, what });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        let names = GivenNames::new(&["build-7".to_owned(), "ada".to_owned()]);
        let text = "ADA@build-7: adas build-70 nada build-7.lan";
        let mut found = Vec::new();
        names.scan(text, "name", &mut found);
        let found: Vec<_> = found.into_iter().map(|one| one.at.start).collect();
        assert_eq!(found, [0, 4, 32]);
    }
}

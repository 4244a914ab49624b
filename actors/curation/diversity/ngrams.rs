//! Words of a text, and how often rows of them occur.

use std::collections::HashMap;

/// The words of a text in lower case. Everything that is no letter, digit or underscore parts words.
pub(super) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// How often each row of `n` words occurs.
pub(super) fn counts(words: &[String], n: usize) -> HashMap<&[String], u32> {
    let mut counts = HashMap::new();
    for gram in words.windows(n) {
        *counts.entry(gram).or_insert(0) += 1;
    }
    counts
}

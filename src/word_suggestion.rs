//! Suggestions for misspelt words ("did you mean"): for keys, and for values that must be one of a
//! few words.

/// A longer word, in bytes, is no typing mistake, and comparing it would take long.
const MAX_LENGTH: usize = 64;

/// The known word that was most likely meant. None if no word is near enough: at most a third of
/// the letters may differ, or one letter in a short word.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_LENGTH {
        return None;
    }
    let plain = plain(word);
    let distance = |name: &str| strsim::damerau_levenshtein(&plain, &self::plain(name));
    let allowed = |name: &str| (name.len().max(plain.len()) / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= allowed(name) && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The hint for a `word` that is none of the `known` ones: the word that was meant, and all words.
pub(crate) fn one_of(word: &str, known: &[&str]) -> String {
    let all = format!("known: {}", known.join(", "));
    match closest(word, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? ({all})"),
        None => all,
    }
}

/// The word for the comparison. Case, hyphens, underscores and spaces are confused more often than
/// letters, so they do not count as differences.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['_', ' '], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["cross", "round-robin", "weighted", "per_template"];

    #[test]
    fn finds_what_was_meant() {
        for (word, meant) in [
            ("crss", "cross"),
            ("CROSS", "cross"),
            ("round_robin", "round-robin"),
            ("roundrobin", "round-robin"),
            ("wieghted", "weighted"),
            ("per-template", "per_template"),
        ] {
            assert_eq!(closest(word, WORDS), Some(meant), "{word}");
        }
    }

    #[test]
    fn does_not_guess_wildly() {
        for word in ["", "x", "template_count", "budget", &"w".repeat(1_000_000)] {
            assert_eq!(closest(word, WORDS), None, "{word:.20}");
        }
    }
}

//! Whether a value looks drawn at random, or like words, a reference or a place to fill in.

use crate::curation::stages::byte_set::ByteSet;

/// So many equal characters in a row stand for a value that was left out.
const REPEATED: usize = 6;
/// So many characters in the order of the alphabet or of numbers stand for all of them.
const ASCENDING: usize = 8;
/// Texts, in lower case, that say that a value is none.
const STAND_INS: [&str; 21] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "change-this",
    "replace_",
    "replace-",
    "replaceme",
    "your_",
    "your-",
    "yourpass",
    "password",
    "passwd",
    "fake",
    "dummy",
    "sample",
    "redacted",
    "notreal",
    "not-a-real",
    "todo",
];
/// How values begin that refer to another one, or are to be filled in.
const REFERENCES: [&str; 10] = ["${", "$(", "{{", "<", "%(", "%{", "[", "#{", "{", "***"];

/// The entropy of the bytes, in bits for each.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let all = bytes.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / all);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

/// Whether a value stands for one that is not there.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    REFERENCES.iter().any(|begin| value.starts_with(begin))
        || is_variable(value)
        || STAND_INS.iter().any(|text| lower.contains(text))
        || longest(value, |one, next| one == next) >= REPEATED
        || longest(&lower, |one, next| one.checked_add(1) == Some(next)) >= ASCENDING
}

/// `$NAME` or `%NAME%`.
fn is_variable(value: &str) -> bool {
    let bytes = value.as_bytes();
    let name = |begin: usize, end: usize| {
        end > begin && ByteSet::WORD.run(bytes, begin, end - begin) == end - begin
    };
    match bytes {
        [b'$', first, ..] => ByteSet::LETTERS.with("_").contains(*first) && name(1, bytes.len()),
        [b'%', .., b'%'] => bytes.len() > 2 && name(1, bytes.len() - 1),
        _ => false,
    }
}

/// The length of the longest part in which each byte and the next one belong together.
fn longest(value: &str, together: impl Fn(u8, u8) -> bool) -> usize {
    let (mut longest, mut length) = (1, 1);
    for pair in value.as_bytes().windows(2) {
        length = if together(pair[0], pair[1]) { length + 1 } else { 1 };
        longest = longest.max(length);
    }
    longest
}

/// Whether there is a digit or a capital. Words that are joined by punctuation have none.
pub(super) fn is_mixed(bytes: &[u8]) -> bool {
    let mixing = ByteSet::UPPER.with("0123456789");
    bytes.iter().any(|byte| mixing.contains(*byte))
}

/// Whether a value is words with numbers, such as `gpt-4o.mini` or `key_2`: every part between
/// punctuation is letters, then a number, then a letter or two; each of them may be missing.
pub(super) fn is_wordy(value: &str) -> bool {
    let mut parts = value.split(['-', '_', '.', ':', '/', ' ', ',']);
    parts.all(|part| {
        let bytes = part.as_bytes();
        let letters = ByteSet::LETTERS.run(bytes, 0, bytes.len());
        let digits = ByteSet::DIGITS.run(bytes, letters, 5);
        let rest = ByteSet::LETTERS.run(bytes, letters + digits, 2);
        letters + digits + rest == bytes.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_bytes() {
        assert_eq!(entropy(b"aaaa").abs(), 0.0);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
        assert!((entropy(b"aab") - 0.918_295_8).abs() < 1e-6);
    }

    #[test]
    fn what_is_filled_in_later_is_a_placeholder() {
        let placeholders = [
            "${TOKEN}",
            "$TOKEN",
            "%TOKEN%",
            "<token>",
            "{{ token }}",
            "[x]",
            "your-api-key",
            "Qx5tExample9",
            "Password12",
            "xxxxxxx8",
            "a1b2abcdefgh",
            "q7-12345678",
            "{0}",
        ];
        placeholders.iter().for_each(|text| assert!(is_placeholder(text), "{text}"));
        let others = ["$5q.w", "k9$TOKEN", "Wr7pQx", "m1n2b3v4", "%7Ea", "ABCDEF7q"];
        others.iter().for_each(|text| assert!(!is_placeholder(text), "{text}"));
    }

    #[test]
    fn words_with_numbers_are_wordy_and_random_texts_are_not() {
        let words = [
            "access_token",
            "cl100k_base",
            "gpt-4o",
            "X25519.key_length",
            "cert.p12",
            "a",
            "v1.2.3",
            "12",
        ];
        words.iter().for_each(|text| assert!(is_wordy(text), "{text}"));
        let others = ["hunter2x9", "9b74c989", "S3cr3t", "a!b7", "743b294a-cd03"];
        others.iter().for_each(|text| assert!(!is_wordy(text), "{text}"));
    }
}

//! The words of a text as hashes. A word is a run of letters, digits and underscores, in lower case;
//! all else parts words. A character of a script that is written without spaces is a word of its own.
//! The hash is fast and not cryptographic: who writes a text could make two words of one hash.

/// A word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextWord {
    pub(super) hash: u64,
    /// Whether its first character is a digit.
    pub(super) is_number: bool,
}

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;
/// The base of the rolling hashes.
const BASE: u64 = 0xa076_1d64_78bd_642f;

/// Both halves of a product: each bit of both numbers moves all bits.
pub(super) fn mixed(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ FIRST) * u128::from(right ^ SECOND);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The hash of some bytes.
pub(super) fn bytes_hash(bytes: &[u8]) -> u64 {
    let mut hash = mixed(bytes.len() as u64, FIRST);
    for part in bytes.chunks(8) {
        let mut whole = [0; 8];
        whole[..part.len()].copy_from_slice(part);
        hash = mixed(hash, u64::from_le_bytes(whole));
    }
    hash
}

/// The hash of a word. It must be in lower case.
pub(super) fn word_hash(word: &str) -> u64 {
    let mut found = OpenWord::default();
    word.bytes().for_each(|byte| found.push(byte));
    found.end().hash
}

/// A word that is being read.
#[derive(Default)]
struct OpenWord {
    hash: u64,
    /// Up to eight bytes that are not in the hash yet.
    part: u64,
    length: u64,
    is_number: bool,
}

impl OpenWord {
    #[inline]
    fn push(&mut self, byte: u8) {
        if self.length == 0 {
            self.is_number = byte.is_ascii_digit();
        } else if self.length.is_multiple_of(8) {
            self.hash = mixed(self.hash, self.part);
            self.part = 0;
        }
        self.part = (self.part << 8) | u64::from(byte);
        self.length += 1;
    }

    /// Ends the word and begins the next one.
    #[inline]
    fn end(&mut self) -> TextWord {
        let hash = mixed(self.hash ^ self.length, self.part);
        let word = TextWord { hash, is_number: self.is_number };
        *self = Self::default();
        word
    }
}

/// What a byte is: 0 parts words, 255 begins a character that is not ASCII, all else is the byte of a
/// word in lower case.
const KINDS: [u8; 256] = kinds();
const NO_ASCII: u8 = 255;

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            kinds[at] = byte.to_ascii_lowercase();
        } else if !byte.is_ascii() {
            kinds[at] = NO_ASCII;
        }
        at += 1;
    }
    kinds
}

/// Shows each word of a text, in their order.
#[inline]
pub(super) fn each_word(text: &str, mut see: impl FnMut(TextWord)) {
    let bytes = text.as_bytes();
    let (mut at, mut word) = (0, OpenWord::default());
    while at < bytes.len() {
        match KINDS[usize::from(bytes[at])] {
            0 => {
                if word.length > 0 {
                    see(word.end());
                }
                at += 1;
            }
            NO_ASCII => at += other_letter(text, at, &mut word, &mut see),
            byte => {
                word.push(byte);
                at += 1;
            }
        }
    }
    if word.length > 0 {
        see(word.end());
    }
}

/// Reads a character that is not ASCII. Returns its length.
#[cold]
fn other_letter(
    text: &str,
    at: usize,
    word: &mut OpenWord,
    see: &mut impl FnMut(TextWord),
) -> usize {
    let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) else { return 1 };
    let alone = is_unspaced(letter);
    if word.length > 0 && (alone || !letter.is_alphanumeric()) {
        see(word.end());
    }
    if letter.is_alphanumeric() || alone {
        let mut buffer = [0; 4];
        for lower in letter.to_lowercase() {
            lower.encode_utf8(&mut buffer).bytes().for_each(|byte| word.push(byte));
        }
    }
    if alone {
        see(word.end());
    }
    letter.len_utf8()
}

/// Whether a character is of a script that puts no spaces between words.
fn is_unspaced(letter: char) -> bool {
    matches!(u32::from(letter),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

/// The hash of the last so many words, moved on by one word at a time.
#[derive(Clone, Debug)]
pub(super) struct RollingHash {
    sum: u64,
    /// The base to the power of the length.
    leaving: u64,
}

impl RollingHash {
    pub(super) fn new(length: u32) -> Self {
        Self { sum: 0, leaving: BASE.wrapping_pow(length) }
    }

    /// Takes a word in and puts the one that stood `length` words before it out; 0 if there is none.
    #[inline]
    pub(super) fn moved(&mut self, entering: u64, leaving: u64) {
        let kept = self.sum.wrapping_mul(BASE).wrapping_add(entering);
        self.sum = kept.wrapping_sub(leaving.wrapping_mul(self.leaving));
    }

    #[inline]
    pub(super) fn hash(&self) -> u64 {
        mixed(self.sum, BASE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn words(text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.hash));
        words
    }

    fn hashes(expected: &[&str]) -> Vec<u64> {
        expected.iter().map(|word| word_hash(word)).collect()
    }

    #[test]
    fn words_are_what_stands_between_punctuation() {
        assert_eq!(words("A  list, of_words: x+1\n"), hashes(&["a", "list", "of_words", "x", "1"]));
        assert_eq!(words("\u{c4}rger-\u{df}2"), hashes(&["\u{e4}rger", "\u{df}2"]));
        assert_eq!(words("ab\u{4f60}\u{597d}c"), hashes(&["ab", "\u{4f60}", "\u{597d}", "c"]));
        assert_eq!(words(" \u{2014}!\0"), hashes(&[]));
        let mut numbers = Vec::new();
        each_word("7up x7 2.5", |word| numbers.push(word.is_number));
        assert_eq!(numbers, [true, false, true, true]);
    }

    #[test]
    fn no_two_of_many_words_have_one_hash() {
        let letters = ["", "a", "aa", "aaaaaaaa", "aaaaaaaaa", "\0", "b", "_"];
        let ends = (0..50_000).map(|at| format!("{}{at}", letters[at % letters.len()]));
        let hashes: BTreeSet<u64> = ends.map(|word| word_hash(&word)).collect();
        assert_eq!(hashes.len(), 50_000);
        let zeros: BTreeSet<u64> = (0..40).map(|length| bytes_hash(&vec![0; length])).collect();
        assert_eq!(zeros.len(), 40);
    }

    #[test]
    fn each_bit_of_a_number_moves_half_of_the_hash() {
        for bit in 0..64 {
            let moved: u32 = (0..256_u64)
                .map(|at| {
                    let number = at.wrapping_mul(BASE);
                    (mixed(number, 7) ^ mixed(number ^ (1 << bit), 7)).count_ones()
                })
                .sum();
            assert!((256 * 24..256 * 40).contains(&moved), "bit {bit}: {moved}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_the_words_that_letters_say(text in "\\PC{0,40}") {
            let mut expected: Vec<String> = vec![String::new()];
            for letter in text.chars() {
                if is_unspaced(letter) {
                    expected.extend([letter.to_string(), String::new()]);
                } else if letter.is_alphanumeric() || letter == '_' {
                    let lower: String = letter.to_lowercase().collect();
                    expected.last_mut().unwrap().push_str(&lower);
                } else {
                    expected.push(String::new());
                }
            }
            let expected: Vec<u64> = expected
                .iter()
                .filter(|word| !word.is_empty())
                .map(|word| word_hash(word))
                .collect();
            prop_assert_eq!(words(&text), expected);
        }

        #[test]
        fn a_rolling_hash_depends_on_the_last_words_alone(
            before in proptest::collection::vec(any::<u64>(), 0..9),
            last in proptest::collection::vec(any::<u64>(), 4),
        ) {
            let rolled = |words: &[u64]| {
                let mut rolling = RollingHash::new(4);
                for (at, word) in words.iter().enumerate() {
                    let leaving = at.checked_sub(4).map_or(0, |at| words[at]);
                    rolling.moved(*word, leaving);
                }
                rolling.hash()
            };
            prop_assert_eq!(rolled(&[before, last.clone()].concat()), rolled(&last));
        }
    }
}

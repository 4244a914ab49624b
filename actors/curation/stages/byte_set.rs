//! A set of ASCII characters, and how long a text stays in it.

/// A set of ASCII characters. No other byte is in it.
#[derive(Clone, Copy)]
pub(super) struct ByteSet(u128);

impl ByteSet {
    pub(super) const DIGITS: Self = Self::range(b'0', b'9');
    pub(super) const LOWER: Self = Self::range(b'a', b'z');
    pub(super) const UPPER: Self = Self::range(b'A', b'Z');
    pub(super) const LETTERS: Self = Self::LOWER.or(Self::UPPER);
    pub(super) const ALNUM: Self = Self::LETTERS.or(Self::DIGITS);
    pub(super) const HEX: Self = Self::DIGITS.with("abcdefABCDEF");
    /// Letters, digits and `_`.
    pub(super) const WORD: Self = Self::ALNUM.with("_");
    /// The alphabet of base64 in URLs.
    pub(super) const URL_SAFE: Self = Self::WORD.with("-");
    /// Both alphabets of base64, with padding.
    pub(super) const BASE64: Self = Self::URL_SAFE.with("+/=");

    pub(super) const fn of(bytes: &str) -> Self {
        Self(0).with(bytes)
    }

    /// The set with more characters, which must be ASCII.
    pub(super) const fn with(self, more: &str) -> Self {
        let (more, mut set, mut at) = (more.as_bytes(), self.0, 0);
        while at < more.len() {
            set |= 1_u128 << more[at];
            at += 1;
        }
        Self(set)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn range(first: u8, last: u8) -> Self {
        let (mut set, mut byte) = (0_u128, first);
        while byte <= last {
            set |= 1_u128 << byte;
            byte += 1;
        }
        Self(set)
    }

    pub(super) const fn contains(self, byte: u8) -> bool {
        byte < 128 && (self.0 >> byte) & 1 == 1
    }

    /// How many bytes from `at` on are in the set, up to `most`.
    pub(super) fn run(self, bytes: &[u8], at: usize, most: usize) -> usize {
        let here = bytes.iter().skip(at).take(most);
        here.take_while(|byte| self.contains(**byte)).count()
    }

    /// How many bytes in front of `end` are in the set, up to `most`.
    pub(super) fn run_back(self, bytes: &[u8], end: usize, most: usize) -> usize {
        let before = bytes.iter().take(end).rev().take(most);
        before.take_while(|byte| self.contains(**byte)).count()
    }
}

/// The byte in front of a place.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.checked_sub(1)?).copied()
}

/// Whether an escape such as `\n`, as it is written, ends at a place.
pub(super) fn is_escape(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(..at), Some([.., b'\\', b'n' | b'r' | b't']))
}

/// Whether no ASCII word goes on over the place `at` from the left. The letter of an escape belongs to no word,
/// and in scripts without blanks any letter may stand in front.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    let front = before(bytes, at);
    front.is_none_or(|byte| !ByteSet::WORD.contains(byte)) || is_escape(bytes, at)
}

/// Whether no ASCII word goes on behind `end`.
pub(super) fn ends_word(bytes: &[u8], end: usize) -> bool {
    bytes.get(end).is_none_or(|byte| !ByteSet::WORD.contains(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_the_set_or_the_text_or_its_measure_ends() {
        let text = b"ab12-\xc3\xa9";
        assert_eq!(ByteSet::ALNUM.run(text, 0, 10), 4);
        assert_eq!(ByteSet::ALNUM.run(text, 0, 3), 3);
        assert_eq!(ByteSet::ALNUM.run(text, 9, 3), 0);
        assert_eq!(ByteSet::DIGITS.run_back(text, 4, 10), 2);
        assert_eq!(ByteSet::ALNUM.run_back(text, 4, 3), 3);
        assert!(!ByteSet::BASE64.contains(0xc3));
    }

    #[test]
    fn words_end_at_all_other_characters() {
        let text = "é word\\nnext".as_bytes();
        assert!(begins_word(text, 0) && begins_word(text, 3));
        assert!(!begins_word(text, 4));
        assert!(begins_word(text, 9), "the escape is no part of the word");
        assert!(ends_word(text, 7) && ends_word(text, text.len()));
        assert!(!ends_word(text, 6));
    }
}

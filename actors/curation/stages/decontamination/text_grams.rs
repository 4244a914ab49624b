//! The grams of a text: rows of eight and of thirteen words, and rows of thirteen words whose names are
//! told by their places. In the last ones, a name is said by how far back it occurred in the gram, so
//! other names at the same places make the same gram. Numbers and the usual words of programming
//! languages stay as they are, and a gram that has few of them says too little to count.

use crate::curation::stages::text_words::{RollingHash, TextWord, each_word, mixed, word_hash};

/// How many words a short gram has.
pub(super) const SHORT: usize = 8;
/// How many words a long gram and a gram of names by their places have.
pub(super) const LONG: usize = 13;
/// How many words of the latter are numbers or usual words, at least.
const FIXED: u32 = 3;
/// How many of its words are those or names that occurred in it before, at least.
const TOLD: u32 = 6;

/// The grams that end with one word; none where the text has too few words before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WordGrams {
    pub(super) short: Option<u64>,
    pub(super) long: Option<u64>,
    pub(super) shape: Option<u64>,
}

/// Reads grams.
pub(super) struct GramReader {
    usual: UsualWords,
    short: RollingHash,
    long: RollingHash,
    shape: NameShape,
}

impl GramReader {
    pub(super) fn new() -> Self {
        Self {
            usual: UsualWords::new(),
            short: RollingHash::new(SHORT as u32),
            long: RollingHash::new(LONG as u32),
            shape: NameShape::new(),
        }
    }

    /// Shows the grams of a text, word by word.
    #[inline]
    pub(super) fn each(&self, text: &str, mut see: impl FnMut(WordGrams)) {
        let (mut short, mut long) = (self.short.clone(), self.long.clone());
        let (mut shape, mut last) = (self.shape.clone(), [0_u64; LANES]);
        let mut at = 0_usize;
        each_word(text, |word| {
            short.moved(word.hash, last[at.wrapping_sub(SHORT) % LANES]);
            long.moved(word.hash, last[at.wrapping_sub(LONG) % LANES]);
            last[at % LANES] = word.hash;
            shape.moved(at, word.hash, self.usual.is_fixed(word));
            at += 1;
            see(WordGrams {
                short: (at >= SHORT).then(|| short.hash()),
                long: (at >= LONG).then(|| long.hash()),
                shape: if at >= LONG { shape.hash() } else { None },
            });
        });
    }
}

/// The places of a ring that has more than the longest gram.
const LANES: usize = 16;
const BASE: u64 = 0xe703_7ed1_a0b4_28db;

/// The hash of the last words with names told by their places, moved on by one word at a time.
#[derive(Clone)]
struct NameShape {
    sum: u64,
    /// The powers of the base.
    powers: [u64; LANES],
    /// What a name counts that occurred so many words before; 0 for one that did not.
    names: [u64; LANES],
    /// The names of the last words; 0 for a word that is no name.
    ids: [u32; LANES],
    /// What each of the last words counts.
    counts: [u64; LANES],
    /// How far behind each of the last words its name occurs again; 0 if it does not.
    again: [usize; LANES],
    fixed: u32,
    /// How many of the last words are fixed or names that occurred before.
    told: u32,
    /// A bit for each of the last words that is fixed, the newest lowest.
    fixed_places: u32,
}

impl NameShape {
    fn new() -> Self {
        let mut powers = [1_u64; LANES];
        for at in 1..LANES {
            powers[at] = powers[at - 1].wrapping_mul(BASE);
        }
        let mut names = [0; LANES];
        names.iter_mut().zip(1..).for_each(|(name, at)| *name = mixed(at, BASE));
        Self {
            sum: 0,
            powers,
            names,
            ids: [0; LANES],
            counts: [0; LANES],
            again: [0; LANES],
            fixed: 0,
            told: 0,
            fixed_places: 0,
        }
    }

    /// Takes in the word at a place, and puts out the one that stood thirteen words before.
    #[inline]
    fn moved(&mut self, at: usize, word: u64, is_fixed: bool) {
        let (lane, leaving) = (at % LANES, at.wrapping_sub(LONG) % LANES);
        let before = if is_fixed { 0 } else { self.before(at, word) };
        let count = if is_fixed { word } else { self.names[before] };
        let kept = self.sum.wrapping_mul(BASE).wrapping_add(count);
        self.sum = kept.wrapping_sub(self.counts[leaving].wrapping_mul(self.powers[LONG]));
        if before > 0 {
            self.again[at.wrapping_sub(before) % LANES] = before;
        }
        // The name that leaves is no longer before the next one of its kind.
        let again = self.again[leaving];
        if again > 0 {
            let moved = self.names[again].wrapping_sub(self.names[0]);
            self.sum = self.sum.wrapping_sub(moved.wrapping_mul(self.powers[LONG - again]));
            self.counts[(leaving + again) % LANES] = self.names[0];
            self.told -= 1;
        }
        self.counts[lane] = count;
        self.again[lane] = 0;
        self.ids[lane] = if is_fixed { 0 } else { id(word) };
        let leaves = (self.fixed_places >> (LONG - 1)) & 1;
        self.fixed = self.fixed + u32::from(is_fixed) - leaves;
        self.told = self.told + u32::from(is_fixed || before > 0) - leaves;
        self.fixed_places = (self.fixed_places << 1) | u32::from(is_fixed);
    }

    /// How many words before a place its name occurred within the gram; 0 if it did not.
    #[inline]
    fn before(&self, at: usize, word: u64) -> usize {
        let id = id(word);
        let mut equal = 0_u16;
        for (lane, other) in self.ids.iter().enumerate() {
            equal |= u16::from(*other == id) << lane;
        }
        // The word before stands highest now.
        let newest_first = equal.rotate_left((LANES - at % LANES) as u32 % LANES as u32);
        let before = newest_first.leading_zeros() as usize + 1;
        if before < LONG { before } else { 0 }
    }

    /// The hash; none if too little of the gram is fixed.
    #[inline]
    fn hash(&self) -> Option<u64> {
        (self.fixed >= FIXED && self.told >= TOLD).then(|| mixed(self.sum, BASE))
    }
}

/// What a name is compared by. It is never 0.
fn id(word: u64) -> u32 {
    (word >> 32) as u32 | 1
}

/// The usual words of programming languages, which nobody renames.
const USUAL: &str = "\
    abs all and any append as assert async await bool boolean break case catch char class const \
    continue def default del delete dict do double elif else enum enumerate except export extends \
    false filter final finally float fn for from func function global go goto if impl implements \
    import in include instanceof int interface is isinstance join lambda len length let list long \
    map match max min mod mut namespace new nil none not null of or package pass print println \
    private protected pub public push raise range return reversed round self set short sizeof \
    sorted split static str string struct sum super switch this throw throws trait true try tuple \
    type typedef typeof undefined unsafe unsigned use using var vec void while with yield zip \
    echo then fi done esac select where insert update group by order table values";

/// Slots of the table: a power of two, several times the words.
const SLOTS: usize = 1_024;

/// Tells usual words.
struct UsualWords {
    slots: Box<[u64]>,
}

impl UsualWords {
    fn new() -> Self {
        let mut slots = vec![0; SLOTS].into_boxed_slice();
        for hash in USUAL.split_whitespace().map(word_hash) {
            let mut at = hash as usize % SLOTS;
            while slots[at] != 0 {
                at = (at + 1) % SLOTS;
            }
            slots[at] = hash;
        }
        Self { slots }
    }

    #[inline]
    fn is_fixed(&self, word: TextWord) -> bool {
        if word.is_number {
            return true;
        }
        let mut at = word.hash as usize % SLOTS;
        while self.slots[at] != 0 {
            if self.slots[at] == word.hash {
                return true;
            }
            at = (at + 1) % SLOTS;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn last(text: &str) -> WordGrams {
        let mut last = WordGrams::default();
        GramReader::new().each(text, |grams| last = grams);
        last
    }

    const CODE: &str = "def total(items): s = 0\n for i in range(len(items)): s += items[i]";
    const RENAMED: &str = "def f(xs):\n  acc=0\n  for k in range(len(xs)): acc += xs[k]";

    #[test]
    fn other_names_at_the_same_places_make_the_same_gram() {
        let (one, other) = (last(CODE), last(RENAMED));
        assert_eq!(one.shape, other.shape);
        assert!(one.shape.is_some() && one.short != other.short && one.long != other.long);
        let unlike = RENAMED.replace("acc += xs[k]", "xs += acc[k]");
        assert_ne!(last(&unlike).shape, one.shape, "two names stand in each other's place");
        let number = RENAMED.replace("acc=0", "acc=1");
        assert_ne!(
            last(&format!("{number} {number}")).shape,
            last(&format!("{CODE} {CODE}")).shape
        );
    }

    #[test]
    fn a_text_without_usual_words_has_no_shape() {
        let text = "red green blue cyan white black brown grey pink gold silver ivory amber";
        let grams = last(text);
        assert!(grams.short.is_some() && grams.long.is_some());
        assert_eq!(grams.shape, None);
        assert_eq!(last("one two three").short, None);
    }

    /// A gram with names told by their places, by hand.
    fn by_hand(words: &[String]) -> Option<Vec<String>> {
        let usual = UsualWords::new();
        let mut first: BTreeMap<&String, usize> = BTreeMap::new();
        let mut fixed = 0;
        let told = words.iter().map(|word| {
            let is_number = word.starts_with(|letter: char| letter.is_ascii_digit());
            if usual.is_fixed(TextWord { hash: word_hash(word), is_number }) {
                fixed += 1;
                return word.clone();
            }
            let number = first.len();
            format!("#{}", first.entry(word).or_insert(number))
        });
        let told: Vec<String> = told.collect();
        // All but the first ones of names.
        (fixed >= FIXED && words.len() - first.len() >= TOLD as usize).then_some(told)
    }

    proptest! {
        #[test]
        fn two_grams_are_equal_if_their_names_stand_at_the_same_places(
            words in proptest::collection::vec("[abcd]|if|for|in|[01]", 13..60),
        ) {
            let mut shapes = Vec::new();
            GramReader::new().each(&words.join(" "), |grams| shapes.push(grams.shape));
            let mut known: BTreeMap<Vec<String>, u64> = BTreeMap::new();
            for (at, gram) in words.windows(LONG).enumerate() {
                let (shape, told) = (shapes[at + LONG - 1], by_hand(gram));
                prop_assert_eq!(shape.is_some(), told.is_some());
                if let (Some(shape), Some(told)) = (shape, told) {
                    prop_assert_eq!(*known.entry(told).or_insert(shape), shape);
                }
            }
            let different: std::collections::BTreeSet<&u64> = known.values().collect();
            prop_assert_eq!(different.len(), known.len());
        }
    }
}

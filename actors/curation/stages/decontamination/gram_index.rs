//! Which parts of a benchmark have a gram. Most grams of a text are in none: a filter of a few bits for
//! each gram says so with one look.

/// The part of a gram that so many items have that it says nothing.
pub(super) const NOBODY: u32 = u32::MAX;
/// The most parts that are kept of one gram.
const MOST_PARTS: usize = 16;
/// Bits of the filter for each gram.
const BITS_EACH: usize = 16;

/// The grams of all parts.
pub(super) struct GramIndex {
    /// A bit for each hash that may be there.
    filter: Box<[u64]>,
    /// Where the hashes begin whose highest bits are these.
    starts: Box<[u32]>,
    /// How far a hash is shifted to its highest bits.
    shift: u32,
    /// Hashes with the parts that have them, in order.
    entries: Box<[(u64, u32)]>,
}

impl GramIndex {
    /// An index of grams with their parts. `is_common` says whether the parts of one gram are too many.
    pub(super) fn new(
        mut found: Vec<(u64, u32)>,
        is_common: impl Fn(&[(u64, u32)]) -> bool,
    ) -> Self {
        found.sort_unstable();
        found.dedup();
        let mut entries = Vec::with_capacity(found.len());
        for same in found.chunk_by(|one, other| one.0 == other.0) {
            match is_common(same) {
                true => entries.push((same[0].0, NOBODY)),
                false => entries.extend(same.iter().take(MOST_PARTS)),
            }
        }
        let bits = (entries.len() * BITS_EACH).next_power_of_two().max(64);
        let mut filter = vec![0; bits / 64].into_boxed_slice();
        let slots = entries.len().next_power_of_two().max(2);
        let shift = 64 - slots.trailing_zeros();
        let mut starts = vec![0_u32; slots + 1].into_boxed_slice();
        for (hash, _) in &entries {
            let (word, bit) = place(*hash, filter.len());
            filter[word] |= bit;
            starts[(hash >> shift) as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Self { filter, starts, shift, entries: entries.into() }
    }

    /// Whether a gram may be there. It is wrong for one of sixteen that are not.
    #[inline]
    pub(super) fn may_have(&self, hash: u64) -> bool {
        let (word, bit) = place(hash, self.filter.len());
        self.filter[word] & bit != 0
    }

    /// Where the first part of a gram stands; none if no part has it.
    pub(super) fn find(&self, hash: u64) -> Option<u32> {
        let slot = (hash >> self.shift) as usize;
        let (begin, end) = (self.starts[slot], self.starts[slot + 1]);
        let mut entries = self.entries[begin as usize..end as usize].iter().zip(begin..);
        entries.find(|((other, _), _)| *other == hash).map(|(_, at)| at)
    }

    /// The parts of the gram that stands at a place and behind it.
    pub(super) fn same(&self, begin: u32) -> impl Iterator<Item = u32> {
        let entries = &self.entries[begin as usize..];
        let hash = entries.first().map(|(hash, _)| *hash);
        let same = entries.iter().take_while(move |(other, _)| Some(*other) == hash);
        same.map(|(_, part)| *part).filter(|part| *part != NOBODY)
    }

    /// All parts, each as often as it has a gram.
    pub(super) fn all_parts(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|(_, part)| *part).filter(|part| *part != NOBODY)
    }
}

/// The word and the bit of a hash in a filter of so many words, a power of two.
#[inline]
fn place(hash: u64, words: usize) -> (usize, u64) {
    ((hash >> 6) as usize & (words - 1), 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curation::stages::text_words::mixed;

    fn gram(at: u64) -> u64 {
        mixed(at, 5)
    }

    #[test]
    fn every_gram_is_found_with_its_parts() {
        let found: Vec<_> = (0..10_000).map(|at| (gram(at / 2), (at % 7) as u32)).collect();
        let index = GramIndex::new(found.clone(), |_| false);
        for (hash, part) in &found {
            assert!(index.may_have(*hash));
            let parts: Vec<u32> = index.same(index.find(*hash).unwrap()).collect();
            assert!(parts.contains(part) && parts.len() == 2, "{parts:?}");
        }
        let others = (20_000..120_000).map(gram);
        let wrong = others.clone().filter(|hash| index.may_have(*hash)).count();
        assert!(wrong < 10_000, "{wrong} of 100,000 pass the filter");
        assert!(others.into_iter().all(|hash| index.find(hash).is_none()));
    }

    #[test]
    fn a_common_gram_is_there_and_belongs_to_nobody() {
        let found: Vec<_> = (0..40).map(|part| (gram(1), part)).chain([(gram(2), 3)]).collect();
        let index = GramIndex::new(found.clone(), |same| same.len() > 20);
        assert_eq!(index.same(index.find(gram(1)).unwrap()).count(), 0);
        assert_eq!(index.all_parts().collect::<Vec<_>>(), [3]);
        let index = GramIndex::new(found, |_| false);
        assert_eq!(index.same(index.find(gram(1)).unwrap()).count(), MOST_PARTS);
    }

    #[test]
    fn an_empty_index_has_nothing() {
        let index = GramIndex::new(Vec::new(), |_| false);
        assert!(!index.may_have(gram(1)) && index.find(gram(1)).is_none());
    }
}

//! Finds where one of many literals begins, in one pass over a text: three bytes at a time are looked
//! up in a table of bits, and what is there is compared. A pass costs about the same for any number of literals.

/// The number of bits in the table, as a power of two. The table is 8 KiB, so it stays near the processor.
const SLOT_BITS: u32 = 16;
/// Spreads three bytes over the table.
const SPREAD: u32 = 0x9e37_79b1;

/// Literals by their first three bytes. Upper and lower case of ASCII letters are the same.
pub(super) struct GramFilter {
    /// A bit for each hash of three bytes.
    bits: Box<[u64; 1 << (SLOT_BITS - 6)]>,
    /// The first three bytes of each literal, and its number; in order.
    heads: Vec<(u32, usize)>,
    literals: Vec<Box<[u8]>>,
}

impl GramFilter {
    /// A filter for these literals. One of fewer than three bytes is never found.
    pub(super) fn new<'a>(literals: impl IntoIterator<Item = &'a str>) -> Self {
        let literals: Vec<Box<[u8]>> =
            literals.into_iter().map(|literal| Box::<[u8]>::from(literal.as_bytes())).collect();
        let heads = literals.iter().enumerate().filter(|(_, literal)| literal.len() >= 3);
        let mut heads: Vec<(u32, usize)> =
            heads.map(|(number, literal)| (head_of(literal), number)).collect();
        heads.sort_unstable();
        let mut bits = Box::new([0_u64; 1 << (SLOT_BITS - 6)]);
        for (head, _) in &heads {
            let slot = slot_of(*head);
            bits[slot >> 6] |= 1_u64 << (slot & 63);
        }
        Self { bits, heads, literals }
    }

    /// Calls `hit` with the number of each literal and the place where it begins, in the order of places.
    pub(super) fn scan(&self, bytes: &[u8], mut hit: impl FnMut(usize, usize)) {
        let mut gram = 0_u32;
        for (at, byte) in bytes.iter().enumerate() {
            gram = pushed(gram, *byte);
            let slot = slot_of(gram);
            if (self.bits[slot >> 6] >> (slot & 63)) & 1 == 1 && at >= 2 {
                self.compare(bytes, at - 2, gram, &mut hit);
            }
        }
    }

    /// Tells the literals that begin at a place with these three bytes.
    fn compare(&self, bytes: &[u8], at: usize, gram: u32, hit: &mut impl FnMut(usize, usize)) {
        let first = self.heads.partition_point(|(head, _)| *head < gram);
        for (_, number) in self.heads[first..].iter().take_while(|(head, _)| *head == gram) {
            let literal = &self.literals[*number];
            let here = bytes.get(at..at + literal.len());
            if here.is_some_and(|here| here.eq_ignore_ascii_case(literal)) {
                hit(*number, at);
            }
        }
    }
}

/// The last three bytes, with one more.
fn pushed(gram: u32, byte: u8) -> u32 {
    (gram >> 8) | (u32::from(byte | 0x20) << 16)
}

fn head_of(literal: &[u8]) -> u32 {
    literal.iter().take(3).fold(0_u32, |gram, byte| pushed(gram, *byte))
}

fn slot_of(gram: u32) -> usize {
    (gram.wrapping_mul(SPREAD) >> (32 - SLOT_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(literals: &[&str], text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        GramFilter::new(literals.iter().copied())
            .scan(text.as_bytes(), |number, at| found.push((at, number)));
        found.sort_unstable();
        found
    }

    #[test]
    fn literals_are_found_in_both_cases_and_within_each_other() {
        let found = hits(&["token", "key", "Token_", "ab"], "the TOKEN_key of ab token");
        assert_eq!(found, [(4, 0), (4, 2), (10, 1), (20, 0)]);
    }

    proptest! {
        #[test]
        fn all_that_a_plain_search_finds_is_found(
            literals in proptest::collection::vec("[a-c_@]{3,5}", 1..6),
            text in "[a-cA-C_@é]{0,60}",
        ) {
            let names: Vec<&str> = literals.iter().map(String::as_str).collect();
            let folded = text.to_ascii_lowercase();
            let mut plain = Vec::new();
            for (number, literal) in names.iter().enumerate() {
                let places = (0..folded.len()).filter(|at| folded.as_bytes()[*at..].starts_with(literal.as_bytes()));
                plain.extend(places.map(|at| (at, number)));
            }
            plain.sort_unstable();
            prop_assert_eq!(hits(&names, &text), plain);
        }
    }
}

//! The frozen generator: ChaCha20 keyed by sha256 of seed, template and index, read as
//! little-endian 64-bit words, mapped to ranges by rejection. Changing any of this changes
//! every task ever made, so golden values below hold it in place.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"synthd.generator/1";

/// A stream of draws.
pub(super) struct TaskRng(ChaCha20Rng);

/// The key of one task: what its draws, its seed column and its canaries come from.
pub(super) fn key(campaign_seed: u64, template: &str, index: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(campaign_seed.to_le_bytes());
    hash.update((template.len() as u64).to_le_bytes());
    hash.update(template.as_bytes());
    hash.update(index.to_le_bytes());
    hash.finalize().into()
}

/// A name derived from a task's key for one purpose.
pub(super) fn derived_hex(key: &[u8; 32], purpose: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(purpose.as_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// The seed as datasets record it: it fits a signed column.
pub(super) fn seed_of(key: &[u8; 32]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&key[..8]);
    u64::from_le_bytes(word) >> 1
}

impl TaskRng {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(key))
    }

    /// Evenly below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Words past the last whole multiple of the bound would favour small values.
        let unfair = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let word = self.0.next_u64();
            if word <= unfair {
                return word % bound;
            }
        }
    }

    /// Evenly between `min` and `max`, both included.
    pub(super) fn between(&mut self, min: i64, max: i64) -> i64 {
        let span = max.abs_diff(min);
        match span.checked_add(1) {
            Some(bound) => min.wrapping_add_unsigned(self.below(bound)),
            None => self.0.next_u64().cast_signed(),
        }
    }

    /// An index into `length` entries.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length.max(1) as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stream_is_frozen() {
        let mut draw = TaskRng::new(key(1, "shell/example", 0));
        let words: Vec<u64> = (0..4).map(|_| draw.below(1_000_000)).collect();
        assert_eq!(words, GOLDEN);
        assert_eq!(seed_of(&key(1, "shell/example", 0)), GOLDEN_SEED);
    }

    const GOLDEN: [u64; 4] = [897_161, 511_687, 558_826, 919_900];
    const GOLDEN_SEED: u64 = 6_769_510_088_764_823_577;

    proptest! {
        #[test]
        fn draws_stay_inside(seed in any::<u64>(), a in any::<i64>(), b in any::<i64>()) {
            let (min, max) = (a.min(b), a.max(b));
            let drawn = TaskRng::new(key(seed, "t", 0)).between(min, max);
            prop_assert!(min <= drawn && drawn <= max);
        }
    }
}

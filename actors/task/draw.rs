//! The frozen random generator of tasks: ChaCha20 with a key that is the SHA-256 of seed, template
//! and index, read as little-endian 64-bit words, and mapped to ranges by rejection. Any change
//! here changes every task that was ever made. The golden values in the tests below prevent this.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Separates this use of SHA-256 from all others, and names the version of the generator.
const DOMAIN: &[u8] = b"synthd.generator/1";

/// The random generator of one task. The order of the draws matters: each draw consumes the stream.
pub(super) struct TaskRng(ChaCha20Rng);

/// The key of one task. Its draws, its seed in the dataset and its canaries are derived from it.
pub(super) fn key(campaign_seed: u64, template: &str, index: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(campaign_seed.to_le_bytes());
    hash.update((template.len() as u64).to_le_bytes());
    hash.update(template.as_bytes());
    hash.update(index.to_le_bytes());
    hash.finalize().into()
}

/// 32 hex digits that are derived from the key for one purpose, such as `canary`. They reveal
/// nothing about the draws.
pub(super) fn derived_hex(key: &[u8; 32], purpose: &str) -> String {
    hex::encode(&derived_key(key, purpose)[..16])
}

/// A generator for one purpose, such as `wording`. Its draws move no other draw.
pub(super) fn derived_rng(key: &[u8; 32], purpose: &str) -> TaskRng {
    TaskRng::new(derived_key(key, purpose))
}

/// A key that is derived from the key of a task for one purpose.
fn derived_key(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}

/// The seed that the dataset records. It has 63 bits, so it fits a signed column.
pub(super) fn seed_of(key: &[u8; 32]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&key[..8]);
    u64::from_le_bytes(word) >> 1
}

impl TaskRng {
    /// A generator at the start of the stream of this key.
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(key))
    }

    /// A uniform number below `bound`. `bound` must be at least 1.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The words above this limit would make small results more likely. They are rejected and
        // drawn again.
        let unfair = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let word = self.0.next_u64();
            if word <= unfair {
                return word % bound;
            }
        }
    }

    /// A uniform number between `min` and `max`, both included.
    pub(super) fn between(&mut self, min: i64, max: i64) -> i64 {
        let span = max.abs_diff(min);
        match span.checked_add(1) {
            Some(bound) => min.wrapping_add_unsigned(self.below(bound)),
            // The range is that of all 64-bit numbers.
            None => self.0.next_u64().cast_signed(),
        }
    }

    /// A uniform index into a list with `length` entries; 0 for an empty list.
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

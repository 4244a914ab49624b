//! The order of candidates that are equally good. It looks random and follows from the seed.

use crate::model::digest_of;

/// The key of a candidate in a draw: 60 bits of a digest.
pub(super) fn key(seed: u64, name: &str) -> u64 {
    let digest = digest_of(&["draw", &seed.to_string(), name]);
    u64::from_str_radix(&digest[..15], 16).unwrap_or(0)
}

/// The key of a candidate at one place of the draw, so that another candidate is first at another
/// place. It is the finalizer of SplitMix64, which is the same everywhere.
pub(super) fn at_place(key: u64, place: u64) -> u64 {
    let mut word = key ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

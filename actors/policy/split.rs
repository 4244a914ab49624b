//! The split of a cluster. It depends only on a hash of the cluster. So it never depends on what
//! else is in the dataset, and tasks with the same content are always in the same split.

use crate::model::{DatasetSplit, digest_of};

/// The split of a cluster. `shares` are the percentages of train, validation and test. The hash is
/// a number from 0 to the sum of the shares, and each split has a range of it.
pub fn split_of(cluster: &str, shares: [u32; 3]) -> DatasetSplit {
    let digest = digest_of(&["split", cluster]);
    let word = u64::from_str_radix(&digest[..12], 16).unwrap_or(0);
    let total: u64 = shares.iter().map(|s| u64::from(*s)).sum::<u64>().max(1);
    let point = word % total;
    if point < u64::from(shares[0]) {
        DatasetSplit::Train
    } else if point < u64::from(shares[0]) + u64::from(shares[1]) {
        DatasetSplit::Validation
    } else {
        DatasetSplit::Test
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_out_about_right() {
        let mut counts = [0_u32; 3];
        for n in 0..10_000 {
            match split_of(&format!("cluster {n}"), [80, 10, 10]) {
                DatasetSplit::Train => counts[0] += 1,
                DatasetSplit::Validation => counts[1] += 1,
                DatasetSplit::Test => counts[2] += 1,
            }
        }
        assert!((7_800..8_200).contains(&counts[0]), "{counts:?}");
        assert!((850..1_150).contains(&counts[1]), "{counts:?}");
        assert_eq!(split_of("x", [100, 0, 0]), DatasetSplit::Train);
    }
}

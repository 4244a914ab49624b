//! Which rows are alike: pairs that share a band are compared exactly, and those that are alike enough
//! are joined with all that they are joined with. A cluster does not depend on the order of the rows.

use super::shingles::ShingleSet;
use std::collections::BTreeMap;

/// How many rows that turn out unlike a row is compared with. So the time stays linear, also for rows
/// that were made to look alike.
const MOST_UNLIKE: u32 = 2_048;

/// Joins rows to clusters.
pub(super) struct RowClusters<'a> {
    sets: &'a [ShingleSet],
    /// The keys of all rows, one for each band.
    keys: &'a [u32],
    bands: usize,
    threshold: u32,
    /// The row by which each row is known: itself, or one that is nearer to the first of its cluster.
    parents: Vec<u32>,
    /// How many unlike rows each row was compared with.
    unlike: Vec<u32>,
}

impl<'a> RowClusters<'a> {
    pub(super) fn new(
        sets: &'a [ShingleSet],
        keys: &'a [u32],
        bands: usize,
        threshold: u32,
    ) -> Self {
        let parents = (0..sets.len()).map(|row| row as u32).collect();
        Self { sets, keys, bands, threshold, parents, unlike: vec![0; sets.len()] }
    }

    /// The clusters of at least two rows.
    pub(super) fn joined(mut self) -> Vec<Vec<u32>> {
        let mut order = Vec::with_capacity(self.sets.len());
        for band in 0..self.bands {
            order.clear();
            let keys = self.keys.chunks(self.bands).zip(0_u64..);
            order.extend(keys.map(|(keys, row)| (u64::from(keys[band]) << 32) | row));
            order.sort_unstable();
            for group in order.chunk_by(|one, other| one >> 32 == other >> 32) {
                self.join(band, group);
            }
        }
        let mut clusters: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for row in 0..self.sets.len() as u32 {
            clusters.entry(self.first(row)).or_default().push(row);
        }
        clusters.into_values().filter(|rows| rows.len() > 1).collect()
    }

    /// Joins the rows of one key that are alike.
    fn join(&mut self, band: usize, group: &[u64]) {
        if group.len() < 2 {
            return;
        }
        // The rows so far, by the first row of their cluster.
        let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for row in group.iter().map(|place| *place as u32) {
            let mine = self.first(row);
            let others: Vec<u32> = seen
                .iter()
                .filter(|(first, rows)| **first != mine && self.is_like_one(band, row, rows))
                .map(|(first, _)| *first)
                .collect();
            let mut rows = seen.remove(&mine).unwrap_or_default();
            for other in others {
                let mut joined = seen.remove(&other).unwrap_or_default();
                if joined.len() > rows.len() {
                    std::mem::swap(&mut joined, &mut rows);
                }
                rows.append(&mut joined);
                self.unite(row, other);
            }
            rows.push(row);
            seen.insert(self.first(row), rows);
        }
    }

    /// Whether a row is like one of these rows, as far as no earlier band has compared them.
    fn is_like_one(&mut self, band: usize, row: u32, others: &[u32]) -> bool {
        for other in others {
            if self.unlike[row as usize] >= MOST_UNLIKE {
                return false;
            }
            if self.were_compared(band, row, *other) {
                continue;
            }
            let (set, other) = (&self.sets[row as usize], &self.sets[*other as usize]);
            if set.is_alike(other, self.threshold) {
                return true;
            }
            self.unlike[row as usize] += 1;
        }
        false
    }

    /// Whether two rows have the same key in an earlier band.
    fn were_compared(&self, band: usize, one: u32, other: u32) -> bool {
        let keys = |row: u32| &self.keys[row as usize * self.bands..][..band];
        keys(one).iter().zip(keys(other)).any(|(one, other)| one == other)
    }

    /// The first row of the cluster of a row. Rows on the way come nearer to it.
    fn first(&mut self, mut row: u32) -> u32 {
        while self.parents[row as usize] != row {
            let above = self.parents[self.parents[row as usize] as usize];
            self.parents[row as usize] = above;
            row = above;
        }
        row
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.first(one), self.first(other));
        self.parents[one.max(other) as usize] = one.min(other);
    }
}

//! Which rows of one task are compared with each other. The rows of a task stand in a ring, in an order
//! that the seed draws, and each is compared with the next one: so each has two comparisons, and their
//! number grows with the rows, not with their square.

use crate::model::{RowRecord, digest_of};
use std::collections::BTreeMap;

/// Two rows of one task, by their ordinals and by what the judge sees of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPair {
    pub rows: [u64; 2],
    /// The digests of their views.
    pub views: [String; 2],
}

impl RowPair {
    /// What a judge is asked about: the pair, and the pair in the other order.
    pub fn subjects(&self) -> [String; 2] {
        let [one, other] = &self.views;
        [digest_of(&["pair", one, other]), digest_of(&["pair", other, one])]
    }
}

/// The rows that can be compared.
#[derive(Clone, Debug, Default)]
pub struct PairPlan {
    seed: u64,
    /// By the task: the place in the ring, the ordinal and the digest of the view of each row.
    tasks: BTreeMap<String, BTreeMap<String, (u64, String)>>,
}

impl PairPlan {
    /// A plan without rows. `seed` is the recipe's.
    pub fn new(seed: u64) -> Self {
        Self { seed, tasks: BTreeMap::new() }
    }

    /// Adds a row with the digest of its view.
    pub fn add(&mut self, record: &RowRecord, view: &str) {
        let place = digest_of(&["pair-place", &self.seed.to_string(), record.row.id()]);
        let task = self.tasks.entry(record.row.work_id().to_owned()).or_default();
        task.insert(place, (record.ordinal, view.to_owned()));
    }

    /// The pairs, in the order of their tasks. A task with one row has none.
    pub fn pairs(&self) -> Vec<RowPair> {
        self.tasks.values().flat_map(ring).collect()
    }
}

fn ring(task: &BTreeMap<String, (u64, String)>) -> Vec<RowPair> {
    let rows: Vec<&(u64, String)> = task.values().collect();
    let pair = |one: usize, other: usize| RowPair {
        rows: [rows[one].0, rows[other].0],
        views: [rows[one].1.clone(), rows[other].1.clone()],
    };
    let count = match rows.len() {
        0 | 1 => 0,
        // The ring of two rows has one pair, not two.
        2 => 1,
        count => count,
    };
    let pairs = (0..count).map(|at| pair(at, (at + 1) % rows.len()));
    // A judge cannot tell rows that look the same apart.
    pairs.filter(|pair| pair.views[0] != pair.views[1]).collect()
}

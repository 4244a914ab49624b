//! At most so many rows of each group. Which rows stay is said by an order; the seed decides between
//! equal ones, and the order of the rows decides nothing. So other rows do not move when one is added,
//! except where it takes a place.

use super::row_group::{RowAspect, group_of};
use crate::curation::{StageRemark, WholeFinder, WholeRemarks};
use crate::model::{DatasetRow, RowRecord, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Which rows of a group stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepRule {
    /// The seed draws them.
    #[default]
    Drawn,
    /// Solved ones before others.
    Solved,
    /// Those with fewer steps, or a shorter answer.
    Shortest,
    /// Those that cost less.
    Cheapest,
}

impl KeepRule {
    pub const ALL: [(&str, Self); 4] = [
        ("drawn", Self::Drawn),
        ("solved", Self::Solved),
        ("shortest", Self::Shortest),
        ("cheapest", Self::Cheapest),
    ];

    /// The rank of a row: lower ones stay.
    pub(super) fn rank(self, row: &DatasetRow) -> u64 {
        let whole = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        match (self, row) {
            (Self::Drawn, _) => 0,
            (Self::Solved, DatasetRow::Trajectory(row)) => {
                u64::from(row.final_result != "resolved")
            }
            (Self::Solved, DatasetRow::Completion(row)) => u64::from(row.finish_reason != "stop"),
            (Self::Shortest, DatasetRow::Trajectory(row)) => whole(row.trajectory.len()),
            (Self::Shortest, DatasetRow::Completion(row)) => whole(row.response.len()),
            (Self::Cheapest, DatasetRow::Trajectory(row)) => row.cost_usd.nanos(),
            (Self::Cheapest, DatasetRow::Completion(row)) => row.cost_usd.nanos(),
        }
    }
}

/// A row's place in its group: its rank, what the seed draws, and its ordinal.
type CapPlace = (u64, String, u64);

/// Rows beyond a cap.
pub struct RowCap {
    by: Vec<RowAspect>,
    most: usize,
    keep: KeepRule,
    seed: u64,
    /// The best rows of each group, and the number of all of them.
    groups: BTreeMap<String, (BTreeSet<CapPlace>, u64)>,
    beyond: WholeRemarks,
}

impl RowCap {
    pub fn new(by: Vec<RowAspect>, most: u32, keep: KeepRule, seed: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { by, most, keep, seed, groups: BTreeMap::new(), beyond: WholeRemarks::new() }
    }
}

/// What the seed draws for a row: an order that no other row changes.
pub(in crate::curation) fn lot(seed: u64, row: &DatasetRow) -> String {
    lot_of(seed, row.id())
}

/// The same for the row of this id.
pub(super) fn lot_of(seed: u64, id: &str) -> String {
    digest_of(&["lot", &seed.to_string(), id])
}

impl WholeFinder for RowCap {
    fn observe(&mut self, record: &RowRecord) {
        let group = group_of(&self.by, &record.row);
        let place = (self.keep.rank(&record.row), lot(self.seed, &record.row), record.ordinal);
        let (best, count) = self.groups.entry(group.clone()).or_default();
        *count += 1;
        best.insert(place);
        let last = if best.len() > self.most { best.pop_last() } else { None };
        if let Some((_, _, ordinal)) = last {
            let remark = StageRemark::new(format!("more than {} of {group}", self.most));
            self.beyond.insert(ordinal, vec![remark]);
        }
    }

    fn decide(&mut self) -> WholeRemarks {
        self.groups.clear();
        std::mem::take(&mut self.beyond)
    }
}

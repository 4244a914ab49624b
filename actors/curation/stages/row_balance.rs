//! No value has many more rows than the rarest one: of each, the seed draws so many times the rows of
//! the rarest as the recipe says.

use super::row_cap::lot;
use super::row_group::RowAspect;
use crate::curation::{StageRemark, WholeFinder, WholeRemarks};
use crate::model::RowRecord;
use std::collections::BTreeMap;

/// Rows beyond a balance.
pub struct RowBalance {
    by: RowAspect,
    /// How many times the rows of the rarest value each may have, in thousandths.
    ratio: u32,
    seed: u64,
    /// The rows of each value, with what the seed draws.
    groups: BTreeMap<String, Vec<(String, u64)>>,
}

impl RowBalance {
    pub fn new(by: RowAspect, ratio: u32, seed: u64) -> Self {
        Self { by, ratio, seed, groups: BTreeMap::new() }
    }
}

impl WholeFinder for RowBalance {
    fn observe(&mut self, record: &RowRecord) {
        let place = (lot(self.seed, &record.row), record.ordinal);
        self.groups.entry(self.by.of(&record.row)).or_default().push(place);
    }

    fn decide(&mut self) -> WholeRemarks {
        let mut groups = std::mem::take(&mut self.groups);
        let rarest = groups.values().map(Vec::len).min().unwrap_or(0);
        let whole = u64::try_from(rarest).unwrap_or(u64::MAX).saturating_mul(u64::from(self.ratio));
        let most = usize::try_from(whole / 1_000).unwrap_or(usize::MAX);
        let mut beyond = WholeRemarks::new();
        for (value, rows) in &mut groups {
            rows.sort_unstable();
            let why = format!("more than {most} of {} {value}", self.by.as_str());
            let others = rows.iter().skip(most);
            beyond.extend(others.map(|(_, at)| (*at, vec![StageRemark::new(why.clone())])));
        }
        beyond
    }
}

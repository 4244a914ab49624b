//! How often a task was solved by a model with a scaffold, over all rows of the set. Rows whose task was
//! solved too often or too seldom teach little.

use super::row_group::{RowAspect, group_of};
use crate::curation::{StageRemark, WholeFinder, WholeRemarks};
use crate::model::RowRecord;
use crate::policy::wilson;
use std::collections::BTreeMap;

/// What one try is of.
const BY: [RowAspect; 3] = [RowAspect::Task, RowAspect::Model, RowAspect::Scaffold];

/// The tries of one task.
#[derive(Default)]
struct TaskTries {
    tries: u32,
    solved: u32,
    rows: Vec<u64>,
}

/// Rows whose measured pass rate is not as wanted.
pub struct MeasuredRate {
    /// The lowest and the highest pass rate, in thousandths.
    between: [u32; 2],
    /// The fewest tries that tell a rate.
    least: u32,
    groups: BTreeMap<String, TaskTries>,
}

impl MeasuredRate {
    pub fn new(between: [u32; 2], least: u32) -> Self {
        Self { between, least, groups: BTreeMap::new() }
    }

    /// What is wrong with a rate; none if it is as wanted.
    fn wrong(&self, of: &TaskTries) -> Option<StageRemark> {
        if of.tries < self.least {
            return Some(StageRemark::new(format!("tried {} times only", of.tries)));
        }
        let rate = f64::from(of.solved) / f64::from(of.tries.max(1));
        let [low, high] = self.between.map(|bound| f64::from(bound) / 1_000.0);
        if (low..=high).contains(&rate) {
            return None;
        }
        let (least, most) = wilson(of.solved, of.tries);
        let (solved, tries) = (of.solved, of.tries);
        let said = format!("solved {solved} of {tries} times, {rate:.2} ({least:.2} to {most:.2})");
        Some(StageRemark::new(said).scored(rate))
    }
}

impl WholeFinder for MeasuredRate {
    fn observe(&mut self, record: &RowRecord) {
        let Some(row) = record.row.as_trajectory() else { return };
        let group = self.groups.entry(group_of(&BY, &record.row)).or_default();
        group.tries += 1;
        group.solved += u32::from(row.final_result == "resolved");
        group.rows.push(record.ordinal);
    }

    fn decide(&mut self) -> WholeRemarks {
        let groups = std::mem::take(&mut self.groups);
        let mut remarks = WholeRemarks::new();
        for group in groups.values() {
            if let Some(remark) = self.wrong(group) {
                remarks.extend(group.rows.iter().map(|at| (*at, vec![remark.clone()])));
            }
        }
        remarks
    }
}

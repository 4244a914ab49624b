//! All but the first of rows with the same task, actions, reasoning and observations. Only digests stay
//! in memory.

use crate::curation::{StageRemark, WholeFinder, WholeRemarks};
use crate::model::RowRecord;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What is remembered of the rows so far.
#[derive(Default)]
pub struct EqualRows {
    first: HashMap<String, String>,
    remarks: WholeRemarks,
}

impl WholeFinder for EqualRows {
    fn observe(&mut self, record: &RowRecord) {
        match self.first.entry(record.content_digest.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(record.row.id().to_owned());
            }
            Entry::Occupied(first) => {
                let remark = StageRemark::new(format!("the same as {}", first.get()));
                self.remarks.insert(record.ordinal, vec![remark]);
            }
        }
    }

    fn decide(&mut self) -> WholeRemarks {
        self.first.clear();
        std::mem::take(&mut self.remarks)
    }
}

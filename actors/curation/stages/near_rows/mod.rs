//! Rows whose texts are nearly the same: all but the best of each cluster.
//!
//! ```text
//!  text ─► words ─► shingles ─► sketch ─► one key for each band      while rows are seen
//!  equal keys ─► exact similarity ─► clusters ─► the best one stays   when all were seen
//! ```
//! Keys only say which rows are compared; what is joined has the exact similarity. Which rows are in a
//! cluster, and which of them stays, does not depend on their order, unless a row is beside so many
//! unlike ones that it is not compared with all of them.
//!
//! Memory holds of each row: four bytes for each shingle, at most 16 KiB; four for each band; its id; and
//! about 80 bytes.

mod bands;
mod clusters;
mod shingles;
mod sketch;
#[cfg(test)]
mod tests;

use super::row_cap::{KeepRule, lot_of};
use crate::curation::{
    StageRemark, TextPlace, TextSource, WholeFinder, WholeRemarks, visit_strings,
};
use crate::model::{DatasetRow, RowRecord};
use bands::SketchBands;
use clusters::RowClusters;
use serde::{Deserialize, Serialize};
use shingles::{ShingleReader, ShingleSet};
use sketch::RowSketch;
use std::mem::take;

/// Which text of a row is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedText {
    /// What was asked for: the task's instruction, or the user's messages.
    #[default]
    Instruction,
    /// What the model did: the arguments of all actions, or the answer.
    Actions,
    /// What the model wrote in its last step, or the answer.
    Answer,
}

impl ComparedText {
    pub const ALL: [(&str, Self); 3] =
        [("instruction", Self::Instruction), ("actions", Self::Actions), ("answer", Self::Answer)];

    /// Shows the text, in parts that follow each other.
    fn visit(self, row: &DatasetRow, see: &mut dyn FnMut(&str)) {
        match (self, row) {
            (Self::Instruction, DatasetRow::Trajectory(row)) => see(&row.task_instruction),
            (Self::Instruction, DatasetRow::Completion(row)) => {
                let asked = row.messages.iter().filter(|message| message.role == "user");
                asked.for_each(|message| see(&message.content));
            }
            (Self::Actions | Self::Answer, DatasetRow::Completion(row)) => see(&row.response),
            (Self::Actions, DatasetRow::Trajectory(_)) => {
                let is_action = |place: TextPlace| place.field == "action.arguments";
                visit_strings(row, &mut |place, text| {
                    if is_action(place) {
                        see(text);
                    }
                });
            }
            (Self::Answer, DatasetRow::Trajectory(trajectory)) => {
                let last = trajectory.trajectory.len().checked_sub(1);
                let is_last = |place: TextPlace| {
                    place.column == "trajectory"
                        && place.at == last
                        && place.source == TextSource::Written
                };
                visit_strings(row, &mut |place, text| {
                    if is_last(place) {
                        see(text);
                    }
                });
            }
        }
    }
}

/// What the stage is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearRule {
    pub of: ComparedText,
    /// The least Jaccard similarity, in thousandths.
    pub threshold: u32,
    /// How many words a shingle has.
    pub words: u32,
    /// Which row of a cluster stays.
    pub keep: KeepRule,
}

/// Rows that are near another one.
pub struct NearRows {
    rule: NearRule,
    seed: u64,
    bands: SketchBands,
    reader: ShingleReader,
    sketch: RowSketch,
    rows: Vec<NearRow>,
    sets: Vec<ShingleSet>,
    /// The keys of all rows, one for each band.
    keys: Vec<u32>,
}

/// A row that may be left out.
struct NearRow {
    ordinal: u64,
    /// Rows of a lower rank stay.
    rank: u64,
    id: Box<str>,
}

impl NearRows {
    pub fn new(rule: NearRule, seed: u64) -> Self {
        let bands = SketchBands::of(rule.threshold);
        Self {
            rule,
            seed,
            bands,
            reader: ShingleReader::new(rule.words),
            sketch: RowSketch::new(bands),
            rows: Vec::new(),
            sets: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// The row of a cluster that stays. Between equal ones the seed decides by their ids.
    fn best<'a>(&self, rows: &'a [NearRow], cluster: &[u32]) -> Option<(u32, &'a NearRow)> {
        let rows = cluster.iter().map(|at| (*at, &rows[*at as usize]));
        rows.min_by_key(|(_, row)| (row.rank, lot_of(self.seed, &row.id), row.ordinal))
    }

    fn remark(&self, best: &NearRow, of_best: &ShingleSet, set: &ShingleSet) -> StageRemark {
        let (shared, all) = set.shared(of_best);
        let alike = shared as f64 / all.max(1) as f64;
        let through =
            if set.is_alike(of_best, self.rule.threshold) { "" } else { " through others" };
        let said = format!("of the cluster of {}{through}, {alike:.2} alike", best.id);
        StageRemark::new(said).scored(alike)
    }
}

impl WholeFinder for NearRows {
    fn observe(&mut self, record: &RowRecord) {
        let reader = &mut self.reader;
        self.rule.of.visit(&record.row, &mut |text| reader.add(text));
        let shingles = self.reader.end();
        if shingles.is_empty() {
            return;
        }
        self.sketch.keys(shingles, &mut self.keys);
        self.sets.push(ShingleSet::of(shingles));
        let rank = self.rule.keep.rank(&record.row);
        self.rows.push(NearRow { ordinal: record.ordinal, rank, id: record.row.id().into() });
    }

    fn decide(&mut self) -> WholeRemarks {
        let (rows, sets, keys) = (take(&mut self.rows), take(&mut self.sets), take(&mut self.keys));
        let bands = self.bands.bands as usize;
        let clusters = RowClusters::new(&sets, &keys, bands, self.rule.threshold).joined();
        let mut remarks = WholeRemarks::new();
        for cluster in clusters {
            let Some((best, kept)) = self.best(&rows, &cluster) else { continue };
            for at in cluster.into_iter().filter(|at| *at != best) {
                let remark = self.remark(kept, &sets[best as usize], &sets[at as usize]);
                remarks.insert(rows[at as usize].ordinal, vec![remark]);
            }
        }
        remarks
    }
}

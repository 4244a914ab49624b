//! `export.json`: where the rows of an export come from, what was chosen, and what was left out.

use super::export_files::ExportFile;
use super::export_format::ExportFormat;
use super::left_reason::{LeftReason, LostParts};
use super::preference::{PairRules, SolvedOrder};
use serde::Serialize;
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetRow, DatasetSplit};

/// The content of `export.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportRecord {
    /// The word of the format, such as `trl-sft`.
    pub format: &'static str,
    /// The program that wrote the export, such as `synthd 0.1.0`.
    pub engine: String,
    pub source: ExportSource,
    pub options: ExportChoices,
    /// The splits that were asked for.
    pub splits: BTreeMap<DatasetSplit, SplitExport>,
    pub files: Vec<ExportFile>,
}

/// The version that an export was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportSource {
    pub campaign: String,
    pub version: u32,
    /// The digest of the version's rows.
    pub digest: String,
    pub row_schema: String,
    pub licence: String,
}

/// What the user has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportChoices {
    #[serde(flatten)]
    pub filter: ExportFilter,
    /// How rows that stand together were chosen; none if each row stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairChoices>,
}

/// How pairs, or tries that stand together, were chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairChoices {
    pub margin: u32,
    /// None if the format has no pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_task: Option<usize>,
    /// None if the format has pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<usize>,
    pub among_solved: Option<&'static str>,
}

/// Which rows are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportFilter {
    pub splits: Vec<DatasetSplit>,
    /// A row must have each of these.
    pub labels: Vec<String>,
    /// A row must have none of these.
    pub without_labels: Vec<String>,
}

/// What became of the rows of a split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SplitExport {
    /// Rows of the version.
    pub read: u64,
    /// Rows that the filter did not take.
    pub filtered: u64,
    /// Lines of the export.
    pub written: u64,
    /// Rows that are left out, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Rows of which a part is missing, by part.
    pub lost: BTreeMap<&'static str, u64>,
}

impl ExportChoices {
    pub(super) fn of(format: ExportFormat, filter: &ExportFilter, rules: PairRules) -> Self {
        let has_pairs = format.has_pairs();
        let pairs = format.has_groups().then(|| PairChoices {
            margin: rules.margin,
            per_task: has_pairs.then_some(rules.per_task),
            candidates: (!has_pairs).then_some(rules.candidates),
            among_solved: rules.among_solved.map(SolvedOrder::as_str),
        });
        Self { filter: filter.clone(), pairs }
    }
}

impl ExportFilter {
    /// Whether a row has the labels that it must have, and no other that it must not have.
    pub(super) fn takes(&self, row: &DatasetRow) -> bool {
        let has = |label: &String| row.labels().contains(label);
        self.labels.iter().all(has) && !self.without_labels.iter().any(has)
    }
}

impl SplitExport {
    pub(super) fn leave_out(&mut self, reason: LeftReason) {
        *self.left_out.entry(reason.as_str()).or_default() += 1;
    }

    pub(super) fn lose(&mut self, parts: &LostParts) {
        for part in parts {
            *self.lost.entry(part.as_str()).or_default() += 1;
        }
    }
}

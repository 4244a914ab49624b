//! What a push did.

use super::push_set::PushSet;
use super::target::PushTarget;
use serde::Serialize;
use std::collections::BTreeMap;
use synthd_actors::model::DatasetSplit;

/// What a push did, or what it would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushReport {
    pub target: String,
    /// Where readers find the version.
    pub place: String,
    pub state: PushState,
    pub campaign: String,
    pub version: u32,
    /// The checksum of `SHA256SUMS`, which stands for all files.
    pub root: String,
    pub tables: Vec<PushedTable>,
    /// The tables that the version has no rows for, with the reason.
    pub left_out: BTreeMap<String, String>,
    /// The files of the version, with `SHA256SUMS`, and their size together.
    pub files: u64,
    pub bytes: u64,
    /// What was sent, or would be. The rest was there with the same checksum.
    pub sent: SentFiles,
}

/// A table of a published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushedTable {
    pub name: String,
    /// The splits that have rows.
    pub rows: BTreeMap<DatasetSplit, u64>,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PushState {
    /// The version was published.
    Published,
    /// The same version was there already.
    Known,
    /// Nothing was sent, because only a plan was asked for.
    Planned,
}

/// Files that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SentFiles {
    pub files: u64,
    pub bytes: u64,
}

impl SentFiles {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What a target did with a version.
pub(super) struct PushOutcome {
    pub(super) place: String,
    pub(super) state: PushState,
    pub(super) sent: SentFiles,
}

impl PushReport {
    pub(super) fn of(target: &PushTarget, set: PushSet, outcome: PushOutcome) -> Self {
        let all = set.files.iter().chain([&set.sums]);
        let (files, bytes) =
            all.fold((0, 0), |(files, bytes), file| (files + 1, bytes + file.bytes));
        Self {
            target: target.to_string(),
            place: outcome.place,
            state: outcome.state,
            campaign: set.campaign,
            version: set.version,
            root: set.root,
            tables: set.tables,
            left_out: set.left_out,
            files,
            bytes,
            sent: outcome.sent,
        }
    }
}

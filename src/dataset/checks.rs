//! The rules that rows must keep: each row alone, and the rows among each other. `verify` passes
//! every row of a version to [`RowChecks::see`], and reads the problems, the figures and the digest
//! afterwards.
//!
//! The rules of every row are: the format and the campaign of the manifest; a row occurs once, and a
//! task or a prompt is in one split only. Each format has further rules (`trajectory_rules`,
//! `completion_rules`).

use super::completion_rules::broken_completion;
use super::digest::RowsDigest;
use super::problem::DatasetProblems;
use super::tally::DatasetTally;
use super::trajectory_rules::broken_trajectory;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use synthd_actors::model::{DatasetRow, DatasetSplit, RowFormat};

/// The place of a row in a version.
#[derive(Clone, Copy)]
pub(super) struct RowPlace<'a> {
    /// The file's name in the manifest.
    pub(super) file: &'a str,
    /// The split of the file in the manifest.
    pub(super) split: DatasetSplit,
    /// The number of the row in its file, from zero.
    pub(super) row: u64,
}

/// The state of a check. It sees each row of a version once.
pub(super) struct RowChecks {
    /// The kind of rows.
    pub(super) format: RowFormat,
    /// What is wrong so far.
    pub(super) problems: DatasetProblems,
    /// The figures of the rows, to be compared with the metadata.
    pub(super) tally: DatasetTally,
    /// The digest of the rows, to be compared with the manifest.
    pub(super) digest: RowsDigest,
    /// The file and the row where each id was first seen.
    ids: HashMap<String, (String, u64)>,
    /// The split in which each task or prompt was first seen.
    works: HashMap<String, DatasetSplit>,
    /// The row format that the manifest states.
    schema: String,
}

impl RowChecks {
    /// A check of rows in this format.
    pub(super) fn of(format: RowFormat, schema: &str) -> Self {
        Self {
            format,
            problems: DatasetProblems::default(),
            tally: DatasetTally::of(format),
            digest: RowsDigest::default(),
            ids: HashMap::new(),
            works: HashMap::new(),
            schema: schema.to_owned(),
        }
    }

    /// Checks one row and adds it to the figures and to the digest. `campaigns` are those
    /// that rows may come from.
    pub(super) fn see(&mut self, campaigns: &[String], place: RowPlace<'_>, row: &DatasetRow) {
        for message in broken_rules(campaigns, &self.schema, row) {
            self.problems.row(place.file, place.row, message);
        }
        self.see_id(place, row);
        self.see_work(place, row);
        self.tally.add(place.split, row);
        if let Err(error) = self.digest.add(place.split, row) {
            self.problems.row(place.file, place.row, format!("cannot be hashed: {error}"));
        }
    }

    /// Reports an id that was seen before.
    fn see_id(&mut self, place: RowPlace<'_>, row: &DatasetRow) {
        match self.ids.entry(row.id().to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert((place.file.to_owned(), place.row));
            }
            Entry::Occupied(entry) => {
                let (file, first) = entry.get();
                let (name, id) = (row.format().as_str(), entry.key());
                let message = format!("{name}_id {id:?} is already {file}, row {first}");
                self.problems.row(place.file, place.row, message);
            }
        }
    }

    /// Reports a task or a prompt that was seen in another split. A model that trained on it would
    /// know the test.
    fn see_work(&mut self, place: RowPlace<'_>, row: &DatasetRow) {
        let split = *self.works.entry(row.work_id().to_owned()).or_insert(place.split);
        if split != place.split {
            let (here, there) = (place.split.as_str(), split.as_str());
            let work = row.format().work();
            let message = format!("{work} {:?} is in {here} and in {there}", row.work_id());
            self.problems.row(place.file, place.row, message);
        }
    }
}

/// The rules that a row breaks by itself, as sentences.
fn broken_rules(campaigns: &[String], schema: &str, row: &DatasetRow) -> Vec<String> {
    let mut broken = Vec::new();
    if row.schema() != schema {
        broken.push(format!("schema_version is {:?}, not {schema:?}", row.schema()));
    }
    if !campaigns.iter().any(|campaign| campaign == row.campaign()) {
        let expected: Vec<String> =
            campaigns.iter().map(|campaign| format!("{campaign:?}")).collect();
        broken.push(format!("campaign is {:?}, not {}", row.campaign(), expected.join(" or ")));
    }
    broken.extend(match row {
        DatasetRow::Trajectory(row) => broken_trajectory(row),
        DatasetRow::Completion(row) => broken_completion(row),
    });
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::{CAMPAIGN, completion, row};

    #[test]
    fn a_sound_row_breaks_nothing() {
        for n in 0..20 {
            for row in [row(n).into(), DatasetRow::from(completion(n))] {
                let schema = row.format().schema();
                assert_eq!(
                    broken_rules(&[CAMPAIGN.to_owned()], schema, &row),
                    Vec::<String>::new()
                );
            }
        }
    }

    #[test]
    fn another_format_and_another_campaign_are_noticed() {
        let broken = broken_rules(&["x".to_owned()], "y", &row(3).into());
        assert!(broken[0].starts_with("schema_version is \"synthd."), "{broken:?}");
        assert!(broken[1].starts_with("campaign is \"fixture\""), "{broken:?}");
    }
}

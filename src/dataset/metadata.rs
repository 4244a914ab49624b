//! `metadata.json`: where a version came from, its figures, and what each stage let through. The
//! writer makes it, the card shows it, and `verify` compares its figures with the rows.

use super::sample_figures::SampleFigures;
use super::tally::DatasetFigures;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use synthd_actors::model::{CurationReport, DatasetSplit, RowFormat};

/// The format of this file.
pub(super) const METADATA_SCHEMA: &str = "synthd.metadata/1";

/// The content of `metadata.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetMetadata {
    /// Version of this file's own format.
    pub schema: String,
    /// The format of the rows, such as `synthd.trajectory/2`.
    pub row_schema: String,
    /// The program that wrote the version, such as `synthd 0.1.0`.
    pub engine: String,
    pub campaign: String,
    /// The version number, from 1.
    pub version: u32,
    /// The digest of the rows, as in the manifest.
    pub digest: String,
    pub seed: u64,
    /// The digest of the campaign's configuration.
    pub config_digest: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// The same time in milliseconds since 1970.
    pub created_at_ms: i64,
    pub licence: String,
    /// How many episodes passed each stage.
    pub stages: StageCounts,
    /// What a recipe made of the rows; none for the dataset of a campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curation: Option<CurationReport>,
    /// The tasks that every sample or no sample has solved; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<SampleFigures>,
    /// The figures of the accepted rows. In JSON their fields are beside those above.
    #[serde(flatten)]
    pub figures: DatasetFigures,
}

impl DatasetMetadata {
    /// The kind of rows.
    pub(crate) fn format(&self) -> RowFormat {
        RowFormat::of(&self.row_schema).unwrap_or_default()
    }
}

/// How many episodes passed each stage, from the plan to the dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCounts {
    /// Episodes in the plan of the campaign.
    pub planned: u64,
    /// Episodes with an outcome: judged or faulted.
    pub finished: u64,
    /// Episodes that ended in a fault. They have no label and no row.
    pub faulted: u64,
    /// Episodes that the quality stages have seen.
    pub judged: u64,
    /// Rejected rows, by the stage that rejected them.
    pub rejected: BTreeMap<String, u64>,
    /// Accepted rows by label. A row may have several labels.
    pub labelled: BTreeMap<String, u64>,
    /// Accepted rows by split.
    pub accepted: BTreeMap<DatasetSplit, u64>,
}

/// A time as RFC 3339 text in UTC with milliseconds, such as `2023-11-14T22:13:20.123Z`. A time
/// before 1970 is shown as 1970.
pub(crate) fn rfc3339(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    // `humantime` panics for times after the year 9999, so a later time is shown as its end.
    let time = SystemTime::UNIX_EPOCH + since.min(Duration::from_secs(253_402_300_799));
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn any_time_has_a_text() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(i64::MIN), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.000Z");
    }
}

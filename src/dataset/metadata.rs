//! `metadata.json`: where a version came from, its figures, and what each stage let through.

use super::tally::DatasetFigures;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use synthd_actors::model::DatasetSplit;

pub(super) const METADATA_SCHEMA: &str = "synthd.metadata/1";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetMetadata {
    /// Version of this file's own format.
    pub schema: String,
    pub row_schema: String,
    pub engine: String,
    pub campaign: String,
    pub version: u32,
    pub digest: String,
    pub seed: u64,
    pub config_digest: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub created_at_ms: i64,
    pub licence: String,
    pub stages: StageCounts,
    #[serde(flatten)]
    pub figures: DatasetFigures,
}

/// How many episodes came through each stage, from the plan to the dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCounts {
    pub planned: u64,
    /// With a final result: judged or faulted.
    pub finished: u64,
    /// Ended in an infrastructure fault: no label and no row.
    pub faulted: u64,
    /// Seen by the quality stages.
    pub judged: u64,
    /// By the stage that rejected them.
    pub rejected: BTreeMap<String, u64>,
    /// Accepted rows by label; a row may carry several.
    pub labelled: BTreeMap<String, u64>,
    pub accepted: BTreeMap<DatasetSplit, u64>,
}

/// RFC 3339 in UTC with milliseconds. Times before 1970 are shown as 1970.
pub(crate) fn rfc3339(ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    // humantime panics beyond the year 9999.
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

//! A sink that keeps what datasets would hold.

use super::traps::Traps;
use crate::model::{
    DatasetRecord, DatasetSplit, EpisodeId, Fault, NewVersion, PassRate, Publication, RowRecord,
    digest_of,
};
use crate::ports::{DatasetSink, DatasetWriteRequest};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One version.
#[derive(Clone, Debug)]
pub struct Written {
    pub record: DatasetRecord,
    /// Accepted rows in order, with every label.
    pub rows: Vec<(EpisodeId, DatasetSplit, Vec<String>)>,
    pub pass_rates: BTreeMap<EpisodeId, PassRate>,
}

/// The sink.
#[derive(Default)]
pub struct FakeSink {
    written: Mutex<Vec<Written>>,
    /// The event is `write`.
    pub traps: Traps,
}

impl FakeSink {
    /// Every version, oldest first.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of the newest version.
    pub fn pass_rates(&self) -> Vec<PassRate> {
        let newest = self.written().pop();
        newest.into_iter().flat_map(|written| written.pass_rates.into_values()).collect()
    }
}

#[async_trait]
impl DatasetSink for FakeSink {
    async fn write(&self, edition: DatasetWriteRequest) -> Result<Publication, Fault> {
        self.traps.pass("write").await?;
        let all = edition.rows.page(None, usize::MAX).await?;
        let (campaign, now_ms) = (edition.campaign.clone(), edition.now_ms);
        let Sorted { rows, rejected, pass_rates } = sort_out(edition, all);
        let text: Vec<String> =
            rows.iter().map(|(id, split, labels)| format!("{id} {split:?} {labels:?}")).collect();
        let digest = digest_of(&text.iter().map(String::as_str).collect::<Vec<_>>());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = written.iter().filter(|w| w.record.campaign == campaign);
        if let Some(last) = mine.clone().next_back().filter(|w| w.record.digest == digest) {
            return Ok(Publication { record: last.record.clone(), new: None });
        }
        let version = mine.count() as u32 + 1;
        let mut shares = BTreeMap::new();
        rows.iter().for_each(|(_, split, _)| *shares.entry(*split).or_default() += 1);
        let record = DatasetRecord {
            campaign: campaign.clone(),
            version,
            path: format!("{campaign}/v{version}"),
            rows: shares,
            rejected,
            digest,
            created_at_ms: now_ms,
        };
        written.push(Written { record: record.clone(), rows, pass_rates });
        let new = if version == 1 { NewVersion::First } else { NewVersion::Rows };
        Ok(Publication { record, new: Some(new) })
    }
}

/// The rows of a set after its review.
#[derive(Default)]
struct Sorted {
    rows: Vec<(EpisodeId, DatasetSplit, Vec<String>)>,
    rejected: BTreeMap<String, u64>,
    pass_rates: BTreeMap<EpisodeId, PassRate>,
}

fn sort_out(mut edition: DatasetWriteRequest, all: Vec<RowRecord>) -> Sorted {
    let mut sorted = Sorted::default();
    for mut record in all {
        edition.review.review(&mut record);
        let rate = record.row.as_trajectory_mut().and_then(|row| row.pass_rate);
        sorted.pass_rates.extend(rate.map(|rate| (record.episode.clone(), rate)));
        match record.rejected {
            Some(rejection) => *sorted.rejected.entry(rejection.stage).or_default() += 1,
            None => {
                let labels = record.row.labels().to_vec();
                sorted.rows.push((record.episode, record.split, labels));
            }
        }
    }
    sorted
}

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
        let all = edition.journal.rows(&edition.campaign, None, usize::MAX).await?;
        let (rows, rejected) = sort_out(&edition, &all);
        let text: Vec<String> =
            rows.iter().map(|(id, split, labels)| format!("{id} {split:?} {labels:?}")).collect();
        let digest = digest_of(&text.iter().map(String::as_str).collect::<Vec<_>>());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = written.iter().filter(|w| w.record.campaign == edition.campaign);
        if let Some(last) = mine.clone().next_back().filter(|w| w.record.digest == digest) {
            return Ok(Publication { record: last.record.clone(), new: None });
        }
        let version = mine.count() as u32 + 1;
        let mut shares = BTreeMap::new();
        rows.iter().for_each(|(_, split, _)| *shares.entry(*split).or_default() += 1);
        let record = DatasetRecord {
            campaign: edition.campaign.clone(),
            version,
            path: format!("{}/v{version}", edition.campaign),
            rows: shares,
            rejected,
            digest,
            created_at_ms: edition.now_ms,
        };
        let pass_rates = edition.pass_rates;
        written.push(Written { record: record.clone(), rows, pass_rates });
        let new = if version == 1 { NewVersion::First } else { NewVersion::Rows };
        Ok(Publication { record, new: Some(new) })
    }
}

type Sorted = (Vec<(EpisodeId, DatasetSplit, Vec<String>)>, BTreeMap<String, u64>);

fn sort_out(edition: &DatasetWriteRequest, all: &[RowRecord]) -> Sorted {
    let mut rows = Vec::new();
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    for row in all {
        let late = edition.late_rejections.get(&row.episode);
        if let Some(rejection) = row.rejected.as_ref().or(late) {
            *rejected.entry(rejection.stage.clone()).or_default() += 1;
            continue;
        }
        let mut labels = row.row.labels().to_vec();
        labels.extend(edition.late_labels.get(&row.episode).into_iter().flatten().cloned());
        rows.push((row.episode.clone(), row.split, labels));
    }
    (rows, rejected)
}

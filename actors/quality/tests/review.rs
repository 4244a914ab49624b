//! Stages over the whole set.

use super::good;
use crate::model::{EpisodeId, QualityPolicy, RowRecord, RowRejection, StageAction};
use crate::ports::SetReview;
use crate::quality::{DatasetReview, FinishedUnit};

/// A judged row with this digest.
fn record(ordinal: u64, digest: &str) -> RowRecord {
    let mut judged = good();
    judged.plan.ordinal = ordinal;
    judged.plan.id = EpisodeId(format!("ep-{ordinal}"));
    RowRecord { content_digest: digest.to_owned(), ..judged.judged("now".to_owned()) }
}

/// Rows after their review, with what a campaign wants done with duplicates.
fn reviewed(action: StageAction, mut rows: Vec<RowRecord>) -> Vec<RowRecord> {
    let policy = QualityPolicy { duplicates: action, ..QualityPolicy::default() };
    let mut review = DatasetReview::new(policy, &[]);
    rows.iter_mut().for_each(|row| review.review(row));
    rows
}

fn rejected_by(row: &RowRecord) -> Option<&str> {
    row.rejected.as_ref().map(|rejection| rejection.stage.as_str())
}

#[test]
fn all_but_the_first_of_equal_rows_are_rejected() {
    let rows = ["a", "b", "a", "a"].into_iter().zip(0..).map(|(digest, at)| record(at, digest));
    let rows = reviewed(StageAction::Reject, rows.collect());
    let found: Vec<_> = rows.iter().map(rejected_by).collect();
    assert_eq!(found, [None, None, Some("duplicates"), Some("duplicates")]);
    assert_eq!(rows[3].rejected.as_ref().unwrap().detail, "the same as ep-0");
    let finding = rows[3].findings.last().unwrap();
    assert_eq!((finding.stage.as_str(), finding.version), ("duplicates", 1));
}

#[test]
fn a_label_stands_behind_the_others_and_off_leaves_only_the_finding() {
    for (action, labelled) in [(StageAction::Label, true), (StageAction::Off, false)] {
        let rows = reviewed(action, vec![record(0, "a"), record(1, "a")]);
        let labels = rows[1].row.labels();
        assert_eq!(labels.last().is_some_and(|label| label == "duplicate"), labelled);
        assert_eq!((rejected_by(&rows[1]), rows[1].findings.len()), (None, 1));
        assert!(rows[0].findings.is_empty());
    }
}

/// A row that a stage has rejected is neither a duplicate nor the first of its kind.
#[test]
fn rejected_rows_are_not_compared() {
    let leak = RowRejection { stage: "leak".to_owned(), detail: "the canary".to_owned() };
    let rejected = RowRecord { rejected: Some(leak), ..record(0, "a") };
    let rows = vec![rejected.clone(), record(1, "a"), RowRecord { ordinal: 2, ..rejected }];
    let rows = reviewed(StageAction::Reject, rows);
    assert_eq!(
        rows.iter().map(rejected_by).collect::<Vec<_>>(),
        [Some("leak"), None, Some("leak")]
    );
}

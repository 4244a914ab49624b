//! The figures of a review.
//!
//! The label error is the share of rows whose label is wrong, over the whole dataset. If all items stand
//! for equally many rows, it is the plain share. Otherwise each item counts for as many rows as it stands
//! for, and the sum is divided by the sum of these weights: the ratio of two Horvitz-Thompson totals
//! (Hájek's estimator), since not all items need to be decided. The interval is that of Wilson, with the
//! number of items, or with the effective number (Kish) where weights differ.

use super::agreement::ReviewAgreement;
use super::review_book::ReviewBook;
use super::review_record::ReviewItem;
use crate::model::{ReviewState, ReviewValue, SealedVerdict};
use crate::policy::wilson_of_rate;
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures of a review.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReviewFigures {
    /// How many items there are.
    pub items: u64,
    /// Items by their state. Each state is there.
    pub states: BTreeMap<ReviewState, u64>,
    /// Null while no item with a label is agreed or settled as right or wrong.
    pub label_error: Option<LabelError>,
    pub agreement: ReviewAgreement,
    /// What reviewers say, by the verdict of the sealed check: only items that are agreed or settled.
    pub sealed: BTreeMap<SealedVerdict, ValueCounts>,
    /// The share of items where reviewers and the sealed check say the same, unsure ones and flaky ones
    /// apart; null without one.
    pub sealed_agreement: Option<f64>,
    pub reviewers: BTreeMap<String, ReviewerCounts>,
}

/// How often labels are wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelError {
    /// Items that count.
    pub items: u64,
    /// Items whose label is wrong.
    pub wrong: u64,
    /// The estimated share in the dataset.
    pub rate: f64,
    /// The interval of 95 % (Wilson).
    pub low: f64,
    pub high: f64,
    /// `plain` or `horvitz-thompson-ratio`.
    pub estimator: &'static str,
    /// The number of items that the interval is computed with.
    pub effective: f64,
}

/// How often each value was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ValueCounts {
    pub right: u64,
    pub wrong: u64,
    pub unsure: u64,
}

/// What one reviewer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewerCounts {
    #[serde(flatten)]
    pub values: ValueCounts,
    /// Decisions that were made without knowing the verdict.
    pub blind: u64,
}

impl ValueCounts {
    fn add(&mut self, value: ReviewValue) {
        match value {
            ReviewValue::Right => self.right += 1,
            ReviewValue::Wrong => self.wrong += 1,
            ReviewValue::Unsure => self.unsure += 1,
        }
    }
}

impl ReviewFigures {
    pub fn of(book: &ReviewBook) -> Self {
        let mut states: BTreeMap<_, _> = ReviewState::ALL.iter().map(|one| (*one, 0)).collect();
        let mut sealed: BTreeMap<SealedVerdict, ValueCounts> = BTreeMap::new();
        let mut reviewers: BTreeMap<String, ReviewerCounts> = BTreeMap::new();
        let mut items = 0;
        for item in book.items() {
            items += 1;
            *states.entry(book.state(item)).or_default() += 1;
            if let Some(value) = book.consensus(item) {
                sealed.entry(item.verdict).or_default().add(value);
            }
            for decision in book.decisions(item.number) {
                let counts = reviewers.entry(decision.reviewer.clone()).or_default();
                counts.values.add(decision.value);
                counts.blind += u64::from(decision.blind);
            }
        }
        Self {
            items,
            states,
            label_error: label_error(book),
            agreement: ReviewAgreement::of(book),
            sealed_agreement: sealed_agreement(&sealed),
            sealed,
            reviewers,
        }
    }
}

/// The items that count for the label error, with whether the label is wrong.
fn counted(book: &ReviewBook) -> Vec<(&ReviewItem, bool)> {
    let mut counted = Vec::new();
    for item in book.items() {
        let value = book.consensus(item).filter(|value| *value != ReviewValue::Unsure);
        if let (Some(value), Some(claim)) = (value, item.verdict.claim()) {
            counted.push((item, value != claim));
        }
    }
    counted
}

fn label_error(book: &ReviewBook) -> Option<LabelError> {
    let counted = counted(book);
    let first = counted.first()?.0;
    let uniform = counted.iter().all(|(item, _)| item.same_chance(first));
    let (mut weights, mut squares, mut wrong_weights, mut wrong) = (0.0, 0.0, 0.0, 0);
    for (item, is_wrong) in &counted {
        let weight = if uniform { 1.0 } else { item.weight() };
        weights += weight;
        squares += weight * weight;
        if *is_wrong {
            wrong_weights += weight;
            wrong += 1;
        }
    }
    let (rate, effective) = (wrong_weights / weights, weights * weights / squares);
    let (low, high) = wilson_of_rate(rate, effective);
    let items = u64::try_from(counted.len()).unwrap_or(u64::MAX);
    let estimator = if uniform { "plain" } else { "horvitz-thompson-ratio" };
    Some(LabelError { items, wrong, rate, low, high, estimator, effective })
}

/// The share of items where reviewers say what the sealed check says.
fn sealed_agreement(sealed: &BTreeMap<SealedVerdict, ValueCounts>) -> Option<f64> {
    let of = |verdict| sealed.get(&verdict).copied().unwrap_or_default();
    let (solved, unsolved) = (of(SealedVerdict::Resolved), of(SealedVerdict::Unresolved));
    let equal = solved.right + unsolved.wrong;
    let all = equal + solved.wrong + unsolved.right;
    (all > 0).then(|| equal as f64 / all as f64)
}

//! How far reviewers agree. Krippendorff's alpha for nominal data takes any number of reviewers and does
//! not mind items that only some have seen; items with one value say nothing.
//!
//! Alpha is 1 for perfect agreement and 0 for the agreement of chance. It collapses where nearly all
//! values are equal, so the share of equal pairs stands beside it.

use super::review_book::ReviewBook;
use serde::Serialize;
use std::collections::BTreeMap;

/// How far the reviewers of a review agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReviewAgreement {
    /// Items with two decisions or more.
    pub items: u64,
    /// Of these, the ones where all decisions are equal.
    pub equal_items: u64,
    /// The share of equal pairs of decisions on one item, each item weighed by its decisions; null
    /// without a pair.
    pub equal_pairs: Option<f64>,
    /// Krippendorff's alpha over `right`, `wrong` and `unsure`; null if only one value was said.
    pub alpha: Option<f64>,
}

impl ReviewAgreement {
    pub fn of(book: &ReviewBook) -> Self {
        let values = |item| {
            let decisions = book.decisions(item).iter();
            decisions.map(|decision| decision.value).collect::<Vec<_>>()
        };
        let units: Vec<_> = book.items().iter().map(|item| values(item.number)).collect();
        let pairable = units.iter().filter(|values| values.len() > 1);
        let equal = pairable.clone().filter(|values| values.iter().all(|one| *one == values[0]));
        let whole = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            items: whole(pairable.count()),
            equal_items: whole(equal.count()),
            equal_pairs: equal_pairs(&units),
            alpha: nominal_alpha(&units),
        }
    }
}

/// The share of equal pairs within units, each unit weighed by its values. None without a pair.
fn equal_pairs<V: Ord>(units: &[Vec<V>]) -> Option<f64> {
    let (mut equal, mut all) = (0.0, 0.0);
    for unit in units.iter().filter(|unit| unit.len() > 1) {
        let size = unit.len() as f64;
        let pairs: f64 = counts(unit).values().map(|count| count * (count - 1.0)).sum();
        equal += pairs / (size - 1.0);
        all += size;
    }
    (all > 0.0).then(|| equal / all)
}

/// Krippendorff's alpha for nominal data. Each unit has the values that its observers gave. None if no
/// unit has two values, or if all values are equal.
pub fn nominal_alpha<V: Ord>(units: &[Vec<V>]) -> Option<f64> {
    let observed = 1.0 - equal_pairs(units)?;
    let mut totals: BTreeMap<&V, f64> = BTreeMap::new();
    for value in units.iter().filter(|unit| unit.len() > 1).flatten() {
        *totals.entry(value).or_default() += 1.0;
    }
    let all: f64 = totals.values().sum();
    let different: f64 = totals.values().map(|count| count * (all - count)).sum();
    let expected = different / (all * (all - 1.0));
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

/// How often each value is there.
fn counts<V: Ord>(unit: &[V]) -> BTreeMap<&V, f64> {
    let mut counts = BTreeMap::new();
    for value in unit {
        *counts.entry(value).or_insert(0.0) += 1.0;
    }
    counts
}

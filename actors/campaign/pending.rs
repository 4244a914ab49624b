//! Units that wait for a place, in one queue for each model.
//!
//! A place goes to the model that has the fewest units running. So a model whose provider does
//! not answer cannot take every place.

use crate::model::EpisodeRecord;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The waiting units by the name of their model.
#[derive(Default)]
pub(super) struct PendingUnits {
    models: BTreeMap<String, VecDeque<EpisodeRecord>>,
}

impl PendingUnits {
    pub(super) fn is_empty(&self) -> bool {
        self.models.values().all(VecDeque::is_empty)
    }

    /// Adds a unit that has run before. It goes before the units of its model that have not.
    pub(super) fn push_front(&mut self, record: EpisodeRecord) {
        self.models.entry(record.plan.model.clone()).or_default().push_front(record);
    }

    /// Adds a unit behind the others of its model.
    pub(super) fn push_back(&mut self, record: EpisodeRecord) {
        self.models.entry(record.plan.model.clone()).or_default().push_back(record);
    }

    /// Takes the next unit: of the model with the fewest running units. Among equals, the unit that
    /// comes first in the plan wins. None if nothing waits. `running` counts the running units of
    /// each model; it is not called if only one model has units waiting.
    pub(super) fn pop<'a>(
        &mut self,
        running: impl FnOnce() -> HashMap<&'a str, usize>,
    ) -> Option<EpisodeRecord> {
        let mut waiting = self.models.values_mut().filter(|line| !line.is_empty());
        let (first, second) = (waiting.next(), waiting.next());
        // Only one model waits, so there is nothing to compare.
        if let (Some(only), None) = (first, second) {
            return only.pop_front();
        }
        let running = running();
        let place = |(model, line): (&String, &VecDeque<EpisodeRecord>)| {
            let held = running.get(model.as_str()).copied().unwrap_or_default();
            Some((held, line.front()?.plan.ordinal, model.clone()))
        };
        let (.., model) = self.models.iter().filter_map(place).min()?;
        self.models.get_mut(&model)?.pop_front()
    }
}

impl FromIterator<EpisodeRecord> for PendingUnits {
    fn from_iter<T: IntoIterator<Item = EpisodeRecord>>(records: T) -> Self {
        let mut pending = Self::default();
        records.into_iter().for_each(|record| pending.push_back(record));
        pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::tests::planned;
    use proptest::prelude::*;

    proptest! {
        /// While two models have work, neither holds more than its share of the places and one;
        /// nothing is lost, and the episodes of one model keep their order.
        #[test]
        fn places_are_shared(counts in proptest::collection::vec(1usize..30, 1..5), places in 1usize..12) {
            let models: Vec<String> = (0..counts.len()).map(|n| format!("fake/{n}")).collect();
            let mut ordinal = 0;
            let mut all = Vec::new();
            for (model, count) in models.iter().zip(&counts) {
                for _ in 0..*count {
                    all.push(planned(model, ordinal));
                    ordinal += 1;
                }
            }
            let total = all.len();
            let mut pending: PendingUnits = all.into_iter().collect();
            let mut running: HashMap<String, usize> = HashMap::new();
            let mut last: HashMap<String, u64> = HashMap::new();
            // Nothing ends: the worst that silent providers can do.
            for _ in 0..places.min(total) {
                let record = pending.pop(|| running.iter().map(|(m, n)| (m.as_str(), *n)).collect()).unwrap();
                let model = record.plan.model.clone();
                let before = last.insert(model.clone(), record.plan.ordinal);
                prop_assert!(before.is_none_or(|before| before < record.plan.ordinal));
                *running.entry(model).or_default() += 1;
            }
            for (model, count) in models.iter().zip(&counts) {
                let held = running.get(model).copied().unwrap_or(0);
                let others = models.iter().zip(&counts).filter(|(other, _)| *other != model);
                let wanting = others.filter(|(other, count)| {
                    running.get(*other).copied().unwrap_or(0) < **count
                });
                for (other, _) in wanting {
                    let theirs = running.get(other).copied().unwrap_or(0);
                    prop_assert!(held <= theirs + 1, "{model} {held}, {other} {theirs} of {count}");
                }
            }
            let mut left = 0;
            while pending.pop(HashMap::new).is_some() { left += 1; }
            prop_assert_eq!(left, total - places.min(total));
            prop_assert!(pending.is_empty());
        }
    }
}

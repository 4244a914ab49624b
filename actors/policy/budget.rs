//! The wall: what is settled, what is held, and whether one more hold fits under the cap.
//! The worst case is held before a call and replaced by its true cost after it.

use crate::model::Money;
use std::collections::HashMap;

/// One capped scope.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    cap: Option<Money>,
    settled: Money,
    holds: HashMap<String, Money>,
    held: Money,
}

/// Why a hold was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Other calls are in flight; when they settle there may be room.
    NotNow,
    /// Not even with everything in flight free of charge.
    Exhausted,
}

impl Budget {
    /// A scope that has spent `settled` before.
    pub fn new(cap: Option<Money>, settled: Money) -> Self {
        Self { cap, settled, ..Self::default() }
    }

    /// Sets `amount` aside under `id`. The same id again changes nothing.
    pub fn hold(&mut self, id: &str, amount: Money) -> Result<(), Refusal> {
        if self.holds.contains_key(id) {
            return Ok(());
        }
        let alone = self.settled.checked_add(amount).ok_or(Refusal::Exhausted)?;
        let with_others = alone.checked_add(self.held).ok_or(Refusal::Exhausted)?;
        if let Some(cap) = self.cap {
            if alone > cap {
                return Err(Refusal::Exhausted);
            }
            if with_others > cap {
                return Err(Refusal::NotNow);
            }
        }
        self.holds.insert(id.to_owned(), amount);
        self.held = self.held.saturating_add(amount);
        Ok(())
    }

    /// Replaces a hold by what the call really cost; an unknown id changes nothing.
    /// Returns whether the cost went above its hold: a fault of the estimate.
    pub fn settle(&mut self, id: &str, cost: Money) -> bool {
        let Some(amount) = self.holds.remove(id) else { return false };
        self.held = self.held.saturating_sub(amount);
        self.settled = self.settled.saturating_add(cost);
        cost > amount
    }

    pub fn settled(&self) -> Money {
        self.settled
    }

    pub fn held(&self) -> Money {
        self.held
    }

    pub fn cap(&self) -> Option<Money> {
        self.cap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Hold(u8, u64),
        Settle(u8, u64),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let hold = (any::<u8>(), 0u64..100).prop_map(|(id, n)| Deed::Hold(id % 16, n));
        let settle = (any::<u8>(), 0u64..100).prop_map(|(id, n)| Deed::Settle(id % 16, n));
        proptest::collection::vec(prop_oneof![hold, settle], 0..200)
    }

    proptest! {
        /// As long as no call costs more than its hold, nothing passes the cap, whatever
        /// the order; and the sums agree with a model that keeps every hold apart.
        #[test]
        fn spend_never_passes_the_cap(cap in 0u64..500, deeds in deeds()) {
            let mut budget = Budget::new(Some(Money::from_nanos(cap)), Money::ZERO);
            let mut open: HashMap<u8, u64> = HashMap::new();
            let mut settled = 0;
            for deed in deeds {
                match deed {
                    Deed::Hold(id, amount) => {
                        let granted = budget.hold(&id.to_string(), Money::from_nanos(amount)).is_ok();
                        let fits = settled + open.values().sum::<u64>() + amount <= cap;
                        prop_assert_eq!(granted, open.contains_key(&id) || fits);
                        if granted {
                            open.entry(id).or_insert(amount);
                        }
                    }
                    Deed::Settle(id, cost) => {
                        let cost = open.get(&id).map_or(cost, |held| cost.min(*held));
                        budget.settle(&id.to_string(), Money::from_nanos(cost));
                        if open.remove(&id).is_some() {
                            settled += cost;
                        }
                    }
                }
                prop_assert_eq!(budget.settled().nanos(), settled);
                prop_assert_eq!(budget.held().nanos(), open.values().sum::<u64>());
                prop_assert!(budget.settled().nanos() + budget.held().nanos() <= cap);
            }
        }
    }

    #[test]
    fn tells_waiting_from_exhausted() {
        let mut budget = Budget::new(Some(Money::from_nanos(10)), Money::ZERO);
        assert_eq!(budget.hold("a", Money::from_nanos(8)), Ok(()));
        assert_eq!(budget.hold("b", Money::from_nanos(5)), Err(Refusal::NotNow));
        assert_eq!(budget.hold("c", Money::from_nanos(11)), Err(Refusal::Exhausted));
        assert!(!budget.settle("a", Money::from_nanos(1)));
        assert_eq!(budget.hold("b", Money::from_nanos(5)), Ok(()));
        assert!(budget.settle("b", Money::from_nanos(6)), "more than was held");
    }
}

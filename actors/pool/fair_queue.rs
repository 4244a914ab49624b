//! A fair queue of waiters of several campaigns. The campaigns take turns, so a thousand waiters of
//! one campaign do not delay another campaign.

use std::collections::VecDeque;
use std::sync::Arc;

/// Waiters that share a turn: the name of a campaign.
pub(super) type QueueGroup = Arc<str>;

/// The queue. Within a group, waiters are served in the order of their arrival; the groups are
/// served in turn. No group in the queue is empty.
pub(super) struct FairQueue<W> {
    turns: VecDeque<(QueueGroup, VecDeque<W>)>,
}

impl<W> Default for FairQueue<W> {
    fn default() -> Self {
        Self { turns: VecDeque::new() }
    }
}

impl<W> FairQueue<W> {
    /// Adds a waiter. A new group gets its turn after all others.
    pub(super) fn push(&mut self, party: QueueGroup, waiter: W) {
        match self.turns.iter_mut().find(|(known, _)| *known == party) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.turns.push_back((party, VecDeque::from([waiter]))),
        }
    }

    /// Removes the next waiter. Its group goes to the end.
    pub(super) fn pop(&mut self) -> Option<W> {
        let (party, mut waiters) = self.turns.pop_front()?;
        let first = waiters.pop_front();
        if !waiters.is_empty() {
            self.turns.push_back((party, waiters));
        }
        first
    }

    /// The number of waiters of all groups.
    pub(super) fn len(&self) -> usize {
        self.turns.iter().map(|(_, waiters)| waiters.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Removes the waiters for which `keep` is false.
    pub(super) fn retain(&mut self, keep: impl Fn(&W) -> bool) {
        self.turns.iter_mut().for_each(|(_, waiters)| waiters.retain(&keep));
        self.turns.retain(|(_, waiters)| !waiters.is_empty());
    }

    /// Removes all waiters, in the order in which they would have been served.
    pub(super) fn drain(&mut self) -> Vec<W> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whoever comes, everybody is served once, a party in its own order, and nobody is
        /// passed by another party twice.
        #[test]
        fn parties_take_turns(comers in prop::collection::vec(0_usize..4, 0..60)) {
            let mut line = FairQueue::default();
            for (number, party) in comers.iter().enumerate() {
                line.push(party.to_string().into(), (*party, number));
            }
            prop_assert_eq!(line.len(), comers.len());
            let served = line.drain();
            prop_assert_eq!(served.len(), comers.len());
            for party in 0..4 {
                let own: Vec<usize> = served.iter().filter(|s| s.0 == party).map(|s| s.1).collect();
                prop_assert!(own.is_sorted());
            }
            for (at, (party, _)) in served.iter().enumerate() {
                let waits = |other: usize| served[at..].iter().any(|s| s.0 == other);
                let next = served[at + 1..].iter().position(|s| s.0 == *party);
                let between = &served[at + 1..][..next.unwrap_or(0)];
                let others = (0..4).filter(|other| other != party && waits(*other)).count();
                prop_assert!(next.is_none() || between.len() == others);
            }
        }
    }
}

//! A hold of one try in memory. It owns the held money until the try is settled.
//!
//! The invariant: memory never counts less than the journal. A hold that is dropped without a
//! settlement counts in full, and so does one whose settlement the store did not take.

use super::account::CampaignAccount;
use crate::model::{JournalEntry, Money};
use std::sync::Arc;

/// A hold in memory. If it is dropped without a settlement (the call panicked, or the engine ends),
/// the whole hold counts as spent, as it does in the journal.
pub(super) struct MoneyHold {
    account: Arc<CampaignAccount>,
    id: String,
    amount: Money,
}

impl MoneyHold {
    /// The owner of a hold that the account's ledger has granted under `id`.
    pub(super) fn new(account: Arc<CampaignAccount>, id: String, amount: Money) -> Self {
        Self { account, id, amount }
    }

    /// The held money.
    pub(super) fn amount(&self) -> Money {
        self.amount
    }

    /// The settlement as the journal keeps it.
    pub(super) fn settlement(&self, cost: Money) -> JournalEntry {
        JournalEntry::Settled { id: self.id.clone(), amount: cost }
    }

    /// Replaces the hold by the cost.
    pub(super) fn settle(self, cost: Money, answered: bool) {
        self.account.settle(&self.id, cost, answered);
    }

    /// Counts the whole hold, or `cost` if that is more, until [`Self::recorded`].
    pub(super) fn unrecorded(&self, cost: Money) {
        self.account.settle_unrecorded(&self.id, self.amount.max(cost));
    }

    /// Counts the cost in place of the whole hold, because the journal has the settlement now.
    pub(super) fn recorded(self, cost: Money, answered: bool) {
        self.account.recorded(&self.id, cost, answered);
    }
}

impl Drop for MoneyHold {
    fn drop(&mut self) {
        // After a settlement the ledger does not know the id, and this changes nothing.
        self.account.settle(&self.id, self.amount, false);
    }
}

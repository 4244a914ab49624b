//! Money in the store: holds, settlements, corrections, reconciliation.

pub(super) mod adjust;
pub(super) mod ledger;
pub(super) mod money;
pub(super) mod reconcile;

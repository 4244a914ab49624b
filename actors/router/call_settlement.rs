//! What a call that has ended has still to record: its settlement, if it had a hold, and the record
//! of its exchange.
//!
//! ```text
//!  open ──written, alone or with its caller's entries──► the hold is settled in memory
//!   │            └── the store fails ──► kept in the backlog of the account
//!   └── dropped ──► written by a task of its own
//! ```
//! In memory, the hold is replaced after the write, so that the money is not free before the
//! settlement is durable.

use super::account::CampaignAccount;
use super::money_hold::MoneyHold;
use super::record_backlog::UnrecordedCall;
use crate::collector::CollectorHandle;
use crate::model::{Fault, FaultKind, JournalEntry, Money};
use crate::supervisor::{panic_text, spawn};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The settlement of a call, until it is written.
pub struct CallSettlement(Option<OpenSettlement>);

/// The parts of a settlement that is not written yet.
pub(super) struct OpenSettlement {
    /// The settlement of the hold and the call record. Empty if the call has neither.
    pub(super) entries: Vec<JournalEntry>,
    /// None if the model costs nothing.
    pub(super) held: Option<MoneyHold>,
    /// What replaces the hold.
    pub(super) cost: Money,
    pub(super) answered: bool,
    /// Its backlog keeps what the store does not take.
    pub(super) account: Arc<CampaignAccount>,
    pub(super) collector: CollectorHandle,
    /// The ticket is out until its settlement is written or kept.
    pub(super) token: TaskTrackerToken,
}

impl CallSettlement {
    pub(super) fn new(open: OpenSettlement) -> Self {
        Self(Some(open))
    }

    /// Writes the settlement alone.
    pub(super) async fn write(mut self) {
        if let Some(open) = self.0.take() {
            // What the store does not take is in the backlog, and the answer is given all the same.
            open.write(Vec::new()).await.ok();
        }
    }

    /// Writes the settlement together with `more`: the store takes all of it or nothing. It is
    /// written or kept in the backlog also if the caller is dropped. Err means that the store did
    /// not take it; `more` is not kept.
    pub async fn write_with(mut self, more: Vec<JournalEntry>) -> Result<(), Fault> {
        let Some(open) = self.0.take() else { return Ok(()) };
        let written = spawn("settlement", open.write(more));
        let panicked = |failure| Err(Fault::new(FaultKind::Store, panic_text(failure)));
        written.detach().await.unwrap_or_else(panicked)
    }
}

impl OpenSettlement {
    /// Writes the entries and `more` as one batch. Then the hold is replaced by the cost. If the
    /// store fails, the entries wait in the backlog, and the whole hold counts in memory, as it does
    /// in the journal.
    async fn write(self, more: Vec<JournalEntry>) -> Result<(), Fault> {
        let Self { entries, held, cost, answered, account, collector, token: _token } = self;
        let written = collector.record_here(entries.iter().cloned().chain(more).collect()).await;
        match &written {
            Ok(()) => held.into_iter().for_each(|held| held.settle(cost, answered)),
            Err(fault) if !entries.is_empty() => {
                tracing::error!(%fault, "a call is not recorded yet");
                account.backlog.keep(UnrecordedCall::new(entries, held, cost, answered));
            }
            Err(_) => {}
        }
        written
    }
}

impl Drop for CallSettlement {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        // Without a runtime the process ends: the hold then counts in full, as it does in the journal.
        if Handle::try_current().is_ok() {
            spawn("settlement", open.write(Vec::new())).detach();
        }
    }
}

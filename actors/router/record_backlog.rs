//! The records of calls that the store could not take, for example because the disk is full. The
//! answer has been paid for, and its caller has it, so its record must not be lost. The entries
//! stay in memory here, and no new call of the campaign is made until the store has taken them.
//!
//! `ticket` adds entries and writes them before each new call. They are also written when the
//! campaign comes to rest, before it is opened again, and at the shutdown. What is still here when the process ends is lost as a record, but not as money: its hold
//! is in the store and counts in full. Until the store has taken the entries, the hold counts in
//! full in memory too.

use super::money_hold::MoneyHold;
use crate::collector::CollectorHandle;
use crate::model::{Fault, JournalEntry, Money};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A call whose entries the store did not take: those of its end, or the start of its attempt.
pub(super) struct UnrecordedCall {
    /// Its settlement and its call record, which are written together.
    entries: Vec<JournalEntry>,
    /// Its hold. None if the model costs nothing.
    held: Option<MoneyHold>,
    /// What it was settled at.
    cost: Money,
    answered: bool,
}

impl UnrecordedCall {
    /// Counts the hold in full from now on.
    pub(super) fn new(
        entries: Vec<JournalEntry>,
        held: Option<MoneyHold>,
        cost: Money,
        answered: bool,
    ) -> Self {
        held.iter().for_each(|held| held.unrecorded(cost));
        Self { entries, held, cost, answered }
    }

    /// Counts the cost, because the store has taken the entries.
    fn recorded(self) {
        if let Some(held) = self.held {
            held.recorded(self.cost, self.answered);
        }
    }
}

/// The calls that wait, the oldest first.
#[derive(Default)]
pub(super) struct RecordBacklog {
    waiting: Mutex<VecDeque<UnrecordedCall>>,
    /// Held by the call that writes. Other calls wait for it and find out whether it succeeded.
    writing: tokio::sync::Mutex<()>,
}

impl RecordBacklog {
    /// Locks the list, also after a panic of another holder: each change of it is one step.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<UnrecordedCall>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call whose entries the store did not take.
    pub(super) fn keep(&self, unrecorded: UnrecordedCall) {
        self.waiting().push_back(unrecorded);
    }

    /// How many calls wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Writes everything that waits, the oldest first. It stops at the first failure, and the rest
    /// goes on waiting.
    pub(super) async fn clear(&self, collector: &CollectorHandle) -> Result<(), Fault> {
        if self.len() == 0 {
            return Ok(());
        }
        let _alone = self.writing.lock().await;
        loop {
            let entries = self.waiting().front().map(|oldest| oldest.entries.clone());
            let Some(entries) = entries else { return Ok(()) };
            // Removed only after they are written. If this future is dropped in between, they are
            // written again later, which changes nothing: entries are idempotent.
            collector.record(entries).await?;
            let written = self.waiting().pop_front();
            written.into_iter().for_each(UnrecordedCall::recorded);
        }
    }
}

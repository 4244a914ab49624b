//! What is done to entries before they are queued, by the caller and not by the one writer:
//! bodies are encoded and compressed on as many cores as there are callers.

use super::blob;
use super::calls::{self, PackedCall};
use super::error::StoreError;
use super::request_delta::{BaseRequest, NewestRequests};
use super::writer::AppendDurability;
use synthd_actors::model::{EpisodeId, JournalEntry, Turn};

/// An entry and its encoded body; empty for entries that have none.
pub(super) struct PreparedWrite {
    pub(super) entry: WriteContent,
    pub(super) body: Vec<u8>,
}

/// What is to be written.
pub(super) enum WriteContent {
    Entry(JournalEntry),
    /// A call's bytes are taken out of its entry, and packed.
    Call(Box<PackedCall>),
}

impl PreparedWrite {
    /// The request that the next one of its episode may be told by.
    pub(super) fn call(&self) -> Option<(EpisodeId, BaseRequest)> {
        match &self.entry {
            WriteContent::Call(packed) => {
                Some((packed.call.place.episode.clone(), packed.known.clone()))
            }
            WriteContent::Entry(_) => None,
        }
    }

    pub(super) fn promise(&self) -> AppendDurability {
        match &self.entry {
            WriteContent::Entry(JournalEntry::Held { .. }) => AppendDurability::Synced,
            WriteContent::Entry(JournalEntry::Settled { .. }) => AppendDurability::SyncedSoon,
            WriteContent::Entry(_) | WriteContent::Call(_) => AppendDurability::Committed,
        }
    }
}

pub(super) fn prepare(
    entries: Vec<JournalEntry>,
    newest: &NewestRequests,
) -> Result<Vec<PreparedWrite>, StoreError> {
    let write = |entry| match entry {
        JournalEntry::Called(call) => {
            let packed = calls::pack(call, newest)?;
            Ok(PreparedWrite { entry: WriteContent::Call(Box::new(packed)), body: Vec::new() })
        }
        entry => Ok(PreparedWrite { body: body(&entry)?, entry: WriteContent::Entry(entry) }),
    };
    entries.into_iter().map(write).collect()
}

fn body(entry: &JournalEntry) -> Result<Vec<u8>, StoreError> {
    match entry {
        JournalEntry::TurnTaken { turn, .. } => turn_body(turn),
        JournalEntry::Finished { outcome, .. } => blob::encode_checked(outcome),
        JournalEntry::Judged(row) => blob::encode_checked(row),
        _ => Ok(Vec::new()),
    }
}

// The potential is the only number in a turn that JSON might not be able to say.
fn turn_body(turn: &Turn) -> Result<Vec<u8>, StoreError> {
    if !turn.step.potential.is_finite() {
        return Err(StoreError::refused("the potential of a step is not a number"));
    }
    blob::encode(turn)
}

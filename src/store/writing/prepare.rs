//! Prepares journal entries before they are queued. The caller does this work and not the writer
//! thread, so that bodies are encoded and compressed on as many cores as there are callers.
//! [`prepare`] is called by `Store::append`; the writer passes the result to `apply`.

use crate::store::blob;
use crate::store::call_records::calls::{self, PackedCall};
use crate::store::call_records::request_delta::{BaseRequest, NewestRequests};
use crate::store::error::StoreError;
use crate::store::writing::writer::AppendDurability;
use synthd_actors::model::{EpisodeId, JournalEntry, RowRecord, Turn};
use synthd_actors::quality::TurnParts;

/// An entry with its encoded body.
pub(in crate::store) struct PreparedWrite {
    pub(in crate::store) entry: WriteContent,
    /// Encoded by `blob`. Empty for entries without a body.
    pub(in crate::store) body: Vec<u8>,
}

/// What is to be written.
pub(in crate::store) enum WriteContent {
    /// An entry of any kind except a call.
    Entry(JournalEntry),
    /// A call. Its bytes are taken out of the journal entry and packed.
    Call(Box<PackedCall>),
}

impl PreparedWrite {
    /// The episode and the request of a call, for the next request of this episode to refer to.
    /// None for other entries.
    pub(in crate::store) fn call(&self) -> Option<(EpisodeId, BaseRequest)> {
        match &self.entry {
            WriteContent::Call(packed) => {
                Some((packed.call.place.episode.clone(), packed.known.clone()))
            }
            WriteContent::Entry(_) => None,
        }
    }

    /// Whether this is the end of an episode.
    pub(in crate::store) fn is_end(&self) -> bool {
        matches!(self.entry, WriteContent::Entry(JournalEntry::Finished { .. }))
    }

    /// The durability that this entry needs before its append is answered. A hold must be synced
    /// before its call is sent. A settlement is synced soon. A commit is enough for everything
    /// else.
    pub(in crate::store) fn promise(&self) -> AppendDurability {
        match &self.entry {
            WriteContent::Entry(JournalEntry::Held { .. }) => AppendDurability::Synced,
            WriteContent::Entry(JournalEntry::Settled { .. }) => AppendDurability::SyncedSoon,
            WriteContent::Entry(_) | WriteContent::Call(_) => AppendDurability::Committed,
        }
    }
}

/// Encodes all entries of one append. If one of them cannot be encoded, the whole append fails, and
/// nothing of it is written.
pub(in crate::store) fn prepare(
    entries: Vec<JournalEntry>,
    newest: &NewestRequests,
) -> Result<Vec<PreparedWrite>, StoreError> {
    let write = |entry| match entry {
        JournalEntry::Called(call) => {
            let packed = calls::pack(call, newest)?;
            Ok(PreparedWrite { entry: WriteContent::Call(Box::new(packed)), body: Vec::new() })
        }
        mut entry => {
            Ok(PreparedWrite { body: body(&mut entry)?, entry: WriteContent::Entry(entry) })
        }
    };
    entries.into_iter().map(write).collect()
}

/// The encoded body of an entry. Outcomes, later verdicts and rows of trajectories are decoded again as
/// a test, because they contain numbers that JSON may not be able to express.
fn body(entry: &mut JournalEntry) -> Result<Vec<u8>, StoreError> {
    match entry {
        JournalEntry::TurnTaken { turn, .. } => turn_body(turn),
        JournalEntry::Finished { outcome, .. } => blob::encode_checked(outcome),
        JournalEntry::Judged(record) => row_body(record),
        JournalEntry::Reverified(again) => blob::encode_checked(again),
        _ => Ok(Vec::new()),
    }
}

/// Encodes a row without the parts that the turns of its attempt hold. The writer checks that the
/// store has these turns; otherwise it encodes the whole row. A completion's row is whole, and all
/// its numbers are integers, which JSON expresses.
fn row_body(record: &mut RowRecord) -> Result<Vec<u8>, StoreError> {
    let Some(parts) = record.row.as_trajectory_mut().map(TurnParts::take) else {
        return blob::encode(record);
    };
    let body = blob::encode_checked(record);
    if let Some(row) = record.row.as_trajectory_mut() {
        parts.put(row);
    }
    body
}

/// Encodes a turn. The potential is the only number that a turn must have and that JSON may not be
/// able to express. Checking it alone costs less than decoding the whole turn again.
fn turn_body(turn: &Turn) -> Result<Vec<u8>, StoreError> {
    if !turn.step.potential.is_finite() {
        return Err(StoreError::refused("the potential of a step is not a number"));
    }
    blob::encode(turn)
}

//! What is done to entries before they are queued, by the caller and not by the one writer:
//! bodies are encoded and compressed on as many cores as there are callers.

use super::blob;
use super::calls::{self, Packed};
use super::likeness::{Known, Newest};
use super::trouble::Trouble;
use super::writer::Promise;
use synthd_actors::model::{Entry, EpisodeId, Turn};

/// An entry and its encoded body; empty for entries that have none.
pub(super) struct Write {
    pub(super) entry: Deed,
    pub(super) body: Vec<u8>,
}

/// What is to be written.
pub(super) enum Deed {
    Entry(Entry),
    /// A call's bytes are taken out of its entry, and packed.
    Call(Box<Packed>),
}

impl Write {
    /// The request that the next one of its episode may be told by.
    pub(super) fn call(&self) -> Option<(EpisodeId, Known)> {
        match &self.entry {
            Deed::Call(packed) => Some((packed.call.place.episode.clone(), packed.known.clone())),
            Deed::Entry(_) => None,
        }
    }

    pub(super) fn promise(&self) -> Promise {
        match &self.entry {
            Deed::Entry(Entry::Held { .. }) => Promise::Synced,
            Deed::Entry(Entry::Settled { .. }) => Promise::SyncedSoon,
            Deed::Entry(_) | Deed::Call(_) => Promise::Committed,
        }
    }
}

pub(super) fn prepare(entries: Vec<Entry>, newest: &Newest) -> Result<Vec<Write>, Trouble> {
    let write = |entry| match entry {
        Entry::Called(call) => {
            let packed = calls::pack(call, newest)?;
            Ok(Write { entry: Deed::Call(Box::new(packed)), body: Vec::new() })
        }
        entry => Ok(Write { body: body(&entry)?, entry: Deed::Entry(entry) }),
    };
    entries.into_iter().map(write).collect()
}

fn body(entry: &Entry) -> Result<Vec<u8>, Trouble> {
    match entry {
        Entry::TurnTaken { turn, .. } => turn_body(turn),
        Entry::Finished { outcome, .. } => blob::encode_checked(outcome),
        Entry::Judged(row) => blob::encode_checked(row),
        _ => Ok(Vec::new()),
    }
}

// The potential is the only number in a turn that JSON might not be able to say.
fn turn_body(turn: &Turn) -> Result<Vec<u8>, Trouble> {
    if !turn.step.potential.is_finite() {
        return Err(Trouble::refused("the potential of a step is not a number"));
    }
    blob::encode(turn)
}

//! What is done to entries before they are queued, by the caller and not by the one writer:
//! bodies are encoded and compressed on as many cores as there are callers.

use super::blob;
use super::trouble::Trouble;
use synthd_actors::model::{Entry, Turn};

/// Above this, encoding would hold up an async thread for too long.
const HEAVY_BYTES: usize = 64 * 1024;

/// An entry and its encoded body; empty for entries that have none.
pub(super) struct Write {
    pub(super) entry: Entry,
    pub(super) body: Vec<u8>,
}

/// Whether [`prepare`] belongs on a blocking thread.
pub(super) fn is_heavy(entries: &[Entry]) -> bool {
    entries.iter().map(weight).sum::<usize>() > HEAVY_BYTES
}

pub(super) fn prepare(entries: Vec<Entry>) -> Result<Vec<Write>, Trouble> {
    entries.into_iter().map(|entry| Ok(Write { body: body(&entry)?, entry })).collect()
}

fn weight(entry: &Entry) -> usize {
    match entry {
        Entry::TurnTaken { turn, .. } => {
            turn.step.observation.len()
                + turn.step.action.arguments.len()
                + turn.messages.iter().map(|m| m.content.len()).sum::<usize>()
        }
        // A whole trajectory, and checked by reading it back.
        Entry::Judged(_) => HEAVY_BYTES + 1,
        _ => 0,
    }
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

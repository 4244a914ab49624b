//! One attempt at a model: what may be wrong with it, and whether it may be charged for.

use super::{Fault, FaultKind, Usage};
use std::time::Duration;

/// What a failed attempt may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCharge {
    /// Certainly nothing: it never reached the model, or was refused by it.
    Nothing,
    /// The provider refused it, and counted tokens for it all the same.
    Counted(Usage),
    /// Nobody knows: it counts as its worst case.
    Unknown,
}

/// Why one attempt at a model failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct CallFault {
    pub fault: Fault,
    pub charge: CallCharge,
    /// The provider said how long to wait.
    pub retry_after: Option<Duration>,
    /// The provider was asked too often: the attempt says nothing of its health.
    pub rate_limited: bool,
    /// The answer ended without a word and without a reason: some servers tell so that a
    /// conversation is too long.
    pub said_nothing: bool,
}

impl CallFault {
    /// One that may have been charged for.
    pub fn unknown(kind: FaultKind, message: impl Into<String>) -> Self {
        Fault::new(kind, message).into()
    }

    /// One that was not.
    pub fn free(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { charge: CallCharge::Nothing, ..Self::unknown(kind, message) }
    }
}

impl From<Fault> for CallFault {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            charge: CallCharge::Unknown,
            retry_after: None,
            rate_limited: false,
            said_nothing: false,
        }
    }
}

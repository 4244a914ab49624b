//! How one try of a model call fails: the fault, what the try may have cost, and what the provider
//! said about trying again. Model adapters return a `CallFault`; the router and the gateway decide
//! from it on the settlement, the retry and the circuit breaker.

use super::{Fault, FaultKind, Usage};
use std::time::Duration;

/// What a failed try costs. The ledger settles the hold with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCharge {
    /// It certainly costs nothing: the request never reached the model, or the model refused it.
    Nothing,
    /// The provider refused the call but reported tokens for it. These tokens are charged, at most
    /// at the hold.
    Counted(Usage),
    /// Nobody knows whether the provider charges for it. The whole hold counts as spent.
    Unknown,
}

/// Why one try of a model call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct CallFault {
    /// The kind of the fault and a message for people.
    pub fault: Fault,
    /// What the try may have cost.
    pub charge: CallCharge,
    /// How long the provider asked to wait before the next try, for example from a `Retry-After`
    /// header.
    pub retry_after: Option<Duration>,
    /// The provider refused because of too many requests (such as a 429). This says nothing about
    /// the provider's health, so it does not count for the circuit breaker.
    pub rate_limited: bool,
    /// The answer ended without any text and without a finish reason. Some servers answer like this
    /// if a conversation is too long for the model.
    pub said_nothing: bool,
}

impl CallFault {
    /// A fault of a try that may have been charged: its cost is `CallCharge::Unknown`.
    pub fn unknown(kind: FaultKind, message: impl Into<String>) -> Self {
        Fault::new(kind, message).into()
    }

    /// A fault of a try that certainly was not charged.
    pub fn free(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { charge: CallCharge::Nothing, ..Self::unknown(kind, message) }
    }
}

/// A fault without further knowledge. The charge is unknown, because assuming a free call could
/// break a cap.
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

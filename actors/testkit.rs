//! Scripted fakes for tests: adapters that do what a test says, and the fault it injects.

use actix::Message;

/// Panics whichever actor receives it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

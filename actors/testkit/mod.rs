//! Scripted fakes for tests: adapters that do what a test says, the faults it injects, and
//! a system that panics when something is left behind.

mod agents;
mod archive;
mod campaigns;
mod clock;
mod containers;
mod jobs;
mod journal;
mod judged;
mod ledger;
mod models;
mod operations;
mod sandbox;
mod sink;
mod system;
mod traps;

pub use agents::FakeAgents;
pub use archive::FakeArchive;
pub use campaigns::{STAGED, TEMPLATES, campaign, catalog, priced};
pub use clock::FakeClock;
pub use containers::{FakeJudge, ProofMemory, container_task};
pub use journal::MemoryJournal;
pub use models::{FakeModel, FakeModels, Line};
pub use sandbox::{FakeBackend, Separation};
pub use sink::{FakeSink, Written};
pub use system::{Kit, Options, in_test_system};
pub use traps::{Trap, Traps};

use actix::Message;

/// Panics whichever actor receives it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

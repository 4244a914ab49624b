//! The part of synthd that decides: domain types, pure policies, ports and actors.
//!
//! The arrow points one way: the `synthd` package depends on this one, never the other way,
//! so no database, container engine or file format can reach in here.

pub mod agent_access;
pub mod campaign;
pub mod collector;
pub mod engine;
pub mod episode;
pub mod model;
pub mod policy;
pub mod pool;
pub mod ports;
pub mod proof;
pub mod quality;
pub mod router;
pub mod scaffold;
pub mod supervisor;
pub mod task;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

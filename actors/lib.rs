//! The part of synthd that decides: domain types, pure policies, ports and actors.
//!
//! The arrow points one way: the `synthd` package depends on this one, never the other way,
//! so no database, container engine or file format can reach in here.

pub mod model;
pub mod policy;
pub mod ports;
pub mod scaffold;
pub mod supervisor;
pub mod task;

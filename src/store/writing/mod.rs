//! The one writer: the queue in front of it, group commit, and how entries become rows.

pub(super) mod apply;
pub(super) mod batch;
pub(super) mod encoding_cost;
pub(super) mod fence;
pub(super) mod prepare;
pub(super) mod stats;
pub(super) mod write_behind;
pub(super) mod writer;
pub(super) mod writer_thread;

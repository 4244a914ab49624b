//! What quality needs of a finished unit, of whatever kind of work.

use crate::model::{PlannedEpisode, RowRecord, SandboxFingerprint, Turn};
use std::fmt::Debug;

/// A unit that has an outcome and can make a row. Each kind of work has its own.
pub trait FinishedUnit: Debug + Send + Sync + 'static {
    fn plan(&self) -> &PlannedEpisode;

    /// The turns of the attempt that reached the outcome, for counts.
    fn turns(&self) -> &[Turn];

    /// What the sandbox ran on. None for a unit that has no sandbox.
    fn fingerprint(&self) -> Option<&SandboxFingerprint>;

    /// Milliseconds since the Unix epoch.
    fn finished_at_ms(&self) -> i64;

    /// Builds the row and runs the stages of this kind over it. `stamp` is the time of the end as
    /// text. The same unit gives the same record.
    fn judged(&self, stamp: String) -> RowRecord;
}

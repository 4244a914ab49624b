//! Judge and judged, apart. Checks run in the judge's sandbox, where no program of an agent ever runs.
//! What a check runs of the workspace runs in a second sandbox, the judged one, which has the
//! workspace and nothing of the check. Between the two is the engine; they share no process, no file
//! and no memory.
//!
//! ```text
//!   judge's sandbox                     engine                     judged sandbox
//!   /sealed, submission ── tunnel ──► JudgedService ── guest ──► /work, programs of the agent
//!   (checks only)        requests       (one at a time)           (taken when first asked for)
//! ```
//! A check asks for operations: run a program, read, write or list files, begin anew. The bytes of a
//! judged program's output are all that comes back. So a check decides about bytes, and no judged
//! code can read it, patch it or end it. A sandbox that fails on either side is a fault of the
//! verification and never a failed check.
//!
//! - `check_part`: one of several checks that a command decides at once.
//! - `check_time`: how long checks may take.
//! - `declared_check`: checks that compare bytes. The engine itself evaluates them; no sandbox runs.
//! - `engine_commands`: commands of the engine itself in a sandbox.
//! - `judge_sandbox`: runs the checks of a task over a copy of a workspace.
//! - `left_out`: what of a workspace is not judged, in words.
//! - `judged_service`: the engine's part in the middle.
//! - `service_health`: the health of the services beside the judged programs.
//! - `judged_protocol`: the bytes between a check and the engine.
//! - `library/`: what a check in Python or in the shell uses of it; part of the task.

mod check_part;
pub(crate) mod check_time;
mod declared_check;
pub(crate) mod engine_commands;
mod judge_sandbox;
mod judged_protocol;
mod judged_service;
mod left_out;
mod service_health;
#[cfg(test)]
mod tests;

pub use judge_sandbox::{JudgeSandbox, JudgedCheck};

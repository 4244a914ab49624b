//! The integration tests: one binary, one link step. Each module says what it needs of the
//! host; what is missing fails under `CI=true` and is skipped aloud elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says what went wrong by panicking"
)]

mod cli;
mod control;
mod crash;
mod models;
mod sandbox;
mod support;

//! What several test modules share.

#[cfg(feature = "buckets")]
mod bucket;
mod engine;
mod hub;
mod registry;
mod skipped;
mod upstream;

#[cfg(feature = "buckets")]
pub(crate) use bucket::{BUCKET, Bucket, SECRET};
pub(crate) use engine::{OwnEngine, TINY};
pub(crate) use hub::{Hub, TOKEN, Trouble};
pub(crate) use registry::{PASSWORD, Registry, USER, door};
pub(crate) use skipped::pass_on_skips;
use std::io::Write;
use std::path::PathBuf;
pub(crate) use upstream::Upstream;

/// Names another binary to test: set when the tests run as a user who cannot enter the
/// build directory.
pub(crate) const SYNTHD_OVERRIDE: &str = "SYNTHD_TEST_BINARY";

/// The binary under test.
pub(crate) fn synthd() -> PathBuf {
    std::env::var_os(SYNTHD_OVERRIDE)
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_synthd")), PathBuf::from)
}

/// Skips aloud what the host cannot run; under `CI=true` it must be able to.
pub(crate) fn skip(what: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} must run in CI: {why}");
    // Not by eprintln, which a passing test keeps to itself.
    writeln!(std::io::stderr(), "SKIPPED {what}: {why}").ok();
    skipped::count(what, why);
}

/// Whether this host can run sandboxes at all.
pub fn sandboxes_run() -> bool {
    std::process::Command::new(synthd())
        .arg("doctor")
        .output()
        .is_ok_and(|output| output.status.success())
}

//! What several test modules share.

use std::path::PathBuf;

/// The binary under test.
pub fn synthd() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_synthd"))
}

/// Skips aloud what the host cannot run; under `CI=true` it must be able to.
pub fn skip(what: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} must run in CI: {why}");
    eprintln!("SKIPPED {what}: {why}");
}

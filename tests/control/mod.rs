//! The daemon and its socket: the real binary, talked to as users and as strangers would.

mod commands;
mod errors;
mod foreground;
pub(crate) mod host;
mod interrupt;
mod peers;
mod signals;

/// Two quick shipped templates that need only a POSIX shell.
const QUICK: &str = r#""text-processing/changelog-release", "security/permission-audit""#;
/// One whose episodes outlast every test.
const ENDLESS: &str = r#""control/endless""#;
/// One whose episodes are over in no time.
const WORDS: &str = r#""crash/word-count""#;

/// Whether the host can run what these tests are about.
fn sandboxes() -> bool {
    let run = crate::support::sandboxes_run();
    if !run {
        crate::support::skip("the daemon", "no sandbox runs here");
    }
    run
}

//! The two errors of a push: the target does not take the version, or the push was cut off.

use super::target::PushTarget;
use crate::error::{Code, Error};
use std::path::Path;

/// The target does not take this version. Nothing was published, and no row was sent.
pub(super) fn refused(target: &PushTarget, why: impl AsRef<str>) -> Error {
    Error::new(Code::PushRefused, format!("{target} does not take the version: {}", why.as_ref()))
}

/// The push ended before the version was published. What was sent is used by the next push.
pub(super) fn cut_off(target: &PushTarget, why: impl AsRef<str>) -> Error {
    Error::new(Code::PushCutOff, format!("the push to {target} was cut off: {}", why.as_ref()))
        .hint("give the same command again; it goes on with what is missing")
}

/// A file of this host cannot be read or written while a version is prepared or sent.
pub(super) fn local(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::PushCutOff, format!("{} cannot be read or written", path.display()))
        .with_source(error)
        .hint("make room, or set TMPDIR to a directory with room; then give the same command again")
}

//! Directories that no other user can write to. Programs are started from them, and sockets that
//! carry model calls lie in them.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Whether a file belongs to the user of this process.
pub(crate) fn is_this_users(facts: &fs::Metadata) -> bool {
    facts.uid() == nix::unistd::geteuid().as_raw()
}

/// Makes a directory that nobody else can write to, or finds that it is one: programs of
/// ours are started from there.
pub(crate) fn own_directory(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let facts = fs::symlink_metadata(directory)?;
    if facts.is_dir() && is_this_users(&facts) && facts.mode() & 0o002 == 0 {
        // One that a group may write to was made where that is the custom.
        return match facts.mode() & 0o020 {
            0 => Ok(()),
            _ => fs::set_permissions(directory, fs::Permissions::from_mode(0o755)),
        };
    }
    let whose = format!(
        "{} is not a private directory of this user: remove it, or name another place with TMPDIR",
        directory.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, whose))
}

//! The guest as a file that a container engine on this host can show to its containers.

use crate::sandbox::guest::PROGRAM;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Writes the guest below `directory`, under a name that tells its content.
pub(super) fn lay_out(directory: &Path) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(PROGRAM));
    let path = std::path::absolute(directory)?.join(format!("guest-{}", &digest[..16]));
    if is_ours(&path) {
        return Ok(path);
    }
    fs::create_dir_all(directory)?;
    // Beside it first: another synthd may be doing the same.
    let beside = path.with_extension(std::process::id().to_string());
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o555).open(&beside)?;
    file.write_all(PROGRAM)?;
    file.set_permissions(fs::Permissions::from_mode(0o555))?;
    drop(file);
    fs::rename(&beside, &path)?;
    Ok(path)
}

/// Whether what is there is the guest, whole and as it was written.
fn is_ours(path: &Path) -> bool {
    let executable = fs::symlink_metadata(path)
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o777 == 0o555);
    executable && fs::read(path).is_ok_and(|bytes| bytes == PROGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_once_and_again_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = lay_out(&dir.path().join("inner")).unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(lay_out(&dir.path().join("inner")).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, "x").unwrap();
        assert_eq!(lay_out(&dir.path().join("inner")).unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), PROGRAM);
        assert_eq!(fs::read_dir(dir.path().join("inner")).unwrap().count(), 1);
    }
}

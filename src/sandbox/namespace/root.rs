//! Identifies the programs that sandboxes show, the host's own or those of a root directory.
//! The result becomes part of a sandbox's fingerprint.

use super::backend::refuse;
use std::path::Path;
use synthd_actors::model::Fault;

/// The fingerprint of a directory that serves as the root: its path and [`programs_of`] it. It
/// differs between directories, and for one directory when its release file or its list of
/// packages changes. A directory that does not exist is refused.
pub(super) fn fingerprint_of(root: &Path) -> Result<String, Fault> {
    if root.is_dir() {
        return Ok(format!("{} {}", root.display(), programs_of(root)));
    }
    Err(refuse(format!("the root directory {} does not exist", root.display())))
}

/// The name of the distribution and a hash over its release file and its list of installed
/// packages, for example `Debian GNU/Linux 12 (bookworm) 3f1c09a2b7d4e856`. Files that are
/// missing count as empty.
pub(super) fn programs_of(root: &Path) -> String {
    use sha2::{Digest, Sha256};
    let read = |path: &str| {
        let path = root.join(path);
        // A link inside a root directory would be followed on the host, outside of that
        // directory.
        let linked = root != Path::new("/") && path.is_symlink();
        if linked { Vec::new() } else { std::fs::read(path).unwrap_or_default() }
    };
    let release = ["etc/os-release", "usr/lib/os-release"].map(read);
    let release = release.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let text = String::from_utf8_lossy(&release);
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("unknown", |name| name.trim_matches('"'));
    let mut hash = Sha256::new();
    hash.update(&release);
    for list in ["var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite"] {
        hash.update(read(list));
    }
    format!("{name} {}", &hex::encode(hash.finalize())[..16])
}

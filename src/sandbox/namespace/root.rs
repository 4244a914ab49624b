//! The programs that sandboxes show: the host's own, or those of a root directory.

use super::backend::refuse;
use std::path::Path;
use synthd_actors::model::Fault;

/// A directory that serves as the root, told apart from others and from itself before it
/// was changed.
pub(super) fn fingerprint_of(root: &Path) -> Result<String, Fault> {
    if root.is_dir() {
        return Ok(format!("{} {}", root.display(), programs_of(root)));
    }
    Err(refuse(format!("the root directory {} does not exist", root.display())))
}

/// Tells roots with other programs apart: the distribution and its package list.
pub(super) fn programs_of(root: &Path) -> String {
    use sha2::{Digest, Sha256};
    let read = |path: &str| {
        let path = root.join(path);
        // What is a link in a root directory would be followed on the host.
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

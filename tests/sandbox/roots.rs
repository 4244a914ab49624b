//! Sandboxes over a root directory of one's own instead of the host's programs.

use super::lab::{Lab, ok, spec, works};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use synthd_actors::model::{FaultKind, SandboxSpec};
use synthd_actors::ports::SandboxBackend;

/// A root with nothing but a shell and what it is linked against, and links that lead out.
fn small_root(at: &Path) {
    for directory in ["usr/bin", "usr/lib", "var/lib"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    let shell = fs::canonicalize("/bin/sh").unwrap();
    fs::copy(&shell, at.join("usr/bin/sh")).unwrap();
    let linked = Command::new("ldd").arg(&shell).output().unwrap();
    for word in String::from_utf8(linked.stdout).unwrap().split_whitespace() {
        if word.starts_with('/') {
            let below = at.join(word.trim_start_matches('/'));
            fs::create_dir_all(below.parent().unwrap()).unwrap();
            fs::copy(word, below).unwrap();
        }
    }
    symlink("usr/bin", at.join("bin")).unwrap();
    // Followed on the host, this would show the host's.
    symlink("/etc", at.join("etc")).unwrap();
}

fn rooted(at: &Path) -> SandboxSpec {
    SandboxSpec { image: at.display().to_string(), ..spec() }
}

#[tokio::test]
async fn a_root_directory_takes_the_place_of_the_hosts_programs() {
    let lab = Lab::new().await;
    let root = tempfile::Builder::new().permissions(open()).tempdir().unwrap();
    small_root(root.path());
    let mut sandbox = lab.with(rooted(root.path())).await;
    works(&mut *sandbox).await;
    assert_eq!(ok(&mut *sandbox, "echo /usr/bin/*").await, "/usr/bin/sh\n");
    assert_eq!(ok(&mut *sandbox, "[ -e /etc/alternatives ] || echo none").await, "none\n");
    let named = &sandbox.fingerprint().root;
    assert!(named.starts_with(&root.path().display().to_string()), "{named}");
    // Other programs are another root.
    let before = named.clone();
    fs::create_dir_all(root.path().join("var/lib/dpkg")).unwrap();
    fs::write(root.path().join("var/lib/dpkg/status"), "Package: x\n").unwrap();
    assert_ne!(lab.with(rooted(root.path())).await.fingerprint().root, before);
}

fn open() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o755)
}

/// Never another one in its place.
#[tokio::test]
async fn an_image_that_is_not_there_is_refused() {
    let lab = Lab::new().await;
    for image in ["python:3.13", "/no/such/root", "", "relative"] {
        let spec = SandboxSpec { image: image.to_owned(), ..spec() };
        let fault = lab.backend.create(&spec).await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::SandboxRefused, "{image}: {fault}");
    }
    lab.is_well().await;
}

//! synthd installed below a directory that sandboxes see: it would tell every solution.

use super::lab::ok;
use crate::support::{skip, synthd};
use std::fs;
use synthd::sandbox::SandboxBackends;
use synthd_actors::model::{BackendKind, SandboxSpec};
use synthd_actors::ports::SandboxBackend;

#[tokio::test]
async fn an_installed_synthd_is_hidden_and_said() {
    let what = "an installed synthd";
    if !nix::unistd::geteuid().is_root() {
        return skip(what, "it needs root, to write below /usr");
    }
    let Ok(place) = tempfile::Builder::new().prefix("synthd-test-").tempdir_in("/usr/local/lib")
    else {
        return skip(what, "/usr/local/lib cannot be written");
    };
    let installed = place.path().join("synthd");
    fs::copy(synthd(), &installed).unwrap();
    fs::write(place.path().join("beside"), "shown\n").unwrap();
    let guests = tempfile::tempdir().unwrap();
    let backend = SandboxBackends::new(&installed, guests.path());
    let facts = backend.host_facts(BackendKind::Namespace).await.unwrap();
    let path = installed.display().to_string();
    assert!(facts.hidden.contains(&path), "{:?}", facts.hidden);
    let spec = SandboxSpec { image: "base".to_owned(), ..SandboxSpec::default() };
    let mut sandbox = backend.create(&spec).await.unwrap();
    // The directory is shown, so that its neighbours work.
    let looked = format!(
        "cat {}/beside; head -c 4 {path} | wc -c; {path} --version; echo $?",
        place.path().display()
    );
    assert_eq!(ok(&mut *sandbox, &looked).await, "shown\n0\n126\n");
}

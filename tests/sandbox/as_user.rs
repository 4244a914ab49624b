//! The same tests once more as an ordinary user: everything the sandbox promises must hold
//! for whoever has no privilege to begin with.

use crate::support::{SYNTHD_OVERRIDE, pass_on_skips, skip, synthd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const USER: &str = "nobody";
/// Runs a program as another user, by what the host has.
const CHANGERS: [(&str, &[&str]); 2] = [
    ("setpriv", &["--reuid=nobody", "--regid=nogroup", "--clear-groups"]),
    ("runuser", &["-u", USER, "--"]),
];

/// Of container engines, which an ordinary user may not use, and of programs below `/usr`, where
/// an ordinary user may not write.
const OTHERS: [&str; 9] = [
    "as_user",
    "as_docker",
    "as_gvisor",
    "as_podman",
    "containers::",
    "engines::",
    "hostile_table",
    "installed",
    "odd_images",
];

#[test]
fn the_sandbox_keeps_its_promises_to_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() {
        // The other tests have just run as one.
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tests = open_copy(&std::env::current_exe().unwrap(), &place.path().join("tests"));
    let binary = open_copy(&synthd(), &place.path().join("synthd"));
    open(place.path());
    let scratch = place.path().join("tmp");
    std::fs::create_dir(&scratch).unwrap();
    std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o1777)).unwrap();
    let Some(mut command) = as_user() else {
        return skip("the sandbox as an ordinary user", "neither setpriv nor runuser works here");
    };
    let output = command
        .arg(&tests)
        .args(["sandbox::", "--nocapture"])
        .args(OTHERS.iter().flat_map(|tests| ["--skip", tests]))
        .env(SYNTHD_OVERRIDE, binary)
        .env("TMPDIR", &scratch)
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let aside = String::from_utf8_lossy(&output.stderr);
    let tally = text.lines().rfind(|line| line.starts_with("test result")).unwrap_or("no tally");
    eprintln!("as {USER}: {tally}");
    let failures = text.split_once("\nfailures:\n").map_or(&*text, |(_, failures)| failures);
    assert!(output.status.success(), "{failures}\n{aside}");
    pass_on_skips(&output);
}

fn as_user() -> Option<Command> {
    CHANGERS.iter().find_map(|(program, arguments)| {
        let works = Command::new(program).args(*arguments).arg("true").status();
        works.is_ok_and(|status| status.success()).then(|| {
            let mut command = Command::new(program);
            command.args(*arguments);
            command
        })
    })
}

/// A copy anybody may execute, wherever the original lies.
fn open_copy(from: &Path, to: &Path) -> std::path::PathBuf {
    std::fs::copy(from, to).unwrap();
    open(to);
    to.to_owned()
}

fn open(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

//! Templates that want another image than `base`.

use super::harness::{Ran, command, synthd_in};
use crate::sandbox::{BASE, image};
use crate::support::skip;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A campaign over one template that wants the image `special`.
pub(super) fn prepare(dir: &Path, sandbox: &str) {
    let fixture =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates/crash/word-count.yaml");
    let template = std::fs::read_to_string(fixture).unwrap();
    let special = template.replace("environment:\n", "environment:\n  image: special\n");
    assert_ne!(special, template);
    std::fs::create_dir_all(dir.join("own/crash")).unwrap();
    std::fs::write(dir.join("own/crash/word-count.yaml"), special).unwrap();
    let campaign = format!(
        "[campaign]\nname = \"images\"\n[tasks]\ntemplates = [\"crash/*\"]\nper_template = 2\n\
         [[models]]\nname = \"scripted/oracle\"\n[sandbox]\n{sandbox}\n"
    );
    std::fs::write(dir.join("c.toml"), campaign).unwrap();
}

pub(super) const RUN: [&str; 6] = ["run", "c.toml", "--data-dir", "data", "--templates", "own"];

#[test]
fn an_image_that_stands_for_nothing_is_told_with_who_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), "");
    let told = synthd_in(dir.path(), &RUN).fails(2, "SYN-0404").told();
    assert!(told.contains("special") && told.contains("crash/word-count"), "{told}");
    assert!(told.contains("images = { special ="), "{told}");
}

#[test]
fn an_image_that_is_not_there_is_told_before_the_campaign_begins() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), "images = { special = \"/no/such/root\" }");
    let told = synthd_in(dir.path(), &RUN).fails(2, "SYN-0404").told();
    assert!(told.contains("wanted by crash/word-count"), "{told}");
    assert!(!dir.path().join("data/datasets").exists());
}

/// Nobody wants `base` here, so it need not be there.
#[test]
fn an_image_of_a_templates_own_is_what_it_runs_in() {
    if image().is_none() {
        return skip("an image of a template's own", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    let sandbox = format!(
        "backend = \"docker\"\nimage = \"synthd-test/none:1\"\nimages = {{ special = \"{BASE}\" }}"
    );
    prepare(dir.path(), &sandbox);
    let ran = synthd_in(dir.path(), &[&RUN[..], &["--json"]].concat());
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["episodes"]["resolved"], 2, "{summary}");
}

/// mmdebstrap signals its whole process group when it fails, which must not be the caller's.
#[test]
fn a_builder_that_kills_its_group_kills_nobody_else() {
    if image().is_none() {
        return skip("a builder that fails", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    let builder = dir.path().join("mmdebstrap");
    std::fs::write(&builder, "#!/bin/sh\necho 'E: the mirror is away' >&2\nkill -TERM 0\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(&builder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let build = ["image", "build", "synthd-test/away", "--packages", "python3"];
    let ran = Ran::from(command(dir.path(), &build).env("PATH", path).output().unwrap());
    assert!(ran.code.is_some(), "{ran:?}");
    let told = ran.told();
    assert!(told.contains("SYN-0404") && told.contains("the mirror is away"), "{told}");
    let listed = synthd_in(dir.path(), &["image", "list"]).succeeds().stdout;
    assert!(!listed.contains("synthd-test/away"), "{listed}");
}

/// A build whose process is killed leaves no process, no mount and, after the next one, no file.
#[test]
fn a_build_that_is_killed_leaves_nothing() {
    if image().is_none() || !nix::unistd::geteuid().is_root() {
        return skip("a killed build", "no container engine, or not root");
    }
    let log = "building synthd-test/killed";
    let build = || {
        let mut command = std::process::Command::new(crate::support::synthd());
        command.args(["image", "build", "synthd-test/killed", "--packages", "python3"]);
        let mut build = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(build.stderr.take().unwrap());
        let mut line = String::new();
        words.read_line(&mut line).unwrap();
        assert!(line.starts_with(log), "{line}");
        // Until there is something to leave behind.
        let place = loop {
            match place_of(build.id()) {
                Some(place) if std::fs::read_dir(&place).map_or(0, Iterator::count) > 0 => {
                    break place;
                }
                _ => assert!(build.try_wait().unwrap().is_none(), "it ended by itself"),
            }
            std::thread::yield_now();
        };
        (build, place)
    };
    let (mut killed, left) = build();
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Its tools end with it.
    while uses(&left) {
        std::thread::yield_now();
    }
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains("root-of-"));
    let (mut stopped, own) = build();
    assert!(!left.exists(), "the next build removes what a dead one was making");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(stopped.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(stopped.wait().unwrap().code(), Some(130));
    assert!(!own.exists(), "and what it was making itself");
}

/// The directory in which a process builds.
fn place_of(pid: u32) -> Option<PathBuf> {
    let all = std::fs::read_dir("/tmp/synthd-guest-0").ok()?.map_while(Result::ok);
    let owned = format!("-{pid}-");
    all.map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("root-of-") && name.contains(&owned)
    })
}

/// Whether any process was told to work there.
fn uses(place: &Path) -> bool {
    let told = format!("TMPDIR={}", place.display());
    let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    processes.into_iter().any(|process| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == told.as_bytes())
    })
}

/// Without an engine nothing is known of an image, so nothing is said of it.
#[test]
fn an_image_is_not_blamed_for_a_missing_engine() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["image", "check", "synthd/base"][..], &["image", "list"]] {
        let mut command = command(dir.path(), args);
        let ran = Ran::from(command.env("DOCKER_HOST", "unix:///nowhere").output().unwrap());
        let ran = ran.fails(6, "SYN-0405");
        assert!(!ran.stderr.contains("sandbox_refused"), "{ran:?}");
    }
}

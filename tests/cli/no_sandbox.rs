//! A host where no sandbox can run at all: it has no user namespaces and no container engine.
//! `doctor`, `check` and `run` find the same there, and end with the same exit code.

use super::campaign::{templates, text};
use super::harness::{Ran, command};
use crate::support::skip;
use std::path::Path;
use std::process::{Command, Stdio};

/// How every command ends there.
const NONE_RUNS: i32 = 6;
/// Runs its arguments as an ordinary user who can make no user namespace: only one more fits into
/// the namespace of this shell, and the arguments run in that one.
const WITHOUT: &str = "echo 1 > /proc/sys/user/max_user_namespaces && \
    exec unshare --user --map-user=1000 --map-group=1000 \"$@\"";

/// The same command on such a host.
fn without_namespaces(inner: &Command) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "sh", "-c", WITHOUT, "sh"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().unwrap()).env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.env("DOCKER_HOST", "unix:///nowhere.sock").stdin(Stdio::null());
    outer
}

fn ran(dir: &Path, args: &[&str]) -> Ran {
    Ran::from(without_namespaces(&command(dir, args)).output().unwrap())
}

/// Runs a command with the campaign in `file`.
fn ran_campaign(dir: &Path, file: &str, args: &[&str]) -> Ran {
    let own = templates();
    let data = [file, "--data-dir", "data", "--templates", own.to_str().unwrap()];
    ran(dir, &[args, &data].concat())
}

/// Whether such a host can be made here; skips aloud where it cannot.
fn is_possible(dir: &Path) -> bool {
    let probe = without_namespaces(&command(dir, &["--version"])).output();
    let possible = probe.is_ok_and(|output| output.status.success());
    if !possible {
        skip("a host without namespaces", "unshare cannot make one here");
    }
    possible
}

#[test]
fn doctor_says_that_no_sandbox_runs() {
    let dir = tempfile::tempdir().unwrap();
    if !is_possible(dir.path()) {
        return;
    }
    let told = ran(dir.path(), &["doctor"]);
    assert_eq!(told.code, Some(NONE_RUNS), "{told:#?}");
    let words = [
        "as an ordinary user",
        "NO SANDBOX RUNS HERE: create the namespaces: ",
        "`synthd explain SYN-0401` says what to do",
        "containers: none here",
    ];
    for words in words {
        assert!(told.stdout.contains(words), "{words}: {told:#?}");
    }
    let told = ran(dir.path(), &["doctor", "--json"]);
    assert_eq!(told.code, Some(NONE_RUNS), "{told:#?}");
    let said = told.document();
    assert_eq!((&said["trial"]["ok"], &said["docker"]["ok"]), (&false.into(), &false.into()));
    let namespaces = &said["host"]["enforced"]["namespaces"];
    assert!(namespaces["Err"].as_str().unwrap().contains("create the namespaces"), "{said:#}");
}

#[test]
fn check_and_run_find_what_doctor_says() {
    let dir = tempfile::tempdir().unwrap();
    if !is_possible(dir.path()) {
        return;
    }
    let own = text("unbounded", &["oracle"], "tests/*");
    let contained = format!("{own}[sandbox]\nbackend = \"docker\"\nimage = \"x\"\n");
    std::fs::write(dir.path().join("own.toml"), own).unwrap();
    std::fs::write(dir.path().join("contained.toml"), contained).unwrap();
    for args in [&["check"][..], &["run"], &["run", "--dry-run"]] {
        let told = ran_campaign(dir.path(), "own.toml", args).fails(NONE_RUNS, "SYN-0401");
        assert!(told.stderr.contains("no sandbox runs here"), "{told:#?}");
        assert!(told.stderr.contains("create the namespaces: "), "{told:#?}");
        let told = ran_campaign(dir.path(), "contained.toml", args).fails(NONE_RUNS, "SYN-0405");
        assert!(told.stderr.contains("there is no container engine to use"), "{told:#?}");
    }
    let told = ran_campaign(dir.path(), "own.toml", &["check", "--json"]);
    assert_eq!(told.code, Some(NONE_RUNS), "{told:#?}");
    assert_eq!(told.document()["findings"][0]["code"], "SYN-0401");
}

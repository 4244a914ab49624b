//! A host where no cgroup limits the memory of a sandbox says so, where a user looks. An ordinary
//! user has no such cgroup on most hosts, so the test that `as_user` runs finds it missing.

use crate::support::{skip, synthd};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const TEMPLATE: &str = include_str!("../cli/templates/tests/sum.yaml");
const CAMPAIGN: &str = "[campaign]\nname = \"bounded\"\n[tasks]\ntemplates = [\"tests/sum\"]\n\
    per_template = 1\n[[models]]\nname = \"scripted/oracle\"\n";
/// What the user must be told.
const WORDS: [&str; 3] = [
    "the whole sandbox has none",
    "no limit counts the kernel's memory",
    "`require = [\"memory-cgroup\"]` refuses such hosts",
];

/// Runs a command beside the campaign, on a host without a container engine.
fn ran(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(synthd());
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command.env("DOCKER_HOST", "unix:///nowhere.sock").output().unwrap()
}

/// The same for a campaign command, with the template of the test.
fn ran_campaign(dir: &Path, command: &str) -> Output {
    ran(dir, &[command, "c.toml", "--templates", "own", "--data-dir", "data"])
}

/// Whether a text has all the words, or none of them.
#[track_caller]
fn tells(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let found = WORDS.iter().filter(|words| text.contains(**words)).count();
    assert!([0, WORDS.len()].contains(&found), "{text}");
    found > 0
}

fn lacks_the_limit(dir: &Path) -> bool {
    let output = ran(dir, &["doctor", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["host"]["enforced"]["memory-cgroup"]["Err"].is_string()
}

#[test]
fn a_host_without_a_memory_limit_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("own/tests")).unwrap();
    fs::write(dir.path().join("own/tests/sum.yaml"), TEMPLATE).unwrap();
    fs::write(dir.path().join("c.toml"), CAMPAIGN).unwrap();
    let lacks = lacks_the_limit(dir.path());
    if !lacks && !nix::unistd::geteuid().is_root() {
        return skip("a host without a memory limit", "this user has a memory cgroup");
    }
    assert_eq!(tells(&ran(dir.path(), &["doctor"]).stdout), lacks);
    for command in ["check", "run"] {
        let output = ran_campaign(dir.path(), command);
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(tells(&output.stderr), lacks, "{command}: {output:?}");
    }
    // Who requires the limit gets no campaign without it.
    let strict =
        CAMPAIGN.replace("bounded", "strict") + "[sandbox]\nrequire = [\"memory-cgroup\"]\n";
    fs::write(dir.path().join("c.toml"), strict).unwrap();
    let output = ran_campaign(dir.path(), "run");
    assert_eq!(output.status.code(), Some(if lacks { 6 } else { 0 }), "{output:?}");
}

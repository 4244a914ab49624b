//! Templates that want another image than `base`.

use super::harness::synthd_in;
use crate::sandbox::{BASE, image};
use crate::support::skip;
use std::path::Path;

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

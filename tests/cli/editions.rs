//! Templates that change between two runs of one campaign.

use super::harness::{Ran, synthd_in};
use std::fs;
use std::path::Path;

const TEMPLATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates/crash/word-count.yaml");

fn write_campaign(dir: &Path, per_template: u32) {
    let text = format!(
        "[campaign]\nname = \"editions\"\n[tasks]\ntemplates = [\"crash/*\"]\n\
         per_template = {per_template}\n[[models]]\nname = \"scripted/oracle\"\n"
    );
    fs::write(dir.join("c.toml"), text).unwrap();
}

fn write_template(dir: &Path, change: impl Fn(String) -> String) {
    let template = fs::read_to_string(TEMPLATE).unwrap();
    fs::create_dir_all(dir.join("own/crash")).unwrap();
    fs::write(dir.join("own/crash/word-count.yaml"), change(template)).unwrap();
}

fn run(dir: &Path, more: &[&str]) -> Ran {
    let run = ["run", "c.toml", "--data-dir", "data", "--templates", "own", "--json"];
    synthd_in(dir, &[&run[..], more].concat())
}

/// How many episodes the campaign has planned after a run that ends well.
fn planned(ran: Ran) -> u64 {
    ran.succeeds().document()["episodes"]["planned"].as_u64().unwrap()
}

#[test]
fn a_changed_template_is_told_and_must_be_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_campaign(dir, 2);
    write_template(dir, |text| text);
    assert_eq!(planned(run(dir, &[])), 2);
    assert_eq!(planned(run(dir, &[])), 2, "the same template is no change");
    // A comment makes another edition, and the same tasks.
    write_template(dir, |text| format!("# Mended.\n{text}"));
    let told = run(dir, &[]).fails(2, "SYN-0108").told();
    assert!(told.contains("crash/word-count: crash/word-count.yaml changed"), "{told}");
    assert!(told.contains("--accept-changed"), "{told}");
    assert_eq!(planned(run(dir, &["--accept-changed"])), 2);
    assert_eq!(planned(run(dir, &[])), 2, "accepted once");
    // Fewer tasks: what was done stays.
    write_campaign(dir, 1);
    let told = run(dir, &[]).fails(2, "SYN-0108").told();
    assert!(told.contains("tasks.per_template: was 2, is 1"), "{told}");
    assert_eq!(planned(run(dir, &["--accept-changed"])), 2);
    // More tasks are no change that anybody must accept.
    write_campaign(dir, 3);
    assert_eq!(planned(run(dir, &[])), 3);
}

/// A template that nothing was planned from may change as it likes.
#[test]
fn a_campaign_of_another_name_asks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_campaign(dir, 1);
    write_template(dir, |text| text);
    assert_eq!(planned(run(dir, &[])), 1);
    write_template(dir, |text| format!("# Mended.\n{text}"));
    let other = fs::read_to_string(dir.join("c.toml")).unwrap().replace("editions", "other");
    fs::write(dir.join("c.toml"), other).unwrap();
    assert_eq!(planned(run(dir, &[])), 1);
}

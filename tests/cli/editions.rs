//! Templates that change between two runs of one campaign.

use super::harness::{Ran, command, synthd_in};
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

/// The directory is named by the campaign, and is the same one from wherever it is run.
#[test]
fn a_campaign_names_its_own_directory_of_templates() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mine = dir.join("mine");
    fs::create_dir_all(dir.join("elsewhere")).unwrap();
    write_template(&mine, |text| text);
    write_campaign(&mine, 2);
    let file = mine.join("c.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[tasks]\n", "[tasks]\ntemplate_dirs = [\"./own\"]\n")).unwrap();
    let data = ["--data-dir", "../data", "--json"];
    let at = |cwd: &str, args: &[&str]| synthd_in(&dir.join(cwd), &[args, &data[..]].concat());
    let checked = at("mine", &["check", "c.toml", "--file-only"]).succeeds().document();
    assert_eq!(checked["plan"]["templates"][0], "crash/word-count", "{checked}");
    let plan = at("elsewhere", &["run", "../mine/c.toml", "--dry-run"]).succeeds().document();
    assert_eq!(plan["episodes"], 2, "{plan}");
    assert_eq!(planned(at("mine", &["run", "c.toml"])), 2);
    assert_eq!(planned(at("elsewhere", &["run", "../mine/c.toml"])), 2);
    // What is stored finds it, too.
    let listed = at("elsewhere", &["episode", "list"]).succeeds().document();
    let id = listed["episodes"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    at("elsewhere", &["episode", "show", &id]).succeeds();
    at("elsewhere", &["episode", "replay", &id]).succeeds();
    // A moved directory is no change; a changed template is.
    fs::rename(dir.join("mine"), dir.join("moved")).unwrap();
    assert_eq!(planned(at("moved", &["run", "c.toml"])), 2);
    write_template(&dir.join("moved"), |text| format!("# Mended.\n{text}"));
    at("elsewhere", &["run", "../moved/c.toml"]).fails(2, "SYN-0108");
    // A directory that is gone is told where it is named, with what else is wrong.
    fs::remove_dir_all(dir.join("moved/own")).unwrap();
    let told = at("elsewhere", &["run", "../moved/c.toml"]).document();
    assert_eq!(told["code"], "SYN-0102", "{told}");
    assert_eq!(told["errors"][0]["line"], 4, "{told}");
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("./own"), "{told}");
}

/// Standard input has no directory, so the working directory is meant.
#[test]
fn standard_input_starts_at_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_campaign(dir, 1);
    write_template(dir, |text| text);
    let text = fs::read_to_string(dir.join("c.toml")).unwrap();
    let text = text.replace("[tasks]\n", "[tasks]\ntemplate_dirs = [\"own\"]\n");
    fs::write(dir.join("c.toml"), text).unwrap();
    let check = |cwd: &Path| {
        let mut command = command(cwd, &["check", "-", "--file-only"]);
        command.stdin(fs::File::open(dir.join("c.toml")).unwrap());
        Ran::from(command.output().unwrap())
    };
    check(dir).succeeds();
    let told = check(&dir.join("own")).told();
    assert!(told.contains("error[SYN-0102]") && told.contains("<stdin>:4:18"), "{told}");
}

//! `synthd check`: what a campaign file with mistakes gets.

use super::campaign::text;
use super::harness::{snapshot, synthd_in};

const BAD: &str = r#"[campaign]
name = "Not A Name"
sed = 7
concurrency = 0

[tasks]
templates = []
per_template = "two"

[[models]]
name = "scripted/orcale"

[sandbox]
memory = "512MB"
require = ["seccomp", "firewall"]

[episode]
timeout = 30

[dataset]
splits = { train = 80, validation = 10, test = 20 }
"#;

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), BAD).unwrap();
    let ran = synthd_in(dir.path(), &["check", "bad.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    snapshot("check_bad_file", &ran.told(), None);
    let ran = synthd_in(dir.path(), &["check", "bad.toml", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), ""));
    let document = ran.document();
    assert_eq!(document["code"], "SYN-0102");
    assert!(document["errors"].as_array().unwrap().len() >= 8, "{document:#}");
    let ran = synthd_in(dir.path(), &["run", "bad.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(!dir.path().join("synthd-data").exists(), "nothing was started");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ran = synthd_in(dir.path(), &["check", "nowhere.toml"]);
    assert_eq!(ran.code, Some(2));
    snapshot("check_missing_file", &ran.told(), None);
}

#[test]
fn a_good_file_says_what_it_would_run() {
    let dir = tempfile::tempdir().unwrap();
    let templates = super::campaign::templates();
    let templates = templates.to_str().unwrap();
    std::fs::write(dir.path().join("good.toml"), text("good", &["oracle"], "tests/*")).unwrap();
    let check = ["check", "good.toml", "--templates", templates];
    let ran = synthd_in(dir.path(), &check).succeeds().fits();
    snapshot("check_good_file", &ran.told(), None);
    let document = synthd_in(dir.path(), &[&check[..], &["--json"]].concat()).succeeds().document();
    assert_eq!(document["ok"], true);
    assert_eq!(document["plan"]["tasks"], 2);
    // Without the directory there is no such template.
    let ran = synthd_in(dir.path(), &["check", "good.toml"]);
    snapshot("check_nothing_matches", &ran.fails(2, "SYN-0104").told(), None);
}

/// How often tasks are tried, and how many episodes that makes.
#[test]
fn the_plan_has_samples_and_episodes() {
    let dir = tempfile::tempdir().unwrap();
    let templates = super::campaign::templates();
    let check = ["check", "c.toml", "--file-only", "--templates", templates.to_str().unwrap()];
    let of = |keys: &str| {
        let text = text("sampled", &["oracle", "loop"], "tests/*");
        let text = text.replace("per_template = 1\n", &format!("per_template = 3\n{keys}"));
        std::fs::write(dir.path().join("c.toml"), text).unwrap();
        synthd_in(dir.path(), &check).succeeds().fits().stdout
    };
    let told = [
        of("samples = 4\n"),
        of("samples = 4\nstop_after_solved = true\n"),
        of("samples = 8\nstop_after_solved = 2\npass_rate_width = 0.4\n"),
    ];
    snapshot("check_samples", &told.join("\n"), None);
    let document = synthd_in(dir.path(), &[&check[..], &["--json"]].concat()).document();
    let plan = &document["plan"];
    assert_eq!((&plan["samples"], &plan["stop_after_solved"]), (&8.into(), &2.into()), "{plan}");
    assert_eq!(plan["pass_rate_width"], 0.4, "{plan}");
    assert_eq!(plan["episodes"]["most"], 2 * 3 * 2 * 8, "{plan}");
    // Models that take turns have half the tasks each, rounded up.
    let text = text("turns", &["oracle", "loop"], "tests/sum");
    std::fs::write(
        dir.path().join("c.toml"),
        format!("{text}[routing]\nassign = \"round-robin\"\n"),
    )
    .unwrap();
    let told = synthd_in(dir.path(), &check).succeeds().stdout;
    assert!(told.ends_with("\n1 episode\n"), "{told}");
}

/// Templates that may take far more turns than an episode has are told, and keep nothing from beginning.
#[test]
fn templates_that_may_be_cut_short_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let of = |turns: u32| {
        format!(
            "[campaign]\nname = \"long\"\n[tasks]\ntemplates = [\"recovery/page-tree-overhaul\"]\n\
             [[models]]\nname = \"scripted/oracle\"\n[scaffolds]\nnames = [\"minimal\"]\n\
             [episode]\nmax_turns = {turns}\n[dataset]\nlicence = \"other\"\n"
        )
    };
    for (turns, notes) in [(40, 1), (120, 0)] {
        std::fs::write(dir.path().join("long.toml"), of(turns)).unwrap();
        let ran =
            synthd_in(dir.path(), &["check", "long.toml", "--file-only", "--json"]).succeeds();
        let document = ran.document();
        assert_eq!(document["notes"].as_array().unwrap().len(), notes, "{document:#}");
        if notes == 1 {
            let note = document["notes"][0].as_str().unwrap();
            assert!(note.starts_with("1 template expects more than 2 times"), "{note}");
            assert!(note.contains("recovery/page-tree-overhaul with up to 120"), "{note}");
        }
    }
}

//! `[tasks] samples`: what a run, its estimate and its dataset say of tasks tried several times.

use super::campaign::{run_again, templates, text};
use super::harness::synthd_in;

fn write(dir: &std::path::Path, name: &str, samples: &str) {
    let text = text(name, &["oracle", "give-up"], "tests/*");
    let text = text.replace("per_template = 1", &format!("per_template = 1\n{samples}"));
    std::fs::write(dir.join("campaign.toml"), text).unwrap();
}

#[test]
fn every_sample_is_counted_run_and_published() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "sampled", "samples = 3");
    let ran = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!((&ran["tasks"], &ran["episodes"]["planned"]), (&2.into(), &12.into()), "{ran:#}");
    assert_eq!((&ran["episodes"]["resolved"], &ran["rows"]["accepted"]), (&6.into(), &12.into()));
    synthd_in(dir.path(), &["dataset", "verify", "data/datasets/sampled/v1"]).succeeds();
    let templates = templates();
    let estimate =
        ["estimate", "campaign.toml", "--json", "--templates", templates.to_str().unwrap()];
    let estimate = synthd_in(dir.path(), &estimate).succeeds().document();
    let episodes: Vec<_> =
        estimate["models"].as_array().unwrap().iter().map(|model| &model["episodes"]).collect();
    assert_eq!(episodes, [6, 6], "{estimate:#}");
    // A sample is seen by its own id.
    let listed = synthd_in(dir.path(), &["episode", "list", "--data-dir", "data", "--json"]);
    assert!(listed.succeeds().stdout.contains("-s2\""));
    // The oracle solves both tasks always, the other model never.
    let card = std::fs::read_to_string(dir.path().join("data/datasets/sampled/v1/README.md"));
    let card = card.unwrap();
    assert!(card.contains("| solved by every sample | 2 |"), "{card}");
    assert!(card.contains("| solved by no sample | 2 |"), "{card}");
    let list = ["template", "list", "--category", "tests", "--data-dir", "data", "--templates"];
    let list = [&list[..], &[templates.to_str().unwrap()]].concat();
    let shown = synthd_in(dir.path(), &list).succeeds().stdout;
    assert!(shown.contains("0.50 (") && shown.contains(" of 6, 1 always, 1 never"), "{shown}");
    let rates = synthd_in(dir.path(), &[&list[..], &["--json"]].concat()).succeeds().document();
    let rates = rates[0]["pass_rates"].as_array().unwrap();
    let solved: Vec<_> =
        rates.iter().map(|rate| (rate["tries"].as_u64(), rate["solved"].as_u64())).collect();
    assert_eq!(solved, [(Some(3), Some(0)), (Some(3), Some(3))], "{rates:#?}");
}

#[test]
fn what_is_solved_is_tried_no_more() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "early", "samples = 3\nstop_after_solved = 1");
    let ran = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(ran["episodes"]["planned"], 8, "{ran:#}");
    assert_eq!((&ran["episodes"]["resolved"], &ran["rows"]["accepted"]), (&2.into(), &8.into()));
    let again = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(again["episodes"]["planned"], 8, "nothing more is wanted: {again:#}");
}

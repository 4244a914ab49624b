//! `template variety`, the gates of `template check`, and `template calibrate` with scripted models of
//! graded strength.

use super::campaign::{templates, text};
use super::harness::{Ran, synthd, synthd_in};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use synthd_actors::variety::MOST_ALIKE;

/// From the strongest model to the weakest.
const GRADED: [&str; 4] = ["look-first", "lines-16", "lines-4", "mistakes"];

/// A template whose oracle writes so many lines in one command.
fn write_template(own: &Path, name: &str, lines: u32) {
    let text = format!(
        "schema: synthd/template@1\nid: grade/{name}\ntitle: Lines\ncategory: grade\n\
         difficulty: medium\nexpected_steps: {{min: 2, max: 9}}\n\
         parameters:\n  word: {{token: {{length: 8}}}}\n\
         environment:\n  files: [{{path: start, content: '{{{{ word }}}}'}}]\n\
         instruction: Write the word in start into the file out, on {lines} lines.\n\
         solution:\n  - run: |\n      \
         {{% for line in range({lines}) %}}echo {{{{ word }}}} >> out\n      {{% endfor %}}\n\
         verification:\n  checks:\n    \
         - {{name: all, run: 'test \"$(grep -c {{{{ word }}}} out)\" = {lines}'}}\n  \
         cheats:\n    - {{name: one, steps: [{{run: 'echo {{{{ word }}}} > out'}}]}}\n"
    );
    std::fs::create_dir_all(own.join("grade")).unwrap();
    std::fs::write(own.join(format!("grade/{name}.yaml")), text).unwrap();
}

/// A directory in which all graded models have tried three templates twice.
fn played() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, lines) in [("short", 2), ("middle", 7), ("long", 20)] {
        write_template(&dir.path().join("own"), name, lines);
    }
    let campaign = text("graded", &GRADED, "grade/*");
    let campaign = campaign.replace("per_template = 1", "per_template = 2");
    std::fs::write(dir.path().join("campaign.toml"), campaign).unwrap();
    let args = ["run", "campaign.toml", "--data-dir", "data", "--templates", "own"];
    synthd_in(dir.path(), &args).succeeds();
    dir
}

fn calibrate(dir: &Path, extra: &[&str]) -> Ran {
    let args = ["template", "calibrate", "--data-dir", "data", "--templates", "own"];
    synthd_in(dir, &[&args[..], extra].concat())
}

/// The templates of `template list` by their names.
fn listed(dir: &Path) -> BTreeMap<String, Value> {
    let list = synthd_in(dir, &["template", "list", "--templates", "own", "--json"]);
    let list = list.succeeds().document();
    let named = |one: &Value| (one["id"].as_str().unwrap().to_owned(), one.clone());
    list.as_array().unwrap().iter().map(named).collect()
}

#[test]
fn calibration_orders_models_and_templates_by_what_they_did() {
    let dir = played();
    let before = listed(dir.path());
    assert_eq!(before["grade/long"]["calibration"], "declared");
    let out = ["--campaign", "graded", "--out", "own/calibration.toml", "--json"];
    let found = calibrate(dir.path(), &out).succeeds().document();
    let mut solved: BTreeMap<String, u64> = BTreeMap::new();
    for template in found["templates"].as_array().unwrap() {
        for model in template["models"].as_array().unwrap() {
            assert_eq!(model["tries"], 2, "{model:#}");
            let (low, high) = (&model["pass_rate"]["low"], &model["pass_rate"]["high"]);
            assert!(low.as_f64().unwrap() < high.as_f64().unwrap(), "{model:#}");
            let name = model["model"].as_str().unwrap().to_owned();
            *solved.entry(name).or_default() += model["solved"].as_u64().unwrap();
        }
    }
    let solved = GRADED.map(|model| solved[&format!("scripted/{model}")]);
    assert_eq!(solved, [6, 4, 2, 0], "{found:#}");
    let after = listed(dir.path());
    for (name, difficulty) in [("short", "easy"), ("middle", "medium"), ("long", "hard")] {
        let listed = &after[&format!("grade/{name}")];
        assert_eq!(listed["difficulty"], difficulty, "{listed:#}");
        assert!(listed["calibration"].as_str().unwrap().starts_with("measured 2"), "{listed:#}");
    }
    // The looks take two turns more than the move and its submission.
    assert_eq!(after["grade/middle"]["expected_steps"], serde_json::json!([2, 4]));
    let render = ["template", "render", "grade/long", "--templates", "own", "--json"];
    assert_eq!(synthd_in(dir.path(), &render).succeeds().document()["difficulty"], "hard");
}

#[test]
fn figures_hold_only_for_the_edition_that_was_tried() {
    let dir = played();
    let written = ["--campaign", "graded", "--out", "own/calibration.toml"];
    let told = calibrate(dir.path(), &written).succeeds();
    assert!(told.stdout.contains("grade/long"), "{told:?}");
    let path = dir.path().join("own/grade/long.yaml");
    let changed = std::fs::read_to_string(&path).unwrap() + "# another edition\n";
    std::fs::write(&path, changed).unwrap();
    let after = listed(dir.path());
    assert_eq!(after["grade/long"]["calibration"], "declared");
    assert_eq!(after["grade/long"]["difficulty"], "medium");
    assert_ne!(after["grade/short"]["calibration"], "declared");
    let again = calibrate(dir.path(), &["--campaign", "graded", "--json"]).succeeds();
    assert!(again.stderr.contains("8 episodes of another edition"), "{again:?}");
    assert_eq!(again.document()["templates"].as_array().unwrap().len(), 2);
}

/// The record of the campaign names the newest edition, but its verdicts are of the older one.
#[test]
fn verdicts_of_an_older_edition_do_not_count_in_a_campaign_that_went_on() {
    let dir = played();
    let path = dir.path().join("own/grade/long.yaml");
    let changed = std::fs::read_to_string(&path).unwrap() + "# another edition\n";
    std::fs::write(&path, changed).unwrap();
    let args = ["run", "campaign.toml", "--data-dir", "data", "--templates", "own"];
    synthd_in(dir.path(), &[&args[..], &["--accept-changed"]].concat()).succeeds();
    let again = calibrate(dir.path(), &["--campaign", "graded", "--json"]).succeeds();
    assert!(again.stderr.contains("8 episodes of another edition"), "{again:?}");
    let document = again.document();
    assert_eq!(document["other_editions"], 8, "{document:#}");
    let measured = document["templates"].as_array().unwrap().iter().map(|one| &one["id"]);
    assert_eq!(measured.collect::<Vec<_>>(), ["grade/middle", "grade/short"]);
}

#[test]
fn what_cannot_be_calibrated_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write_template(&dir.path().join("own"), "short", 2);
    let campaign = text("little", &["oracle"], "grade/*");
    std::fs::write(dir.path().join("campaign.toml"), campaign).unwrap();
    let args = ["run", "campaign.toml", "--data-dir", "data", "--templates", "own"];
    synthd_in(dir.path(), &args).succeeds();
    let little = calibrate(dir.path(), &["--campaign", "little"]).fails(2, "SYN-0104");
    assert!(little.stderr.contains("no template was tried 5 times"), "{little:?}");
    let absent = calibrate(dir.path(), &["--campaign", "absent"]).fails(2, "SYN-0105");
    assert!(absent.stderr.contains("holds little"), "{absent:?}");
    std::fs::write(dir.path().join("own/calibration.toml"), "schema = \"other\"\n").unwrap();
    let list = synthd_in(dir.path(), &["template", "list", "--templates", "own"]);
    let refused = list.fails(2, "SYN-0201");
    assert!(refused.stderr.contains("own/calibration.toml is no calibration"), "{refused:?}");
}

#[test]
fn no_two_shipped_templates_have_the_same_skeleton() {
    let all = synthd(&["template", "variety", "--seeds", "1", "--json"]).succeeds().document();
    let all = all.as_array().unwrap();
    assert!(all.len() > 20);
    for one in all {
        let likeness = one["nearest"]["likeness"].as_f64().unwrap();
        assert!(likeness < MOST_ALIKE, "{one:#}");
    }
}

#[test]
fn variety_is_a_table() {
    let own = templates();
    let args = ["template", "variety", "tests/*", "--seeds", "9", "--templates"];
    let args = [&args[..], &[own.to_str().unwrap()]].concat();
    let told = synthd(&args).succeeds();
    assert!(told.stdout.contains("tests/greeting"), "{told:?}");
    assert!(told.stdout.contains(" of 9 "), "{told:?}");
    let none = synthd(&["template", "variety", "nothing/*"]);
    none.fails(2, "SYN-0104");
}

#[test]
fn a_check_counts_structures_and_replays_if_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    write_template(&dir.path().join("own"), "short", 2);
    let check = |extra: &[&str]| {
        let args = ["template", "check", "grade/*", "--templates", "own", "--battery", "none"];
        synthd_in(dir.path(), &[&args[..], &["--seeds", "1", "--json"], extra].concat())
    };
    let proven = check(&["--replay", "3"]).succeeds().document();
    assert_eq!(proven[0]["replay"], serde_json::json!({ "tries": 3, "solved": 0 }), "{proven:#}");
    assert_eq!(proven[0]["variety"]["structures"], 1, "{proven:#}");
    assert!(proven[0]["wall_seconds"].as_f64().unwrap() > 0.0, "{proven:#}");
    let few = check(&["--structures", "2"]).fails(1, "SYN-0203");
    assert!(few.stderr.contains("give only 1 structurally different tasks"), "{few:?}");
    let path = dir.path().join("own/grade/short.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("echo {{ word }} >> out", "cat start >> out; echo >> out"))
        .unwrap();
    let blind = check(&["--replay", "3"]).fails(1, "SYN-0203");
    assert!(blind.stderr.contains("solve 3 of 3 tasks of other seeds"), "{blind:?}");
}

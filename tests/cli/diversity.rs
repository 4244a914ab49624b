//! `[quality.diversity]`: a campaign whose model repeats itself says so, and pauses if its file says so.

use super::campaign::{run_again, text};
use serde_json::Value;
use std::path::Path;

fn write(dir: &Path, pause: bool) {
    let text =
        text("same", &["give-up"], "tests/*").replace("per_template = 1", "per_template = 4");
    let watch = format!("[quality.diversity]\nwindow = 4\nvendi = 0.9\npause = {pause}\n");
    std::fs::write(dir.join("campaign.toml"), text + &watch).unwrap();
}

/// How many windows were below the floor.
fn low(document: &Value) -> u64 {
    document["diversity"]["low"].as_u64().unwrap_or_else(|| panic!("{document:#}"))
}

#[test]
fn a_model_that_repeats_itself_raises_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), false);
    let ran = run_again(dir.path(), &["--json"]);
    assert!(ran.stderr.contains("the diversity is below the floor"), "{ran:#?}");
    let document = ran.succeeds().document();
    assert_eq!((&document["state"], low(&document)), (&"complete".into(), 2), "{document:#}");
    let newest = &document["diversity"]["newest"];
    assert!(newest["vendi"].as_f64().unwrap() < 0.9, "{document:#}");
}

#[test]
fn the_campaign_pauses_if_its_file_says_so_and_can_be_resumed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), true);
    let ran = run_again(dir.path(), &["--json"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let document = ran.document();
    assert_eq!(document["state"], "paused", "{document:#}");
    let reason = document["reason"].as_str().unwrap();
    assert!(reason.contains("repeat each other") && reason.contains("0.900"), "{reason}");
    assert!(low(&document) >= 1);
    // Somebody looked at it, and goes on without the pause. It is the same campaign.
    write(dir.path(), false);
    let document = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(document["episodes"]["finished"], 8, "{document:#}");
}

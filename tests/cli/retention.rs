//! `synthd store stats`, `prune` and `vacuum`, and what the other commands say of what is gone.

use super::campaign::{run_again, text};
use super::harness::{Ran, synthd_in};
use std::path::Path;

/// A complete campaign whose failed rows are in no dataset, and whose record of them is over at once.
fn complete(dir: &Path) {
    let text = text("kept", &["oracle", "give-up"], "tests/*");
    let more = "[quality]\nunresolved = \"reject\"\n[retention]\nfailed = \"0s\"\n";
    std::fs::write(dir.join("campaign.toml"), text + more).unwrap();
    run_again(dir, &["--json"]).succeeds();
}

fn on(dir: &Path, args: &[&str]) -> Ran {
    synthd_in(dir, &[args, &["--data-dir", "data"]].concat())
}

#[test]
fn what_a_rule_does_not_keep_goes_and_the_dataset_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    complete(dir);
    let sizes = on(dir, &["store", "stats", "--json"]).succeeds().document();
    let before = sizes["campaigns"][0]["turn_bytes"].as_u64().unwrap();
    let would = on(dir, &["store", "prune", "--dry-run", "--json"]).succeeds().document();
    assert_eq!(would["campaigns"][0]["turns"]["count"], 2, "{would:#}");
    assert!(
        on(dir, &["store", "prune", "--dry-run"]).succeeds().stdout.contains("would be removed")
    );
    let did = on(dir, &["store", "prune", "--json"]).succeeds().document();
    assert_eq!(did["campaigns"], would["campaigns"]);
    let sizes = on(dir, &["store", "stats", "--json"]).succeeds().document();
    let one = &sizes["campaigns"][0];
    let gone = one["pruned_bytes"].as_u64().unwrap();
    assert_eq!(one["turn_bytes"].as_u64().unwrap() + gone, before, "{sizes:#}");
    on(dir, &["store", "stats"]).succeeds();
    on(dir, &["store", "vacuum"]).succeeds();
    on(dir, &["store", "verify"]).succeeds();
    let again = on(dir, &["store", "prune", "--json"]).succeeds().document();
    assert_eq!(again["campaigns"][0]["turns"]["count"], 0);
    let built = on(dir, &["dataset", "build", "kept", "--json"]).succeeds().document();
    assert_eq!((&built["version"], &built["rejected"]["unresolved"]), (&1.into(), &2.into()));
}

#[test]
fn commands_say_that_the_record_was_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    complete(dir);
    on(dir, &["store", "prune"]).succeeds();
    let listed = on(dir, &["episode", "list", "--json"]).succeeds().document();
    let episodes = listed["episodes"].as_array().unwrap();
    let failed = episodes.iter().find(|episode| episode["model"] == "scripted/give-up").unwrap();
    let id = failed["id"].as_str().unwrap();
    let templates = super::campaign::templates();
    let with =
        |args: &[&str]| on(dir, &[args, &["--templates", templates.to_str().unwrap()]].concat());
    let shown = with(&["episode", "show", id]).succeeds();
    assert!(shown.stdout.contains("the rule `failed` of [retention]"), "{shown:?}");
    let document = with(&["episode", "show", id, "--json"]).succeeds().document();
    assert_eq!(document["pruned"][0]["part"], "turns", "{document:#}");
    with(&["episode", "replay", id]).fails(2, "SYN-0710");
    // A recipe looks at rows, so it goes without these, and says so.
    let recipe = "[recipe]\nname = \"rest\"\nlicence = \"mit\"\n[[sources]]\ncampaign = \"kept\"\n\
                  [[stages]]\nkind = \"loops\"\naction = \"label\"\n";
    std::fs::write(dir.join("recipe.toml"), recipe).unwrap();
    let built = on(dir, &["dataset", "build", "recipe.toml", "--json"]).succeeds().document();
    assert_eq!(built["judged"], 2, "{built:#}");
    let warned = built["warnings"][0].as_str().unwrap_or_default();
    assert!(warned.contains("turns of 2 rows"), "{built:#}");
}

/// Without rules, and by rules that keep everything, nothing goes.
#[test]
fn a_file_with_mistakes_prunes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    complete(dir);
    std::fs::write(dir.join("daemon.toml"), "[retention]\nsolved = 30\nold = \"1d\"\n").unwrap();
    let told = on(dir, &["store", "prune", "--config", "daemon.toml"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.stderr.contains("forever") && told.stderr.contains("`old`"), "{told:?}");
    on(dir, &["store", "prune", "--campaign", "none"]).fails(2, "SYN-0105");
    let sizes = on(dir, &["store", "stats", "--json"]).succeeds().document();
    assert_eq!(sizes["campaigns"][0]["pruned_bytes"], 0);
}

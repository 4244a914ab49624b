//! A call that was killed counts in full, until a provider's own record says what it cost.

use super::host::Act;
use super::money::{Provider, cannot, command, summary, write_campaign};
use crate::support::synthd;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

fn money(dir: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(synthd());
    command.arg("money").args(args).args(["--json", "--data-dir", "data"]).current_dir(dir);
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_killed_call_counts_in_full_until_it_is_reconciled() {
    if cannot("a killed call") {
        return;
    }
    let first = AtomicBool::new(true);
    let provider =
        Provider::start(move |_| first.swap(false, Ordering::SeqCst).then(|| vec![Act::Stall]));
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    write_campaign(dir, &provider, 1, "5.00");
    let mut run = command(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while provider.host.heard().is_empty() {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();

    let listed = money(dir, &["list"]);
    let hold = &listed["holds"][0];
    assert_eq!((&listed["total"], &hold["state"]), (&1.into(), &"open".into()), "{listed:#}");
    assert_eq!((&hold["held_usd"], &hold["model"]), (&hold["counts_usd"], &"local/m-1".into()));
    let id = hold["hold"].as_str().unwrap();
    std::fs::write(dir.join("export.csv"), format!("id,cost_usd\n{id},0.001\nother,9\n")).unwrap();
    let done = money(dir, &["reconcile", "--from", "export.csv", "--reason", "the export"]);
    assert_eq!(done["corrected"][0]["was_open"], true, "{done:#}");
    assert_eq!(done["unknown"][0], "other");
    assert_eq!(money(dir, &["list"])["total"], 0);
    let again = money(dir, &["reconcile", "--from", "export.csv", "--reason", "the export"]);
    assert!(again["corrected"].as_array().unwrap().is_empty(), "{again:#}");

    let output = command(dir).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // What the killed call cost, and the two that were answered.
    assert_eq!(summary(&output)["cost_usd"], "0.0032");
}

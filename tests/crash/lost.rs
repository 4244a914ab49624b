//! The real binary, killed, and then robbed of a part of its store: it must not go on as if less
//! had been spent, and it must be able to go on.

use super::CAMPAIGN;
use crate::support::{sandboxes_run, skip, synthd};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use synthd::store::Store;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{CampaignName, Money};
use synthd_actors::ports::Journal;

fn run(dir: &Path) -> Command {
    let mut command = Command::new(synthd());
    command.args(["run", "crash.toml", "--data-dir", "data", "--templates"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates"));
    command.current_dir(dir).stdin(Stdio::null());
    command
}

fn ask(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(synthd());
    command.args(args).args(["--data-dir", "data"]).current_dir(dir).output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn name() -> CampaignName {
    CampaignName("crash".to_owned())
}

async fn figures(dir: &Path) -> Option<(CampaignCounts, Money)> {
    let store = Store::open_read_only(&dir.join("data")).ok()?;
    Some((store.figures(&name()).await.ok()?, store.spent(&name()).await.ok()?))
}

/// Killed once so many rows are accepted: what is there then.
async fn killed_after(dir: &Path, per_template: u32, rows: u64) -> (CampaignCounts, Money) {
    let campaign = CAMPAIGN.replace("per_template = 60", &format!("per_template = {per_template}"));
    std::fs::write(dir.join("crash.toml"), campaign).unwrap();
    let mut child = run(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while figures(dir).await.is_none_or(|(figures, _)| figures.rows.accepted < rows) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    figures(dir).await.unwrap()
}

/// What the killed run left, in another place.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    std::fs::create_dir(to.path().join("data")).unwrap();
    let files = ["crash.toml", "data/synthd.db", "data/synthd.db-wal", "data/synthd.db-mark"];
    for file in files {
        std::fs::copy(from.join(file), to.path().join(file)).unwrap();
    }
    to
}

#[tokio::test]
async fn a_run_whose_log_is_lost_cut_or_damaged_is_refused_and_restored() {
    if !sandboxes_run() {
        return skip("a lost log", "this host runs no sandboxes");
    }
    let dir = tempfile::tempdir().unwrap();
    let campaign = CAMPAIGN.replace("per_template = 60", "per_template = 10");
    std::fs::write(dir.path().join("crash.toml"), campaign).unwrap();
    // Looked at by nobody while it runs: a reader that is the last one tidies the log away.
    let mut child = run(dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let length = |file: &str| dir.path().join(file).metadata().map_or(0, |file| file.len());
    let mut until = |reached: &dyn Fn() -> bool| {
        while !reached() {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
    };
    // The mark has a campaign's sum once money was held.
    until(&|| length("data/synthd.db-mark") > 512);
    let wanted = length("data/synthd.db-wal") + 100_000;
    until(&|| length("data/synthd.db-wal") > wanted);
    child.kill().unwrap();
    child.wait().unwrap();
    let known = ask(copied(dir.path()).path(), &["store", "verify", "--json"]);
    assert!(known.status.success(), "a kill alone is no damage: {known:?}");
    let known: Money =
        document(&known)["campaigns"][0]["spent_usd"].as_str().unwrap().parse().unwrap();
    assert!(known > Money::ZERO);

    type Harm = fn(&Path);
    let harms: [Harm; 3] = [
        |log| std::fs::remove_file(log).unwrap(),
        |log| {
            let half = log.metadata().unwrap().len() / 2;
            std::fs::File::options().write(true).open(log).unwrap().set_len(half).unwrap();
        },
        |log| {
            let mut bytes = std::fs::read(log).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            std::fs::write(log, bytes).unwrap();
        },
    ];
    for harm in harms {
        let harmed = copied(dir.path());
        harm(&harmed.path().join("data/synthd.db-wal"));
        refused_and_restored(harmed.path(), known);
    }
}

fn refused_and_restored(dir: &Path, known: Money) {
    let ran = run(dir).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", words(&ran));
    assert!(words(&ran).contains("error[SYN-0306]: "), "{}", words(&ran));
    let verified = ask(dir, &["store", "verify", "--json"]);
    assert_eq!((verified.status.code(), &document(&verified)["sound"]), (Some(1), &false.into()));
    let told = ask(dir, &["store", "restore"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(words(&told).contains("error[SYN-0308]: "), "{}", words(&told));
    let done = ask(dir, &["store", "restore", "--charge-missing", "--json"]);
    assert!(done.status.success(), "{}", words(&done));
    assert!(document(&done)["missing"].is_object());
    let ran = run(dir).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran));
    let verified = document(&ask(dir, &["store", "verify", "--json"]));
    assert_eq!(verified["sound"], true, "{verified:#}");
    let spent: Money = verified["campaigns"][0]["spent_usd"].as_str().unwrap().parse().unwrap();
    assert!(spent > known, "{spent}: all of the work and ${known} that were spent before");
}

#[tokio::test]
async fn a_killed_run_has_a_dataset_of_what_is_there() {
    if !sandboxes_run() {
        return skip("a dataset of an interrupted campaign", "this host runs no sandboxes");
    }
    let dir = tempfile::tempdir().unwrap();
    let (figures, _) = killed_after(dir.path(), 60, 3).await;
    let built = ask(dir.path(), &["dataset", "build", "crash", "--json"]);
    assert!(built.status.success(), "{}", words(&built));
    let built = document(&built);
    let rows: u64 = built["rows"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let rejected: u64 =
        built["rejected"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert!(rows + rejected >= figures.rows.accepted && rows > 0, "{built:#}");
    assert!(built["left_out"].as_u64().unwrap() > 0, "{built:#}");
    let report = synthd::dataset::verify(Path::new(built["path"].as_str().unwrap())).unwrap();
    assert_eq!(report.rows, rows);
    let again = document(&ask(dir.path(), &["dataset", "build", "crash", "--json"]));
    assert_eq!((&again["version"], &built["version"]), (&1.into(), &1.into()));
    let shown = document(&ask(dir.path(), &["campaign", "show", "crash", "--json"]));
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1, "{shown:#}");
    assert_eq!(shown["state"], "interrupted");
}

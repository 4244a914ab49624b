//! `synthd store prune`, killed in the middle of its second transaction.

use super::start;
use crate::support::{skip, synthd};
use rusqlite::Connection;
use std::path::Path;
use std::process::{Command, Stdio};

const CAMPAIGN: &str = r#"
[campaign]
name = "crash"
concurrency = 4
[tasks]
templates = ["crash/*"]
per_template = 40
[[models]]
name = "scripted/oracle"
[[models]]
name = "scripted/give-up"
[quality]
unresolved = "reject"
[retention]
failed = "0s"
"#;

/// How many parts a transaction of a prune removes.
const AT_ONCE: i64 = 32;

/// Keeps the process busy for ever, inside its transaction, after one part of the second one.
const HANG: &str = "CREATE TRIGGER hang AFTER INSERT ON pruned
    WHEN (SELECT count(*) FROM pruned) > 32
    BEGIN
        SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT i FROM n WHERE i < 0);
    END";

fn prune() -> Command {
    let mut command = Command::new(synthd());
    command.args(["store", "prune", "--data-dir", "data", "--json"]).stdin(Stdio::null());
    command
}

fn pruned(store: &Connection) -> i64 {
    store.query_row("SELECT count(*) FROM pruned", [], |row| row.get(0)).unwrap()
}

fn assert_sound(data: &Path) {
    let report = synthd::store::verify(data).unwrap();
    assert!(report.sound, "{report:?}");
}

#[test]
fn a_prune_that_is_killed_leaves_a_whole_store_and_goes_on() {
    if !crate::support::sandboxes_run() {
        return skip("the killed prune", "this host runs no sandboxes");
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::write(dir.path().join("crash.toml"), CAMPAIGN).unwrap();
    assert!(start(dir.path()).wait_with_output().unwrap().status.success());
    let store = Connection::open(data.join("synthd.db")).unwrap();
    // The table comes with the schema of the engine that ran.
    store.execute_batch(HANG).unwrap();
    let mut child = prune().current_dir(dir.path()).stdout(Stdio::null()).spawn().unwrap();
    while pruned(&store) < AT_ONCE {
        assert!(child.try_wait().unwrap().is_none(), "the prune ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    assert_eq!(pruned(&store), AT_ONCE, "a transaction is whole or not there");
    store.execute_batch("DROP TRIGGER hang").unwrap();
    assert_sound(&data);
    let output = prune().current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["campaigns"][0]["turns"]["count"], 40 - AT_ONCE, "{report:#}");
    assert_eq!(pruned(&store), 40);
    assert_sound(&data);
}

//! Stores of older versions, and upgrades that fail.

use super::samples::*;
use crate::error::Code;
use crate::store::schema::{MIGRATIONS, READ_FROM};
use crate::store::{Store, schema};
use std::path::Path;
use synthd_actors::model::{AttemptNumber, FaultKind, Money, Reverification};
use synthd_actors::ports::Journal;
use tempfile::TempDir;

/// A store as schema 1 left it; never regenerated.
const SCHEMA_1: &str = include_str!("../fixtures/schema_1.sql");

fn old_store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("synthd.db")).unwrap();
    conn.execute_batch(SCHEMA_1).unwrap();
    conn.close().unwrap();
    dir
}

/// As a version that knew so many scripts would have left it.
fn upgrade_to(dir: &Path, version: usize) {
    let mut conn = rusqlite::Connection::open(dir.join("synthd.db")).unwrap();
    schema::migrate(&mut conn, 1, &MIGRATIONS[..version]).unwrap();
    conn.close().unwrap();
}

fn number(dir: &Path, sql: &str) -> i64 {
    let conn = rusqlite::Connection::open(dir.join("synthd.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// All that is in the fixture reads as it was written.
async fn assert_intact(store: &Store) {
    let episodes = store.episodes(&name("c")).await.unwrap();
    assert_eq!(episodes.len(), 2);
    assert_eq!(episodes[0].outcome, Some(outcome()));
    assert_eq!(episodes[0].fingerprint, Some(fingerprint()));
    assert_eq!((episodes[0].steps, episodes[0].cost), (2, Money::from_nanos(20)));
    let attempts = store.attempts(&id("c", 0)).await.unwrap();
    assert_eq!(attempts[0].fault, Some(fault(FaultKind::SandboxLost)));
    let turns = store.turns(&id("c", 0), AttemptNumber(2)).await.unwrap();
    // Older versions did not record which milestones held.
    let old = |index| {
        let mut turn = turn_of(index, 10, "a.py\n");
        turn.step.milestones = None;
        turn
    };
    assert_eq!(turns, vec![old(0), old(1)]);
    assert_eq!(store.row(&id("c", 0)).await.unwrap(), Some(row("c", 0, None)));
    assert_eq!(store.datasets(&name("c")).await.unwrap(), vec![dataset("c", 1)]);
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(420));
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_of_schema_1_is_opened_and_upgraded() {
    let dir = old_store();
    assert_intact(&Store::open(dir.path()).unwrap()).await;
    let version = number(dir.path(), "PRAGMA user_version");
    assert_eq!(version, MIGRATIONS.len() as i64);
}

#[tokio::test]
async fn a_further_script_is_applied_once_to_what_is_there() {
    let dir = old_store();
    let more =
        [MIGRATIONS, &["ALTER TABLE campaign ADD COLUMN note TEXT NOT NULL DEFAULT 'n'"]].concat();
    for _ in 0..2 {
        assert_intact(&Store::open_with(dir.path(), &more).unwrap()).await;
    }
    assert_eq!(number(dir.path(), "SELECT count(*) FROM campaign WHERE note = 'n'"), 1);
    let error = Store::open(dir.path()).err().unwrap();
    assert_eq!(error.code(), Code::StoreNewer, "{}", error.report());
}

/// An archive is read without an upgrade if the newer scripts changed only what is written.
#[tokio::test]
async fn a_store_that_lacks_only_what_helps_to_write_is_read_as_it_is() {
    for (version, readable) in [(READ_FROM - 1, false), (READ_FROM, true)] {
        let dir = old_store();
        upgrade_to(dir.path(), version);
        match Store::open_read_only(dir.path()) {
            Ok(store) => {
                assert_intact(&store).await;
                assert!(store.calls("").await.unwrap().is_empty() && readable);
            }
            Err(error) => assert!(error.report().contains("older schema") && !readable),
        }
        assert_eq!(number(dir.path(), "PRAGMA user_version"), version as i64);
    }
}

/// Older schemas have no later verdicts. With the newest one, an old episode can get one.
#[tokio::test]
async fn an_episode_of_an_older_store_is_judged_again() {
    let dir = old_store();
    upgrade_to(dir.path(), READ_FROM);
    let archive = Store::open_read_only(dir.path()).unwrap();
    assert!(archive.reverifications(&name("c")).await.unwrap().is_empty());
    assert_eq!(archive.row(&id("c", 0)).await.unwrap(), Some(row("c", 0, None)));
    drop(archive);
    let store = Store::open(dir.path()).unwrap();
    assert_intact(&store).await;
    // Attempt 2 of the fixture has the verdict.
    let again = Reverification { attempt: AttemptNumber(2), ..later("c", 0, true, 10) };
    store.append(vec![reverified(&again)]).await.unwrap();
    let record = store.row(&id("c", 0)).await.unwrap().unwrap();
    assert_eq!(record.row.as_trajectory().unwrap().reverified, Some(again.row()));
    assert_eq!(store.episodes(&name("c")).await.unwrap()[0].outcome, Some(outcome()));
}

/// What was kept as zero tokens before there was a column for it.
#[tokio::test]
async fn an_older_store_tells_what_nobody_counted() {
    let dir = old_store();
    upgrade_to(dir.path(), READ_FROM);
    let conn = rusqlite::Connection::open(dir.path().join("synthd.db")).unwrap();
    let zero = "UPDATE step SET input_tokens = 0, output_tokens = 0 WHERE step = 1";
    assert!(conn.execute(zero, []).unwrap() > 0);
    conn.close().unwrap();
    let archive = Store::open_read_only(dir.path()).unwrap();
    assert_eq!(archive.episodes(&name("c")).await.unwrap()[0].uncounted_calls, 0);
    assert_eq!(archive.figures(&name("c")).await.unwrap().tokens.uncounted_calls, 0);
    drop(archive);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.episodes(&name("c")).await.unwrap()[0].uncounted_calls, 1);
    assert_eq!(store.figures(&name("c")).await.unwrap().tokens.uncounted_calls, 1);
}

#[tokio::test]
async fn a_script_that_fails_leaves_the_store_as_it_was() {
    let dir = old_store();
    drop(Store::open(dir.path()).unwrap());
    let bad =
        [MIGRATIONS, &["CREATE TABLE half (way); DELETE FROM episode; SELECT nonsense()"]].concat();
    assert!(Store::open_with(dir.path(), &bad).is_err());
    assert_eq!(number(dir.path(), "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    assert_intact(&Store::open(dir.path()).unwrap()).await;
}

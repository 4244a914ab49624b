//! Restores that are cut off after any of their steps.

use super::keep;
use super::lost::{SPENT, killed, paid, request};
use super::samples::*;
use crate::error::{Code, Result};
use crate::store::integrity::restore::restore_until;
use crate::store::{RestoreRequest, Store, backup, backup_with, restore, verify};
use std::path::{Path, PathBuf};
use synthd_actors::model::Money;
use synthd_actors::ports::Journal;

/// One more than the steps of a restore, so that the last cut is none.
const ALL: usize = 9;

/// Money that was spent after the backup.
const LATER: u64 = 7_000;

/// What is done to the mark before a restore.
const MARKS: [fn(&Path); 3] = [
    |_| (),
    |mark| std::fs::remove_file(mark).unwrap(),
    |mark| std::fs::write(mark, [0x5a; 600]).unwrap(),
];

/// The files of old stores in a data directory, wherever a restore has put them.
fn old_files(dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let dirs = entries(dir).filter(|path| path.is_dir());
    dirs.flat_map(|dir| entries(&dir).collect::<Vec<_>>()).collect()
}

/// Every way to a store is refused, with the way out.
fn refused(dir: &Path, cut: usize) {
    let ways: [&dyn Fn() -> Result<()>; 4] = [
        &|| Store::open(dir).map(drop),
        &|| Store::open_read_only(dir).map(drop),
        &|| verify(dir).map(drop),
        &|| backup(dir, &dir.join("copy.db")).map(drop),
    ];
    for way in ways {
        let error = way().unwrap_err();
        assert_eq!(error.code(), Code::StoreIncomplete, "{cut}: {}", error.report());
        assert!(error.report().contains("synthd store restore"), "{cut}: {}", error.report());
    }
}

#[tokio::test]
async fn a_restore_that_is_cut_off_after_any_step_is_refused_until_it_is_finished() {
    let (dir, store) = paid().await;
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("before.db");
    backup(dir.path(), &copy).unwrap();
    keep(&store, held("later", "c", 0, LATER)).await;
    for (harm, backup) in MARKS.iter().flat_map(|harm| [(harm, Some(&copy)), (harm, None)]) {
        for cut in 0..ALL {
            let grave = killed(dir.path());
            let mark = grave.path().join("synthd.db-mark");
            harm(&mark);
            let compared = MARKS.first().is_some_and(|whole| std::ptr::fn_addr_eq(*whole, *harm));
            let asked =
                RestoreRequest { backup: backup.map(PathBuf::as_path), ..request(grave.path()) };
            let first = restore_until(&asked, cut).unwrap();
            assert!(!first.finished_earlier);
            if grave.path().join("synthd.db-restored").exists() {
                refused(grave.path(), cut);
                assert!(restore(&asked).unwrap().finished_earlier);
            }
            // What was spent is in the restored store, or nobody could know of it.
            let known = compared || backup.is_none();
            let store = Store::open(grave.path()).unwrap();
            let spent = store.spent(&name("c")).await.unwrap();
            let expected = SPENT + if known { LATER } else { 0 };
            assert_eq!(spent, Money::from_nanos(expected), "{cut} {backup:?}");
            let charges = store.adjustments(Some("c")).await.unwrap();
            assert_eq!(charges.len(), usize::from(compared && backup.is_some()), "{cut}");
            drop(store);
            assert!(verify(grave.path()).unwrap().sound);
            let old = old_files(grave.path());
            assert!(old.iter().any(|file| file.ends_with("synthd.db")), "{cut}: {old:?}");
            assert!(old.iter().any(|file| file.ends_with("synthd.db-wal")), "{cut}: {old:?}");
        }
    }
}

/// One file in `workspaces` of a data directory.
fn keep_workspace(dir: &Path, content: &str) {
    std::fs::create_dir_all(dir.join("workspaces")).unwrap();
    std::fs::write(dir.join("workspaces/ep-c-0-1.zst"), content).unwrap();
}

fn kept_workspace(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("workspaces/ep-c-0-1.zst")).unwrap()
}

/// The kept workspaces come back with the store: all of them, or those that were there stay.
#[tokio::test]
async fn kept_workspaces_come_back_with_the_store_whenever_it_is_cut_off() {
    let (dir, store) = paid().await;
    keep_workspace(dir.path(), "of the backup");
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("before.db");
    let made = backup(dir.path(), &copy).unwrap().workspaces.unwrap();
    assert_eq!((made.workspaces, made.path), (1, copies.path().join("before.db-workspaces")));
    store.barrier().await.unwrap();
    for cut in 0..ALL {
        let grave = killed(dir.path());
        keep_workspace(grave.path(), "later");
        let asked = RestoreRequest { backup: Some(&copy), ..request(grave.path()) };
        assert_eq!(restore_until(&asked, cut).unwrap().workspaces, Some(1), "{cut}");
        if grave.path().join("synthd.db-restored").exists() {
            assert!(restore(&asked).unwrap().finished_earlier);
        }
        assert_eq!(kept_workspace(grave.path()), "of the backup", "{cut}");
        assert!(!grave.path().join("workspaces-restored").exists(), "{cut}");
        let replaced = grave.path().join("replaced-9");
        assert_eq!(kept_workspace(&replaced), "later", "{cut}");
    }
}

#[tokio::test]
async fn workspaces_that_are_not_wanted_or_damaged_change_nothing() {
    let (dir, store) = paid().await;
    keep_workspace(dir.path(), "of the backup");
    let copies = tempfile::tempdir().unwrap();
    let (copy, bare) = (copies.path().join("before.db"), copies.path().join("bare.db"));
    backup(dir.path(), &copy).unwrap();
    assert_eq!(backup_with(dir.path(), &bare, false).unwrap().workspaces, None);
    store.barrier().await.unwrap();
    let grave = killed(dir.path());
    keep_workspace(grave.path(), "later");
    let asked = RestoreRequest { backup: Some(&copy), ..request(grave.path()) };
    let file = copies.path().join("before.db-workspaces");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(restore(&asked).unwrap_err().code(), Code::BackupUnusable);
    let left = |name: &str| grave.path().join(name).exists();
    assert!(!left("workspaces-restored") && !left("synthd.db-restored"));
    let without = RestoreRequest { workspaces: false, ..asked.clone() };
    assert_eq!(restore(&without).unwrap().workspaces, None);
    let asked = RestoreRequest { backup: Some(&bare), ..asked };
    assert_eq!(restore(&asked).unwrap().workspaces, None);
    assert_eq!(kept_workspace(grave.path()), "later");
}

/// A kill before the decision leaves a copy that nobody reads.
#[tokio::test]
async fn a_copy_that_was_not_decided_on_is_written_again() {
    let (dir, _store) = paid().await;
    let grave = killed(dir.path());
    std::fs::write(grave.path().join("synthd.db-restoring"), "half").unwrap();
    drop(Store::open(grave.path()).unwrap());
    assert!(!restore(&request(grave.path())).unwrap().finished_earlier);
    let store = Store::open(grave.path()).unwrap();
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(SPENT));
}

#[tokio::test]
async fn two_restores_in_one_moment_keep_the_files_of_both() {
    let (dir, _store) = paid().await;
    let grave = killed(dir.path());
    let first = restore(&request(grave.path())).unwrap().aside.unwrap();
    let second = restore(&request(grave.path())).unwrap().aside.unwrap();
    assert_ne!(first, second);
    assert_eq!(
        old_files(grave.path()).iter().filter(|file| file.ends_with("synthd.db")).count(),
        2
    );
}

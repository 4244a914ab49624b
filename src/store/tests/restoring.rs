//! Restores that are cut off after any of their steps.

use super::keep;
use super::lost::{SPENT, killed, paid, request};
use super::samples::*;
use crate::error::{Code, Result};
use crate::store::integrity::restore::restore_until;
use crate::store::{RestoreRequest, Store, backup, restore, verify};
use std::path::{Path, PathBuf};
use synthd_actors::model::Money;
use synthd_actors::ports::Journal;

/// One more than the steps of a restore, so that the last cut is none.
const ALL: usize = 7;

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

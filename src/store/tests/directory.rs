//! Data directories that cannot be used: the error has a code and a hint, and nothing is damaged.

use super::mounts::{make_read_only, on_a_small_disk};
use super::samples::*;
use super::{keep, store};
use crate::error::{Code, Error};
use crate::store::Store;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use synthd_actors::ports::Journal;

fn refused(dir: &Path, code: Code) -> Error {
    let Err(error) = Store::open(dir) else { panic!("{} was opened", dir.display()) };
    assert_eq!(error.code(), code, "{}", error.report());
    assert!(error.hint_text().is_some(), "{}", error.report());
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{}", error.report());
    error
}

#[test]
fn a_missing_directory_is_made_for_this_user_alone() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a/b");
    drop(Store::open(&dir).unwrap());
    let mode = dir.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(Store::open(&dir).unwrap());
}

#[tokio::test]
async fn a_directory_in_use_names_its_holder_and_is_free_afterwards() {
    let (dir, store) = store();
    keep(&store, opened("c")).await;
    let error = refused(dir.path(), Code::DataDirInUse);
    let holder = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    assert!(store.campaign(&name("c")).await.unwrap().is_some());
    let clone = store.clone();
    drop(store);
    refused(dir.path(), Code::DataDirInUse);
    drop(clone);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.campaign(&name("c")).await.unwrap().is_some());
}

/// The directory itself is locked, so nobody gets in by deleting the lock file.
#[tokio::test]
async fn a_deleted_lock_file_lets_nobody_in() {
    let (dir, store) = store();
    std::fs::remove_file(dir.path().join("synthd.lock")).unwrap();
    refused(dir.path(), Code::DataDirInUse);
    std::fs::write(dir.path().join("synthd.lock"), "").unwrap();
    refused(dir.path(), Code::DataDirInUse);
    drop(store);
    drop(Store::open(dir.path()).unwrap());
}

#[test]
fn a_lock_file_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("synthd.lock")).unwrap();
    let error = refused(dir.path(), Code::DataDirUnwritable);
    assert!(error.to_string().contains("the lock file"), "{}", error.report());
    assert!(error.to_string().contains("synthd.lock"), "{}", error.report());
}

#[test]
fn a_clean_end_leaves_one_file_the_mark_and_the_lock() {
    let (dir, store) = store();
    drop(store);
    let mut names: Vec<_> =
        dir.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["synthd.db", "synthd.db-mark", "synthd.lock"]);
}

#[test]
fn a_file_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    refused(&file, Code::DataDirUnwritable);
    refused(&file.join("below"), Code::DataDirUnwritable);
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_read_only_disk_is_refused() {
    on_a_small_disk(1 << 20, |dir| {
        make_read_only(dir);
        refused(dir, Code::DataDirUnwritable);
        refused(&dir.join("new"), Code::DataDirUnwritable);
    });
}

#[test]
fn a_read_only_disk_with_a_store_is_refused_and_still_readable() {
    on_a_small_disk(4 << 20, |dir| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(keep(&Store::open(dir).unwrap(), opened("c")));
        make_read_only(dir);
        refused(dir, Code::DataDirUnwritable);
        let store = Store::open_read_only(dir).unwrap();
        assert!(runtime.block_on(store.campaign(&name("c"))).unwrap().is_some());
    });
}

#[test]
fn a_directory_without_permission_is_refused() {
    if nix::unistd::geteuid().is_root() {
        return; // root may write anywhere; the read-only disk above stands in
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o500)).unwrap();
    refused(dir.path(), Code::DataDirUnwritable);
    refused(&dir.path().join("new"), Code::DataDirUnwritable);
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_newer_store_is_left_alone() {
    let (dir, store) = store();
    drop(store);
    let file = dir.path().join("synthd.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("PRAGMA user_version = 99").unwrap();
    conn.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = refused(dir.path(), Code::StoreNewer);
    assert!(error.to_string().contains("99"), "{error}");
    assert_eq!(Store::open_read_only(dir.path()).err().unwrap().code(), Code::StoreNewer);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn what_is_no_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("synthd.db");
    let garbage = b"this is no database at all, whatever its name says. ".repeat(100);
    std::fs::write(&file, &garbage).unwrap();
    refused(dir.path(), Code::StoreDamaged);
    assert_eq!(Store::open_read_only(dir.path()).err().unwrap().code(), Code::StoreDamaged);
    assert_eq!(std::fs::read(&file).unwrap(), garbage);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("synthd.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("CREATE TABLE campaign (theirs)").unwrap();
    conn.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = refused(dir.path(), Code::StoreDamaged);
    assert!(error.report().contains("another program"), "{}", error.report());
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_page_is_reported_and_found() {
    let (dir, store) = store();
    keep(&store, opened("c")).await;
    keep(&store, planned("c", 0..2_000)).await;
    drop(store);
    let file = dir.path().join("synthd.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    let error = refused(dir.path(), Code::StoreDamaged);
    assert!(error.report().contains("restore"), "{}", error.report());
    let store = Store::open_read_only(dir.path()).unwrap();
    let fault = store.episodes(&name("c")).await.unwrap_err();
    assert!(fault.message.contains("damaged"), "{fault}");
    assert!(!store.integrity_check().await.unwrap().is_empty());
}

/// A process that asks who has the directory does not keep another process from opening it.
#[test]
fn looking_says_who_has_the_directory_and_keeps_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!crate::store::is_held(dir.path()));
    let store = Store::open(dir.path()).unwrap();
    assert!(crate::store::is_held(dir.path()));
    std::fs::rename(dir.path().join("synthd.lock"), dir.path().join("aside")).unwrap();
    assert!(crate::store::is_held(dir.path()), "the directory itself is held");
    std::fs::rename(dir.path().join("aside"), dir.path().join("synthd.lock")).unwrap();
    drop(store);
    assert!(!crate::store::is_held(dir.path()));
    // Somebody looks at the very moment, and then no more.
    let looking = std::fs::File::open(dir.path().join("synthd.lock")).unwrap();
    looking.try_lock_shared().unwrap();
    let path = dir.path().to_owned();
    let opening = std::thread::spawn(move || Store::open(&path).map(drop));
    looking.unlock().unwrap();
    opening.join().unwrap().unwrap();
}

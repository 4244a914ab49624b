//! Reading a store without its lock: while a writer has it, after a writer has closed it, and after
//! a writer was killed.

use super::samples::*;
use super::{keep, started};
use crate::error::Code;
use crate::store::{Store, StoreStats};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use synthd_actors::model::AttemptNumber;
use synthd_actors::ports::Journal;

fn listing(dir: &Path) -> BTreeSet<OsString> {
    dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test]
async fn a_reader_beside_a_writer_sees_what_was_acknowledged() {
    let (dir, store) = started(1).await;
    let reader = Store::open_read_only(dir.path()).unwrap();
    for index in 0..3 {
        keep(&store, turn("c", 0, 1, index, 1)).await;
        let found = reader.turns(&id("c", 0), AttemptNumber(1)).await.unwrap();
        assert_eq!(found.len(), index as usize + 1);
    }
    assert_eq!(reader.stats(), StoreStats::default());
    drop(store);
    assert_eq!(reader.campaigns().await.unwrap().len(), 1);
    let store = Store::open(dir.path()).unwrap();
    keep(&store, opened("d")).await;
    assert_eq!(reader.campaigns().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_reader_alone_reads_writes_nothing_and_leaves_nothing() {
    let (dir, store) = started(1).await;
    drop(store);
    let before = listing(dir.path());
    let reader = Store::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.episodes(&name("c")).await.unwrap().len(), 1);
    let fault = reader.append(vec![opened("d")]).await.unwrap_err();
    assert!(fault.message.contains("reading only"), "{fault}");
    reader.barrier().await.unwrap_err();
    drop(reader);
    assert_eq!(listing(dir.path()), before);
}

#[tokio::test]
async fn what_a_killed_writer_left_in_its_log_is_read() {
    let (dir, store) = started(1).await;
    keep(&store, turn("c", 0, 1, 0, 1)).await;
    let grave = tempfile::tempdir().unwrap();
    for file in ["synthd.db", "synthd.db-wal", "synthd.db-mark"] {
        std::fs::copy(dir.path().join(file), grave.path().join(file)).unwrap();
    }
    let reader = Store::open_read_only(grave.path()).unwrap();
    assert_eq!(reader.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().len(), 1);
    drop(reader);
    let store = Store::open(grave.path()).unwrap();
    assert_eq!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().len(), 1);
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[test]
fn a_missing_or_empty_store_is_said_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("synthd.db"), "").unwrap();
    for dir in [&missing, &empty] {
        let error = Store::open_read_only(dir).err().unwrap();
        assert_eq!(error.code(), Code::BadUsage, "{}", error.report());
        assert!(error.hint_text().is_some());
    }
    assert!(!missing.exists());
    assert_eq!(listing(&empty).len(), 1);
}

//! A disk that fills up: the error says so, nothing is damaged, and work goes on when there is space
//! again.

use super::keep;
use super::mounts::on_a_small_disk;
use super::samples::*;
use crate::error::Code;
use crate::store::Store;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use synthd_actors::model::AttemptNumber;
use synthd_actors::ports::{Journal, StoreFault};

const DISK: usize = 4 << 20;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Fills the disk.
fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("ballast");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    path
}

async fn until_full(store: &Store, first: u32) -> (u32, StoreFault) {
    for index in first..10_000 {
        if let Err(fault) = store.append(vec![large_turn("c", 0, index, 8_000)]).await {
            return (index, fault);
        }
    }
    panic!("the disk never filled up");
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_is_used_again() {
    on_a_small_disk(DISK, |dir| block_on(fills_up(dir)));
}

async fn fills_up(dir: &Path) {
    std::fs::write(dir.join("ballast"), vec![7; 1 << 20]).unwrap();
    let store = Store::open(dir).unwrap();
    keep(&store, opened("c")).await;
    keep(&store, planned("c", 0..1)).await;
    keep(&store, start("c", 0, 1, None)).await;
    let (kept, fault) = until_full(&store, 0).await;
    assert!(fault.message.contains("the data directory is full"), "{fault}");
    assert_turns(&store, kept).await;

    std::fs::remove_file(dir.join("ballast")).unwrap();
    keep(&store, large_turn("c", 0, kept, 8_000)).await;
    assert_turns(&store, kept + 1).await;
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    let (kept, _) = until_full(&store, kept + 1).await;
    drop(store);

    let store = Store::open_read_only(dir).unwrap();
    assert_turns(&store, kept).await;
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

async fn assert_turns(store: &Store, count: u32) {
    let turns = store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap();
    let found: Vec<_> = turns.iter().map(|t| t.step.index).collect();
    assert_eq!(found, (0..count).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_is_refused_with_and_without_a_store() {
    on_a_small_disk(DISK, |dir| {
        assert_full(dir);
        block_on(keep(&Store::open(dir).unwrap(), opened("c")));
        assert_full(dir);
        let store = Store::open(dir).unwrap();
        assert!(block_on(store.campaign(&name("c"))).unwrap().is_some());
    });
}

fn assert_full(dir: &Path) {
    let ballast = fill(dir);
    let error = Store::open(dir).err().unwrap();
    assert_eq!(error.code(), Code::DataDirFull, "{}", error.report());
    assert!(error.hint_text().is_some());
    std::fs::remove_file(ballast).unwrap();
}

/// The error has the code of a full disk, and not that of a directory in use.
#[test]
fn a_disk_that_is_full_at_the_start_is_said() {
    on_a_small_disk(DISK, |dir| {
        drop(Store::open(dir).unwrap());
        let ballast = fill(dir);
        let error = Store::open(dir).err().unwrap();
        assert_eq!(error.code(), Code::DataDirFull, "{}", error.report());
        std::fs::remove_file(ballast).unwrap();
        drop(Store::open(dir).unwrap());
    });
}

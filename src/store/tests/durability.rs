//! The writer under load, under cancellation and when it dies.

use super::samples::*;
use super::{keep, started};
use crate::store::Store;
use crate::store::writing::writer::WriterRequest;
use synthd_actors::model::{AttemptNumber, JournalEntry};
use synthd_actors::ports::Journal;
use tokio::task::JoinSet;

const APPENDERS: u64 = 400;

/// A transaction that blocks every writer until it is dropped.
fn block_writer(dir: &std::path::Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(dir.join("synthd.db")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

async fn until_queued(store: &Store, count: usize) {
    while store.stats().queue_depth < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_queued_together_is_committed_together_and_fails_alone() {
    let (dir, store) = started(APPENDERS).await;
    let commits = store.stats().commits;
    let blocker = block_writer(dir.path());
    let mut appends = JoinSet::new();
    for ordinal in 0..=APPENDERS {
        let store = store.clone();
        // The last one is not planned.
        appends.spawn(async move { store.append(vec![turn("c", ordinal, 1, 0, 10)]).await });
    }
    until_queued(&store, 401).await;
    drop(blocker);
    let answers = appends.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.is_err()).count(), 1);
    let stats = store.stats();
    assert!(stats.commits <= commits + 2, "{stats:?}");
    assert_eq!((stats.failed, stats.queue_depth), (1, 0));
    let episodes = store.episodes(&name("c")).await.unwrap();
    assert!(episodes.iter().all(|e| e.steps == 1 && e.cost.nanos() == 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_appenders_lose_and_double_nothing() {
    let (_dir, store) = started(APPENDERS).await;
    let mut appenders = JoinSet::new();
    for ordinal in 0..APPENDERS {
        let store = store.clone();
        appenders.spawn(async move {
            for index in 0..10 {
                keep(&store, turn("c", ordinal, 1, index, 1)).await;
                let found = store.turns(&id("c", ordinal), AttemptNumber(1)).await.unwrap();
                assert_eq!(found.len(), index as usize + 1);
            }
        });
    }
    appenders.join_all().await;
    let episodes = store.episodes(&name("c")).await.unwrap();
    assert!(episodes.iter().all(|e| e.steps == 10 && e.cost.nanos() == 10));
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_append_whose_caller_went_away_is_kept_and_drained_on_drop() {
    let (dir, store) = started(1).await;
    for index in 0..100 {
        // Polled once: queued, then forgotten.
        tokio::select! {
            biased;
            _ = store.append(vec![turn("c", 0, 1, index, 1)]) => {}
            () = std::future::ready(()) => {}
        }
    }
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().len(), 100);
}

#[tokio::test]
async fn more_appenders_than_places_wait_for_theirs() {
    let (dir, store) = started(1).await;
    let bound = store.stats().queue_bound;
    let blocker = block_writer(dir.path());
    let mut appends = JoinSet::new();
    for index in 0..bound as u32 + 10 {
        let store = store.clone();
        appends.spawn(async move { store.append(vec![turn("c", 0, 1, index, 1)]).await });
    }
    until_queued(&store, bound).await;
    assert_eq!(store.stats().queue_depth, bound);
    drop(blocker);
    assert!(appends.join_all().await.iter().all(Result::is_ok));
    assert_eq!(store.episode(&id("c", 0)).await.unwrap().unwrap().steps, bound as u32 + 10);
}

#[tokio::test]
async fn money_and_barriers_reach_the_disk_before_they_are_answered() {
    let (_dir, store) = started(1).await;
    for (n, money) in [held("h1", "c", 0, 5), settled("h1", 3)].into_iter().enumerate() {
        let before = store.stats().syncs;
        keep(&store, money).await;
        assert!(store.stats().syncs > before, "money entry {n}");
    }
    keep(&store, turn("c", 0, 1, 0, 1)).await;
    store.barrier().await.unwrap();
    let synced = store.stats().syncs;
    store.barrier().await.unwrap();
    assert_eq!(store.stats().syncs, synced, "nothing was left to sync");
}

#[tokio::test]
async fn a_dead_writer_is_a_fault_for_everyone_and_never_a_hang() {
    let (dir, store) = started(1).await;
    keep(&store, turn("c", 0, 1, 0, 1)).await;
    let blocker = block_writer(dir.path());
    let mut appends = JoinSet::new();
    for index in 0..10 {
        let store = store.clone();
        appends.spawn(async move { store.append(vec![turn("c", 0, 1, index, 1)]).await });
    }
    until_queued(&store, 10).await;
    store.inner.writer.as_ref().unwrap().send("test", WriterRequest::Panic).unwrap();
    for _ in 0..10 {
        let store = store.clone();
        appends.spawn(async move { store.append(vec![JournalEntry::Planned(Vec::new())]).await });
    }
    until_queued(&store, 20).await;
    drop(blocker);
    let answers = appends.join_all().await;
    let fault = answers.into_iter().find_map(Result::err).unwrap();
    assert!(fault.message.contains("writer is gone"), "{fault}");
    store.append(vec![opened("c")]).await.unwrap_err();
    store.barrier().await.unwrap_err();
    assert_eq!(store.stats().queue_depth, 0);
    assert!(store.episode(&id("c", 0)).await.unwrap().is_some(), "reading goes on");
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().is_empty());
}

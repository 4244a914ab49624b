//! The store against a real file, a real disk and a model of itself.

mod calls;
mod directory;
mod durability;
mod full_disk;
mod lost;
mod model;
mod money;
mod mounts;
mod pruning;
mod reading;
mod restoring;
mod round_trip;
pub(super) mod samples;
mod upgrade;

use crate::store::Store;
use synthd_actors::model::JournalEntry;
use synthd_actors::ports::Journal;
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

async fn keep(store: &Store, entry: JournalEntry) {
    store.append(vec![entry]).await.unwrap();
}

/// A store with campaign `c` and `count` planned episodes, on which attempt 1 runs.
async fn started(count: u64) -> (TempDir, Store) {
    let (dir, store) = store();
    keep(&store, samples::opened("c")).await;
    keep(&store, samples::planned("c", 0..count)).await;
    for ordinal in 0..count {
        keep(&store, samples::start("c", ordinal, 1, None)).await;
    }
    (dir, store)
}

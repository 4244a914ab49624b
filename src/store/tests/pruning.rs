//! Rules of retention on a store: what goes, what stays, and beside whom.

use super::calls::call;
use super::samples::*;
use super::{keep, store};
use crate::store::{
    CampaignRetention, PruneReport, PruneRequest, PrunedPart, Store, backup, prune, summary,
    vacuum, verify,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    AttemptNumber, CallRecord, CampaignState, JournalEntry, Money, RetentionAge, RetentionRules,
};
use synthd_actors::ports::{CallArchive, Journal};
use tempfile::TempDir;

/// Long after everything in the samples.
const NOW: i64 = 1_000_000_000_000;

fn moved(campaign: &str, state: CampaignState) -> JournalEntry {
    JournalEntry::CampaignMoved { campaign: name(campaign), state, reason: None }
}

/// Rules by which everything is over.
fn all_over() -> CampaignRetention {
    let over = Some(RetentionAge::For(Duration::ZERO));
    let rules = RetentionRules { solved: over, failed: over, calls: over, workspaces: over };
    CampaignRetention { rules, is_source: false }
}

fn pruned(dir: &Path, retention: CampaignRetention, dry_run: bool) -> PruneReport {
    let campaigns = [("c".to_owned(), retention)].into();
    let request = PruneRequest { data_dir: dir, campaigns: &campaigns, dry_run, now_ms: NOW };
    prune(&request, &|_, _, _| ()).unwrap()
}

/// The row of an episode, with sums that fit.
fn judged(ordinal: u64, rejected: Option<&str>) -> JournalEntry {
    let mut record = row("c", ordinal, rejected);
    if let Some(row) = record.row.as_trajectory_mut() {
        (row.total_tokens, row.cost_usd) = (None, Money::ZERO);
    }
    JournalEntry::Judged(Box::new(record))
}

/// A campaign in this state with two finished episodes of two turns: the first has a call and an accepted row, the
/// row of the other is rejected.
async fn ended(state: CampaignState) -> (TempDir, Store) {
    let (dir, store) = store();
    keep(&store, opened("c")).await;
    keep(&store, planned("c", 0..2)).await;
    for ordinal in 0..2 {
        keep(&store, start("c", ordinal, 1, None)).await;
        keep(&store, held(&format!("h{ordinal}"), "c", ordinal, 10)).await;
        for index in 0..2 {
            keep(&store, turn("c", ordinal, 1, index, 5)).await;
        }
        keep(&store, settled(&format!("h{ordinal}"), 10)).await;
    }
    let recorded = CallRecord { fault: None, ..call(0, b"the request".to_vec()) };
    keep(&store, JournalEntry::Called(Arc::new(recorded))).await;
    for ordinal in 0..2 {
        keep(&store, finished("c", ordinal, 1)).await;
    }
    keep(&store, judged(0, None)).await;
    keep(&store, judged(1, Some("loops"))).await;
    keep(&store, moved("c", state)).await;
    (dir, store)
}

#[tokio::test]
async fn a_dry_run_says_what_a_prune_removes_and_the_figures_stay() {
    let (dir, store) = ended(CampaignState::Complete).await;
    let before = store.episodes(&name("c")).await.unwrap();
    let would = pruned(dir.path(), all_over(), true);
    assert_eq!((would.campaigns[0].turns.count, would.campaigns[0].calls.count), (2, 1));
    assert_eq!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().len(), 2);
    // The engine of this test has the data directory, so this is beside it.
    let did = pruned(dir.path(), all_over(), false);
    assert_eq!(PruneReport { dry_run: true, ..did }, would);
    assert!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().is_empty());
    assert_eq!(store.episodes(&name("c")).await.unwrap(), before);
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(20));
    let gone = store.pruned(&id("c", 0)).await.unwrap();
    let parts: Vec<PrunedPart> = gone.iter().map(|record| record.part).collect();
    assert_eq!(parts, [PrunedPart::Calls, PrunedPart::Turns]);
    assert_eq!(gone[1].rule, "failed");
    let again = pruned(dir.path(), all_over(), false);
    assert_eq!(again.campaigns[0].turns.count, 0, "{again:?}");
    drop(store);
    let report = verify(dir.path()).unwrap();
    assert!(report.sound, "{report:?}");
    let sizes = summary(dir.path()).unwrap();
    assert_eq!((sizes.campaigns[0].turn_bytes, sizes.campaigns[0].call_bytes), (0, 0));
    assert!(sizes.campaigns[0].pruned_bytes > 0);
}

#[tokio::test]
async fn calls_without_bytes_are_listed_and_never_replayed() {
    let (dir, store) = ended(CampaignState::Complete).await;
    let id = store.calls("").await.unwrap()[0].id.clone();
    assert!(store.call(&id).await.unwrap().is_some());
    let answers = store.answered(&name("c"), "local/m", 0).await.unwrap();
    assert_eq!(answers.calls.len(), 1);
    drop(store);
    let calls = Some(RetentionAge::For(Duration::ZERO));
    let rules = RetentionRules { calls, ..RetentionRules::default() };
    let report = pruned(dir.path(), CampaignRetention { rules, is_source: false }, false);
    assert_eq!((report.campaigns[0].turns.count, report.campaigns[0].calls.count), (0, 1));
    let store = Store::open(dir.path()).unwrap();
    assert!(store.calls("").await.unwrap()[0].pruned);
    assert!(store.call(&id).await.is_err());
    let answered = store.answered(&name("c"), "local/m", 0).await.unwrap();
    assert!(answered.calls.is_empty());
    assert_eq!(store.turns(&super::samples::id("c", 0), AttemptNumber(1)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_campaign_that_may_go_on_loses_nothing() {
    use CampaignState::{Cancelled, Paused, Running, Stopped};
    for state in [Running, Paused, Stopped, Cancelled] {
        let (dir, store) = ended(state).await;
        let report = pruned(dir.path(), all_over(), false);
        let turns = store.turns(&id("c", 1), AttemptNumber(1)).await.unwrap();
        assert_eq!(turns.is_empty(), state == Cancelled, "{state:?}");
        let left = report.campaigns[0].left.as_deref();
        assert_eq!(left, (state != Cancelled).then_some(state.as_str()));
    }
}

/// An accepted row stays when the campaign has a dataset, and every row of a source of a recipe.
#[tokio::test]
async fn rows_of_datasets_keep_their_turns() {
    for (has_dataset, is_source, left) in
        [(false, false, [0, 0]), (true, false, [2, 0]), (false, true, [2, 2])]
    {
        let (dir, store) = ended(CampaignState::Complete).await;
        if has_dataset {
            keep(&store, JournalEntry::DatasetWritten(dataset("c", 1))).await;
        }
        let retention = CampaignRetention { is_source, ..all_over() };
        let report = pruned(dir.path(), retention, false);
        for (ordinal, left) in (0..).zip(left) {
            let turns = store.turns(&id("c", ordinal), AttemptNumber(1)).await.unwrap();
            assert_eq!(turns.len(), left, "{has_dataset} {is_source} {ordinal}");
        }
        let kept = left.iter().filter(|left| **left > 0).count() as u64;
        assert_eq!(report.campaigns[0].in_datasets, kept);
        assert_eq!(report.campaigns[0].calls.count, 1);
    }
}

/// The mark, a backup and a vacuum know nothing of empty bodies.
#[tokio::test]
async fn a_pruned_store_is_whole_for_all_other_commands() {
    let (dir, store) = ended(CampaignState::Complete).await;
    drop(store);
    pruned(dir.path(), all_over(), false);
    let before = summary(dir.path()).unwrap();
    let report = vacuum(dir.path()).unwrap();
    assert!(report.bytes_after <= report.bytes_before, "{report:?}");
    let after = summary(dir.path()).unwrap();
    assert_eq!((after.free_bytes, &after.campaigns), (0, &before.campaigns));
    let copies = tempfile::tempdir().unwrap();
    backup(dir.path(), &copies.path().join("copy.db")).unwrap();
    assert!(verify(dir.path()).unwrap().sound);
    let store = Store::open(dir.path()).unwrap();
    let beside = vacuum(dir.path()).unwrap();
    assert!(beside.bytes_after <= beside.bytes_before, "{beside:?}");
    keep(&store, moved("c", CampaignState::Running)).await;
}

/// The row of an episode is made of its turns, so they stay until it is made.
#[tokio::test]
async fn an_episode_without_its_row_keeps_its_turns() {
    let (dir, store) = ended(CampaignState::Cancelled).await;
    keep(&store, planned("c", 0..3)).await;
    keep(&store, start("c", 2, 1, None)).await;
    keep(&store, turn("c", 2, 1, 0, 5)).await;
    keep(&store, finished("c", 2, 1)).await;
    pruned(dir.path(), all_over(), false);
    for (ordinal, left) in [(0, 0), (1, 0), (2, 1)] {
        let turns = store.turns(&id("c", ordinal), AttemptNumber(1)).await.unwrap();
        assert_eq!(turns.len(), left, "{ordinal}");
    }
}

/// An empty body that no rule explains is damage.
#[tokio::test]
async fn a_body_that_is_empty_without_a_rule_is_found() {
    let (dir, store) = ended(CampaignState::Complete).await;
    drop(store);
    let conn = rusqlite::Connection::open(dir.path().join("synthd.db")).unwrap();
    conn.execute("UPDATE step SET body = x'' WHERE key = 1", []).unwrap();
    conn.close().unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!(report.findings, ["step 1: its body is empty"]);
}

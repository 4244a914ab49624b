//! Stores that have lost something: found out at once, and brought back without forgetting what
//! was spent.

use super::samples::*;
use super::{keep, started};
use crate::error::{Code, Error};
use crate::store::{
    HoldCorrection, HoldState, RestoreRequest, Store, backup, reconcile, reconcile_with, restore,
    verify,
};
use std::path::Path;
use synthd_actors::model::{AttemptNumber, DatasetRow, JournalEntry, Money};
use synthd_actors::ports::Journal;
use tempfile::TempDir;

/// A store as a kill leaves it: the files of one that is still open.
pub(super) fn killed(dir: &Path) -> TempDir {
    let grave = tempfile::tempdir().unwrap();
    for file in ["synthd.db", "synthd.db-wal", "synthd.db-mark"] {
        std::fs::copy(dir.join(file), grave.path().join(file)).unwrap();
    }
    grave
}

/// Some money and steps, on the disk.
pub(super) async fn paid() -> (TempDir, Store) {
    let (dir, store) = started(2).await;
    for index in 0..20 {
        let id = format!("h{index}");
        keep(&store, held(&id, "c", u64::from(index) % 2, 500)).await;
        keep(&store, turn("c", 0, 1, index, 1)).await;
        keep(&store, settled(&id, 100)).await;
    }
    keep(&store, held("open", "c", 0, 500)).await;
    (dir, store)
}

pub(super) const SPENT: u64 = 20 * 100 + 500;

fn refused(dir: &Path) -> Error {
    let before = std::fs::read(dir.join("synthd.db")).unwrap();
    let error = Store::open(dir).err().unwrap();
    assert_eq!(error.code(), Code::StoreIncomplete, "{}", error.report());
    let reading = Store::open_read_only(dir).err().unwrap();
    assert_eq!(reading.code(), Code::StoreIncomplete, "{}", reading.report());
    assert_eq!(std::fs::read(dir.join("synthd.db")).unwrap(), before, "nothing was changed");
    assert!(!verify(dir).unwrap().sound);
    error
}

pub(super) fn request(dir: &Path) -> RestoreRequest<'_> {
    RestoreRequest {
        data_dir: dir,
        backup: None,
        workspaces: true,
        charge_missing: true,
        who: "me",
        at_ms: 9,
    }
}

#[tokio::test]
async fn a_store_that_was_killed_is_whole() {
    let (dir, _store) = paid().await;
    let grave = killed(dir.path());
    let report = verify(grave.path()).unwrap();
    assert!(report.sound && report.missing.is_none(), "{report:?}");
    let store = Store::open(grave.path()).unwrap();
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(SPENT));
}

#[tokio::test]
async fn a_log_that_is_lost_cut_or_damaged_is_never_forgotten() {
    let (dir, _store) = paid().await;
    let length = std::fs::metadata(dir.path().join("synthd.db-wal")).unwrap().len();
    type Harm = Box<dyn Fn(&Path)>;
    let mut harms: Vec<Harm> = vec![
        Box::new(|log| std::fs::remove_file(log).unwrap()),
        Box::new(|log| std::fs::write(log, "").unwrap()),
    ];
    for part in 1..8 {
        let at = length * part / 8;
        harms.push(Box::new(move |log| {
            std::fs::File::options().write(true).open(log).unwrap().set_len(at).unwrap();
        }));
        harms.push(Box::new(move |log| {
            let mut bytes = std::fs::read(log).unwrap();
            bytes[at as usize] ^= 1;
            std::fs::write(log, bytes).unwrap();
        }));
    }
    for harm in harms {
        let grave = killed(dir.path());
        let log = grave.path().join("synthd.db-wal");
        harm(&log);
        let left = std::fs::read(&log).ok();
        refused(grave.path());
        // What is left of the log is left for whoever can mend it.
        if let Some(left) = left.filter(|left| !left.is_empty()) {
            assert_eq!(std::fs::read(&log).unwrap(), left);
        }
        let report = restore(&request(grave.path())).unwrap();
        assert!(report.compared && report.missing.is_some() && report.aside.is_some());
        assert!(verify(grave.path()).unwrap().sound);
        let store = Store::open(grave.path()).unwrap();
        keep(&store, opened("c")).await;
        let spent = store.spent(&name("c")).await.unwrap();
        assert!(spent >= Money::from_nanos(SPENT), "{spent} is less than was spent");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_and_must_be_accepted() {
    let (dir, store) = paid().await;
    let before = tempfile::tempdir().unwrap();
    let copy = before.path().join("before.db");
    backup(dir.path(), &copy).unwrap();
    let again = backup(dir.path(), &copy).unwrap_err();
    assert_eq!(again.code(), Code::BackupUnusable);
    keep(&store, held("later", "c", 0, 7_000)).await;
    keep(&store, turn("c", 0, 1, 20, 1)).await;
    store.barrier().await.unwrap();
    let grave = killed(dir.path());
    let from =
        RestoreRequest { backup: Some(&copy), charge_missing: false, ..request(grave.path()) };
    let error = restore(&from).unwrap_err();
    assert_eq!(error.code(), Code::RestoreLacks);
    let money = format!("${} of campaign c", Money::from_nanos(7_000));
    assert!(error.to_string().contains(&money), "{error}");
    assert!(error.to_string().contains("; 1 step"), "{error}");
    assert!(Store::open(grave.path()).is_ok(), "nothing was changed");
    let report = restore(&RestoreRequest { charge_missing: true, ..from }).unwrap();
    assert_eq!(report.missing.unwrap().money(), Money::from_nanos(7_000));
    let store = Store::open(grave.path()).unwrap();
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(SPENT + 7_000));
    assert_eq!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap().len(), 20);
    let trace = store.adjustments(Some("c")).await.unwrap();
    assert_eq!((trace.len(), trace[0].who.as_str(), trace[0].hold.as_deref()), (1, "me", None));
    let spending = store.spending(&name("c"), 0).await.unwrap();
    assert_eq!(spending.unexplained, Money::from_nanos(7_000));
    // It goes on as any other does.
    keep(&store, held("later", "c", 0, 5)).await;
    drop(store);
    assert!(verify(grave.path()).unwrap().sound);
    drop(Store::open(grave.path()).unwrap());
}

/// Money of a campaign that the backup does not have counts when the campaign is opened again.
#[tokio::test]
async fn a_campaign_that_is_lost_whole_begins_with_what_it_spent() {
    let (dir, store) = paid().await;
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("before.db");
    backup(dir.path(), &copy).unwrap();
    keep(&store, opened("d")).await;
    keep(&store, planned("d", 0..1)).await;
    keep(&store, held("hd", "d", 0, 300)).await;
    let grave = killed(dir.path());
    restore(&RestoreRequest { backup: Some(&copy), ..request(grave.path()) }).unwrap();
    let store = Store::open(grave.path()).unwrap();
    assert_eq!(store.spent(&name("d")).await.unwrap(), Money::ZERO);
    keep(&store, opened("e")).await;
    keep(&store, opened("d")).await;
    assert_eq!(store.spent(&name("e")).await.unwrap(), Money::ZERO);
    assert_eq!(store.spent(&name("d")).await.unwrap(), Money::from_nanos(300));
    drop(store);
    assert!(verify(grave.path()).unwrap().sound);
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_refused() {
    let (dir, _store) = paid().await;
    let lost = killed(dir.path());
    std::fs::remove_file(lost.path().join("synthd.db-mark")).unwrap();
    let error = Store::open(lost.path()).err().unwrap();
    assert_eq!(error.code(), Code::StoreIncomplete, "{}", error.report());
    assert!(
        !restore(&RestoreRequest { charge_missing: false, ..request(lost.path()) })
            .unwrap()
            .compared
    );
    drop(Store::open(lost.path()).unwrap());

    let bare = killed(dir.path());
    std::fs::remove_file(bare.path().join("synthd.db")).unwrap();
    assert_eq!(Store::open(bare.path()).err().unwrap().code(), Code::StoreIncomplete);
    let emptied = killed(dir.path());
    std::fs::write(emptied.path().join("synthd.db"), "").unwrap();
    std::fs::remove_file(emptied.path().join("synthd.db-wal")).unwrap();
    assert_eq!(Store::open(emptied.path()).err().unwrap().code(), Code::StoreIncomplete);

    let (other, _other) = paid().await;
    let mixed = killed(dir.path());
    let mark = other.path().join("synthd.db-mark");
    std::fs::copy(mark, mixed.path().join("synthd.db-mark")).unwrap();
    refused(mixed.path());
    let theirs = mixed.path().join("theirs.db");
    backup(other.path(), &theirs).unwrap();
    let ours = killed(dir.path());
    let error =
        restore(&RestoreRequest { backup: Some(&theirs), ..request(ours.path()) }).unwrap_err();
    assert_eq!(error.code(), Code::BackupUnusable, "{}", error.report());

    let torn = killed(dir.path());
    let path = torn.path().join("synthd.db-mark");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    refused_mark(torn.path());
}

fn refused_mark(dir: &Path) {
    let error = Store::open(dir).err().unwrap();
    assert_eq!(error.code(), Code::StoreIncomplete, "{}", error.report());
    assert!(!verify(dir).unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_live_store_is_not_restored_and_is_backed_up() {
    let (dir, store) = paid().await;
    assert_eq!(restore(&request(dir.path())).unwrap_err().code(), Code::DataDirInUse);
    let correction = HoldCorrection { hold: "open".into(), cost: Money::ZERO, reason: "r".into() };
    let error = reconcile(dir.path(), correction, "me", 1).unwrap_err();
    assert_eq!(error.code(), Code::DataDirInUse);
    let copy = dir.path().join("copy.db");
    assert_eq!(backup(dir.path(), &copy).unwrap().steps, 20);
    drop(store);
    let fresh = tempfile::tempdir().unwrap();
    restore(&RestoreRequest { backup: Some(&copy), ..request(fresh.path()) }).unwrap();
    let store = Store::open(fresh.path()).unwrap();
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(SPENT));
}

#[tokio::test]
async fn sums_that_are_not_those_of_their_holds_are_refused() {
    let (dir, store) = paid().await;
    drop(store);
    let conn = rusqlite::Connection::open(dir.path().join("synthd.db")).unwrap();
    conn.execute_batch("UPDATE hold SET amount = amount + 1 WHERE id = 'open@1'").unwrap();
    conn.close().unwrap();
    let error = Store::open(dir.path()).err().unwrap();
    assert_eq!(error.code(), Code::StoreDamaged, "{}", error.report());
    assert!(error.report().contains("the sum of campaign c"), "{}", error.report());
    assert!(!verify(dir.path()).unwrap().sound);
}

#[tokio::test]
async fn a_row_whose_sums_are_not_those_of_its_steps_is_told() {
    for (cost, told) in [(0, None), (7, Some("cost_usd is 0.000000007, but the steps cost"))] {
        let (dir, store) = paid().await;
        let mut judged = row("c", 0, None);
        let DatasetRow::Trajectory(trajectory) = &mut judged.row else { panic!("{judged:?}") };
        (trajectory.cost_usd, trajectory.total_tokens) = (Money::from_nanos(cost), Some(3));
        keep(&store, JournalEntry::Judged(Box::new(judged))).await;
        drop(store);
        let report = verify(dir.path()).unwrap();
        assert_eq!(report.sound, told.is_none(), "{report:?}");
        assert!(told.is_none_or(|told| report.findings[0].contains(told)), "{report:?}");
    }
}

#[tokio::test]
async fn holds_are_corrected_with_a_trace_and_sums_follow() {
    let (dir, store) = paid().await;
    keep(&store, held("over", "c", 1, 100)).await;
    keep(&store, settled("over", 900)).await;
    let overrun = store.spending(&name("c"), 0).await.unwrap().overrun.unwrap();
    assert_eq!((overrun.hold.as_str(), overrun.cost), ("over@1", Money::from_nanos(900)));
    drop(store);
    let correct = |hold: &str, cost| {
        let (hold, reason) = (hold.to_owned(), "the invoice".to_owned());
        let correction = HoldCorrection { hold, cost: Money::from_nanos(cost), reason };
        reconcile(dir.path(), correction, "me", 5)
    };
    let done = correct("open", 30).unwrap().corrected;
    assert_eq!((done[0].hold.as_str(), done[0].was_open), ("open@1", true));
    correct("over@1", 90).unwrap();
    assert_eq!(correct("none", 1).unwrap_err().code(), Code::HoldUnknown);
    let costs = [("h1".to_owned(), Money::from_nanos(7)), ("theirs".to_owned(), Money::ZERO)];
    let done = reconcile_with(dir.path(), &costs, "export", "me", 6).unwrap();
    assert_eq!(done.unknown, ["theirs"], "{done:?}");
    let store = Store::open(dir.path()).unwrap();
    let spent = store.spent(&name("c")).await.unwrap();
    assert_eq!(spent, Money::from_nanos(SPENT - 500 + 30 + 90 + 7 - 100));
    let spending = store.spending(&name("c"), 0).await.unwrap();
    assert_eq!((spending.total, spending.overrun), (spent, None));
    let trace = store.adjustments(None).await.unwrap();
    let trace: Vec<_> = trace.iter().map(|t| (t.hold.as_deref(), t.before_usd.nanos())).collect();
    assert_eq!(trace, [(Some("open@1"), 500), (Some("over@1"), 900), (Some("h1@1"), 100)]);
    let holds = store.holds(Some("c")).await.unwrap();
    let corrected = holds.iter().filter(|hold| hold.state == HoldState::Corrected).count();
    assert_eq!((holds.len(), corrected), (22, 3));
    drop(store);
    assert!(verify(dir.path()).unwrap().sound);
}

/// A provider may charge one call in parts, and a server may give several answers one id.
#[tokio::test]
async fn a_statement_adds_up_lines_of_a_hold_and_refuses_an_id_of_several() {
    let (dir, store) = paid().await;
    drop(store);
    let cost = |id: &str, nanos| (id.to_owned(), Money::from_nanos(nanos));
    // In parts, by two of its ids.
    let costs = [cost("h1", 7), cost("h1@1", 100)];
    let done = reconcile_with(dir.path(), &costs, "export", "me", 6).unwrap();
    assert_eq!(done.corrected[0].after_usd, Money::from_nanos(107), "{done:?}");
    // The call has a hold of this opening too.
    let store = Store::open(dir.path()).unwrap();
    keep(&store, held("h1", "c", 1, 100)).await;
    let before = store.spent(&name("c")).await.unwrap();
    drop(store);
    let costs = [cost("h2", 1), cost("h1", 7)];
    let refused = reconcile_with(dir.path(), &costs, "export", "me", 6).unwrap_err();
    assert_eq!(refused.code(), Code::HoldUnknown);
    assert!(refused.report().contains("several holds"), "{}", refused.report());
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.spent(&name("c")).await.unwrap(), before, "nothing was corrected");
}

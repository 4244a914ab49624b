//! A store that does not take what a call has to record: nothing that was paid for is lost, and
//! memory never counts less than the journal.

use super::admission_tests::{CAMPAIGN, Desk, begin, call, open};
use crate::model::{
    AttemptNumber, CampaignName, EpisodeId, FaultKind, JournalEntry, Money, SpendingCaps, Usage,
};
use crate::policy::worst_case;
use crate::ports::Journal;
use crate::supervisor::spawn;
use crate::testkit::{Kit, Options, Panic, in_test_system, priced};
use std::time::Duration;
use tokio::time::sleep;

fn campaign() -> CampaignName {
    CampaignName(CAMPAIGN.to_owned())
}

async fn desk(kit: &Kit) -> Desk {
    let desk = Desk::new(Duration::from_secs(10), |_| Ok(Usage::of(10, 1)));
    let model = priced("fake/one", 1);
    open(kit, &[model], &[("fake/one", &desk)], SpendingCaps::default()).await;
    desk
}

/// What the campaign has spent, which memory and the journal agree on.
async fn spent(kit: &Kit) -> u64 {
    let journal = kit.journal.spent(&campaign()).await.unwrap();
    assert_eq!(kit.services.router.spent(&campaign()), journal);
    assert_eq!(kit.services.router.held(&campaign()), Money::ZERO);
    journal.nanos()
}

fn records(kit: &Kit) -> usize {
    let log = kit.journal.log();
    log.iter().filter(|entry| matches!(entry, JournalEntry::Called(_))).count()
}

#[test]
fn an_answer_that_the_store_does_not_take_is_given_and_recorded_later() {
    in_test_system(Options::default(), |kit| async move {
        let desk = desk(&kit).await;
        let asked = call("fake/one", "e", 100);
        let worst = worst_case(&asked.request).total();
        let asked = begin(&kit, asked);
        sleep(Duration::from_secs(1)).await;
        kit.journal.break_down(true);
        assert_eq!(asked.await.unwrap().unwrap().cost, Money::from_nanos(11));
        assert_eq!((spent(&kit).await, records(&kit)), (worst, 0), "it counts in full");
        let refused = begin(&kit, call("fake/one", "e", 100)).await.unwrap().unwrap_err();
        assert_eq!((refused.kind, desk.came().len()), (FaultKind::Store, 1));
        kit.journal.break_down(false);
        begin(&kit, call("fake/one", "e", 100)).await.unwrap().unwrap();
        assert_eq!((spent(&kit).await, records(&kit)), (22, 2));
    });
}

/// Whoever gets the settlement with the answer writes it, and otherwise it is written by itself.
#[test]
fn an_answer_that_nobody_takes_is_settled_all_the_same() {
    in_test_system(Options::default(), |kit| async move {
        let _desk = desk(&kit).await;
        let router = &kit.services.router;
        let answered = router.call_unsettled(call("fake/one", "e", 100)).await.unwrap();
        assert_eq!((records(&kit), kit.journal.unsettled()), (0, 1), "it is the caller's");
        drop(answered);
        sleep(Duration::from_secs(1)).await;
        assert_eq!((spent(&kit).await, records(&kit), kit.journal.unsettled()), (11, 1, 0));
        let (_, settlement) = router.call_unsettled(call("fake/one", "f", 100)).await.unwrap();
        kit.journal.break_down(true);
        let fault = settlement.write_with(Vec::new()).await.unwrap_err();
        kit.journal.break_down(false);
        assert_eq!((fault.kind, records(&kit)), (FaultKind::Store, 1));
        router.flush_backlog().await.unwrap();
        assert_eq!((spent(&kit).await, records(&kit), kit.journal.unsettled()), (22, 2, 0));
    });
}

#[test]
fn no_call_is_made_before_what_is_owed_is_written() {
    in_test_system(Options::default(), |kit| async move {
        let desk = desk(&kit).await;
        let owed = JournalEntry::Held {
            id: "owed".to_owned(),
            campaign: campaign(),
            episode: EpisodeId("e".to_owned()),
            attempt: AttemptNumber(1),
            amount: Money::ZERO,
            model: "fake/one".to_owned(),
            at_ms: 0,
        };
        kit.services.router.owe(&campaign(), vec![owed]);
        kit.journal.break_down(true);
        let refused = begin(&kit, call("fake/one", "e", 100)).await.unwrap().unwrap_err();
        assert_eq!((refused.kind, desk.came().len()), (FaultKind::Store, 0));
        kit.journal.break_down(false);
        begin(&kit, call("fake/one", "e", 100)).await.unwrap().unwrap();
        let log = kit.journal.log();
        assert!(matches!(&log[0], JournalEntry::Held { id, .. } if id == "owed"), "{log:?}");
    });
}

/// A write may fail after its commit: then the journal has the hold.
#[test]
fn a_hold_that_the_store_may_have_kept_counts_until_it_is_settled() {
    in_test_system(Options::default(), |kit| async move {
        let desk = desk(&kit).await;
        let asked = call("fake/one", "e", 100);
        let worst = worst_case(&asked.request).total();
        kit.journal.lose_answers(true);
        let refused = begin(&kit, asked).await.unwrap().unwrap_err();
        assert_eq!((refused.kind, desk.came().len()), (FaultKind::Store, 0));
        assert_eq!(spent(&kit).await, worst);
        kit.journal.lose_answers(false);
        kit.services.router.flush_backlog().await.unwrap();
        assert_eq!((spent(&kit).await, kit.journal.unsettled()), (0, 0));
    });
}

/// A campaign that is opened again has a new account, and the old one's records are not forgotten.
#[test]
fn a_new_account_writes_what_the_old_one_owes() {
    in_test_system(Options::default(), |kit| async move {
        let _ = desk(&kit).await;
        let asked = begin(&kit, call("fake/one", "e", 100));
        sleep(Duration::from_secs(1)).await;
        kit.journal.break_down(true);
        asked.await.unwrap().unwrap();
        let _ = desk(&kit).await;
        let (calls, fault) = kit.services.router.flush_backlog().await.unwrap_err();
        assert_eq!((calls, fault.kind), (1, FaultKind::Store));
        kit.journal.break_down(false);
        kit.services.router.flush_backlog().await.unwrap();
        assert_eq!((records(&kit), kit.journal.unsettled()), (1, 0));
    });
}

/// Money that only waits for the store is not spent. Who waits for it hears of the store, and not of
/// an exhausted budget.
#[test]
fn who_waits_for_money_that_is_not_recorded_hears_of_the_store() {
    in_test_system(Options::default(), |kit| async move {
        let desk = Desk::new(Duration::from_secs(10), |_| Ok(Usage::of(10, 1)));
        let first = call("fake/one", "e", 100);
        let worst = worst_case(&first.request).total();
        let cap = Money::from_nanos(worst + worst / 2);
        let caps = SpendingCaps { campaign: Some(cap), ..SpendingCaps::default() };
        open(&kit, &[priced("fake/one", 1)], &[("fake/one", &desk)], caps).await;
        let first = begin(&kit, first);
        sleep(Duration::from_secs(1)).await;
        let second = begin(&kit, call("fake/one", "f", 100));
        sleep(Duration::from_secs(1)).await;
        kit.journal.break_down(true);
        first.await.unwrap().unwrap();
        let told = second.await.unwrap().unwrap_err();
        assert_eq!((told.kind, desk.came().len()), (FaultKind::Store, 1));
        kit.journal.break_down(false);
        begin(&kit, call("fake/one", "g", 100)).await.unwrap().unwrap();
        assert_eq!((spent(&kit).await, records(&kit)), (22, 2));
    });
}

/// The shutdown closes the router before it writes what the store has not taken. So no call is
/// settled behind its back.
#[test]
fn a_router_that_closes_admits_nothing_and_waits_for_what_is_out() {
    in_test_system(Options::default(), |kit| async move {
        let desk = desk(&kit).await;
        let out = begin(&kit, call("fake/one", "e", 100));
        sleep(Duration::from_secs(1)).await;
        let router = kit.services.router.clone();
        assert_eq!(router.open_calls(), 1);
        let closing = spawn("closing", async move { router.close().await });
        sleep(Duration::from_secs(1)).await;
        assert!(!closing.is_finished(), "a call is out");
        let refused = begin(&kit, call("fake/one", "f", 100)).await.unwrap().unwrap_err();
        assert_eq!((refused.kind, desk.came().len()), (FaultKind::Cancelled, 1));
        out.await.unwrap().unwrap();
        closing.await.unwrap().unwrap();
        assert_eq!((spent(&kit).await, records(&kit)), (11, 1));
        assert_eq!(kit.services.router.open_calls(), 0);
    });
}

/// The actor opens accounts. The call itself asks nobody, and is settled in its account whatever
/// becomes of the actor meanwhile.
#[test]
fn accounts_and_calls_outlive_the_router_actor() {
    in_test_system(Options::default(), |kit| async move {
        let desk = desk(&kit).await;
        let out = begin(&kit, call("fake/one", "e", 100));
        sleep(Duration::from_secs(1)).await;
        kit.services.router.raw().tell(Panic).await;
        begin(&kit, call("fake/one", "f", 100)).await.unwrap().unwrap();
        out.await.unwrap().unwrap();
        assert_eq!((spent(&kit).await, records(&kit), desk.came().len()), (22, 2, 2));
        let stats = kit.services.router.actor_stats();
        assert_eq!((stats.panics, stats.restarts), (1, 1));
    });
}

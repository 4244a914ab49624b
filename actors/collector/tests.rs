//! What the collector promises to its callers.

use crate::model::{
    AttemptNumber, CampaignName, EpisodeId, Fault, FaultKind, JournalEntry, PlannedEpisode,
};
use crate::model::{CampaignRecord, CampaignState, Money, TaskId};
use crate::ports::Journal;
use crate::testkit::{Kit, Options, in_test_system};
use std::time::Duration;

fn episode() -> EpisodeId {
    EpisodeId("e".to_owned())
}

async fn plan(kit: &Kit) {
    let name = CampaignName("c".to_owned());
    let record = CampaignRecord {
        name: name.clone(),
        kind: Default::default(),
        identity: String::new(),
        sampling: None,
        config: String::new(),
        images: Default::default(),
        price_table: None,
        state: CampaignState::Running,
        reason: None,
        created_at_ms: 0,
    };
    let plan = PlannedEpisode {
        id: episode(),
        campaign: name,
        ordinal: 0,
        task: TaskId("t".to_owned()),
        template: "t".to_owned(),
        index: 0,
        category: String::new(),
        difficulty: String::new(),
        model: String::new(),
        scaffold: String::new(),
        reason: None,
    };
    let entries = vec![JournalEntry::CampaignOpened(record), JournalEntry::Planned(vec![plan])];
    kit.services.collector.record(entries).await.unwrap();
}

fn started(attempt: u32) -> JournalEntry {
    JournalEntry::AttemptStarted {
        episode: episode(),
        attempt: AttemptNumber(attempt),
        resumed_from: None,
        at_ms: 0,
    }
}

fn faulted(attempt: u32) -> JournalEntry {
    let fault = Fault::new(FaultKind::SandboxLost, "late");
    JournalEntry::AttemptFaulted {
        episode: episode(),
        attempt: AttemptNumber(attempt),
        fault,
        at_ms: 0,
    }
}

/// The journal fences, and nothing else does.
#[test]
fn a_dead_attempt_is_not_heard() {
    in_test_system(Options::default(), |kit| async move {
        plan(&kit).await;
        let collector = &kit.services.collector;
        collector.record(vec![started(1)]).await.unwrap();
        collector.record(vec![started(2)]).await.unwrap();
        collector.record(vec![faulted(1)]).await.unwrap();
        collector.record(vec![faulted(1), faulted(2)]).await.unwrap();
        assert_eq!(kit.journal.fenced(), 2);
        let attempts = kit.journal.attempts(&episode()).await.unwrap();
        assert_eq!(attempts.iter().map(|a| a.fault.is_some()).collect::<Vec<_>>(), [false, true]);
    });
}

/// The caller goes away while the store has the batch.
#[test]
fn what_has_begun_to_be_written_is_written() {
    in_test_system(Options::default(), |kit| async move {
        plan(&kit).await;
        kit.journal.stall(true);
        let collector = kit.services.collector.clone();
        let caller = crate::supervisor::spawn("record", async move {
            collector.record(vec![started(1), faulted(1)]).await
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(caller);
        kit.journal.stall(false);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(kit.journal.attempts(&episode()).await.unwrap()[0].fault.is_some());
    });
}

#[test]
fn a_failing_store_answers() {
    in_test_system(Options::default(), |kit| async move {
        kit.journal.break_down(true);
        let fault = kit.services.collector.record(vec![started(1)]).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Store);
        kit.journal.break_down(false);
        let before = tokio::time::Instant::now();
        let settled = JournalEntry::Settled { id: "ep-0/1/0/0".to_owned(), amount: Money::ZERO };
        for entry in [started(1), settled] {
            kit.journal.traps.once("append", crate::testkit::Trap::Panic);
            let fault = kit.services.collector.record(vec![entry]).await.unwrap_err();
            assert_eq!((fault.kind, before.elapsed()), (FaultKind::Store, Duration::ZERO));
            assert!(fault.message.contains("a trap at append"), "{fault}");
        }
    });
}

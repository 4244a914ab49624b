//! The queue in front of the workers.

use super::good;
use crate::quality::{FinishedUnit, JudgeReply, QualityStats};
use crate::supervisor::{AskError, spawn};
use crate::testkit::{Kit, Options, Panic, in_test_system};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The unit with this place in the plan.
fn unit(ordinal: u64) -> Arc<dyn FinishedUnit> {
    let mut judged = good();
    judged.plan.ordinal = ordinal;
    Arc::new(judged)
}

fn stats(kit: &Kit) -> QualityStats {
    kit.services.quality.stats()
}

#[test]
fn the_queue_has_a_bound_and_no_worker_waits_for_the_store() {
    in_test_system(Options { workers: 3, ..Options::default() }, |kit| async move {
        kit.journal.stall(true);
        let judge = |ordinal| {
            let quality = kit.services.quality.clone();
            spawn("judge", async move { quality.judge(unit(ordinal)).await })
        };
        let asked: Vec<_> = (0..300).map(judge).collect();
        sleep(Duration::from_secs(1)).await;
        let full = QualityStats { queue_depth: 192, queue_bound: 192, judging: 0, workers: 3 };
        assert_eq!(stats(&kit), full);
        kit.journal.stall(false);
        for judged in asked {
            assert_eq!(judged.await.unwrap(), Ok(JudgeReply { accepted: true }));
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!((stats(&kit).queue_depth, stats(&kit).judging), (0, 0));
    });
}

/// A row that has begun to be written is written, whoever still waits for it.
#[test]
fn a_caller_that_goes_away_leaves_a_row_and_a_free_place() {
    in_test_system(Options { workers: 1, ..Options::default() }, |kit| async move {
        kit.journal.stall(true);
        let quality = kit.services.quality.clone();
        let gone = spawn("judge", async move { quality.judge(unit(0)).await });
        sleep(Duration::from_secs(1)).await;
        drop(gone);
        sleep(Duration::from_secs(1)).await;
        assert_eq!((stats(&kit).judging, stats(&kit).queue_depth), (0, 0));
        kit.journal.stall(false);
        kit.services.quality.judge(unit(1)).await.unwrap();
        assert_eq!(kit.journal.log().len(), 2);
    });
}

#[test]
fn a_worker_that_dies_leaves_the_others_their_work() {
    in_test_system(Options { workers: 2, ..Options::default() }, |kit| async move {
        let quality = &kit.services.quality;
        assert_eq!(quality.raw().ask(Panic).await, Err(AskError::SetAside("quality")));
        for ordinal in 0..9 {
            quality.judge(unit(ordinal)).await.unwrap();
        }
        let [workers, publisher] = quality.actor_stats();
        assert_eq!((workers.panics, workers.set_aside), (2, 1));
        assert_eq!((publisher.name.as_str(), publisher.panics), ("publisher", 0));
    });
}

//! Models of one campaign share its places, whatever one of them does.

use super::options;
use crate::testkit::{campaign, in_test_system, priced};
use std::time::Duration;

/// A model that never answers leaves places to the others, and is told of long before its first
/// call is given up.
#[test]
fn a_silent_model_does_not_take_every_place() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/silent").takes(Duration::from_secs(1_000_000));
        let mut config = campaign("c", 20);
        config.models = vec![priced("fake/silent", 0), priced("fake/quick", 0)];
        let handle = kit.submit(&config).await;
        let mut progress = handle.progress();
        let now = progress.wait_for(|now| now.episodes.resolved == 20 || now.settled).await;
        let now = now.unwrap().clone();
        assert_eq!((now.episodes.resolved, now.episodes.faulted), (20, 0));
        tokio::time::sleep(Duration::from_secs(12)).await;
        let told = handle.current_progress().waiting_for.unwrap();
        assert!(told.starts_with("fake/silent: no answer for "), "{told}");
        assert!(!told.contains("fake/quick"), "{told}");
    });
}

/// Failures are told while they are tried again.
#[test]
fn a_failing_model_is_told_of_while_it_is_tried_again() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        let trap = crate::testkit::Trap::Fault(crate::model::FaultKind::ModelTransient);
        model.traps.set("letter", 0, usize::MAX, trap);
        let handle = kit.submit(&campaign("c", 1)).await;
        let mut progress = handle.progress();
        while handle.current_progress().waiting_for.is_none() {
            assert!(!progress.borrow_and_update().settled, "it ended without a word");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let told = handle.current_progress().waiting_for.unwrap();
        assert!(told.contains("fake/one: failed 3 times, last: "), "{told}");
        handle.cancel().await;
    });
}

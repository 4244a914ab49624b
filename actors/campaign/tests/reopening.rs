//! Faulted episodes are tried again in two cases: a second run tries them if the reason may have
//! passed, and a retry tries them on request.

use super::{episodes, labels, options};
use crate::campaign::{PrepareError, ReopenFilter};
use crate::engine::SubmitError;
use crate::model::{AttemptNumber, CampaignState, FaultKind};
use crate::ports::Journal;
use crate::testkit::{Kit, Trap, campaign, in_test_system};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A complete campaign of four episodes that faulted so.
async fn faulted(kit: &Kit, kind: FaultKind) {
    let model = kit.models.named("fake/one");
    model.traps.set("letter", 0, usize::MAX, Trap::Fault(kind));
    let mut config = campaign("c", 2);
    config.concurrency = 16;
    let last = kit.run(&config).await;
    assert_eq!((last.episodes.finished, last.episodes.faulted), (2, 2), "{last:?}");
    assert_eq!(last.faults.to_string(), format!("2 {kind}"));
    model.traps.clear();
}

#[test]
fn a_second_run_tries_again_what_may_have_passed() {
    in_test_system(options(), |kit| async move {
        faulted(&kit, FaultKind::ModelTransient).await;
        // A new start alone changes nothing.
        let same = kit.run(&campaign("c", 2)).await;
        assert!(same.already_complete && same.episodes.faulted == 2);
        let again = kit.submit_again(&campaign("c", 2), ReopenFilter::MayHavePassed).await;
        let last = again.wait_until_settled().await;
        assert_eq!((last.episodes.resolved, last.episodes.faulted), (2, 0));
        assert!(last.faults.is_empty());
        // The lost attempts are kept, and the new one comes after them.
        for episode in episodes(&kit, "c").await {
            assert!(episode.attempt > AttemptNumber(1), "{}", episode.attempt);
            let attempts = kit.journal.attempts(&episode.plan.id).await.unwrap();
            assert!(attempts[0].fault.is_some() && attempts.last().unwrap().fault.is_none());
        }
        assert_eq!(kit.sink.written().last().unwrap().rows.len(), 2);
    });
}

/// What will not pass by itself is tried again only when somebody asks for it.
#[test]
fn what_does_not_pass_is_tried_again_when_it_is_asked_for() {
    in_test_system(options(), |kit| async move {
        faulted(&kit, FaultKind::ModelRejected).await;
        let config = campaign("c", 2);
        let same =
            kit.submit_again(&config, ReopenFilter::MayHavePassed).await.wait_until_settled().await;
        assert_eq!(same.episodes.faulted, 2);
        let none = ReopenFilter::Matching { kinds: vec![FaultKind::OutOfTime], template: None };
        let refused = kit.engine.submit_again(Arc::new(config.clone()), String::new(), none).await;
        let refused = refused.err().unwrap();
        let SubmitError::Prepare(PrepareError::NothingToRetry(_, faults)) = &*refused else {
            panic!("{refused}")
        };
        assert_eq!(faults.to_string(), "2 model_rejected");
        let some = ReopenFilter::Matching {
            kinds: vec![FaultKind::ModelRejected],
            template: Some("unit/*".to_owned()),
        };
        let last = kit.submit_again(&config, some).await.wait_until_settled().await;
        assert_eq!(last.episodes.resolved, 2);
        assert_eq!(labels(&kit, "c").await, ["resolved", "resolved"]);
    });
}

/// A retry starts faulted episodes and no others: those that a cancelled campaign never began
/// would cost what nobody asked for.
#[test]
fn a_cancelled_campaign_with_episodes_left_is_not_retried() {
    in_test_system(options(), |kit| async move {
        faulted(&kit, FaultKind::ModelRejected).await;
        kit.models.named("fake/one").takes(Duration::from_secs(600));
        let config = campaign("c", 4);
        let handle = kit.submit(&config).await;
        sleep(Duration::from_secs(1)).await;
        assert!(handle.cancel().await);
        handle.wait_until_settled().await;
        let all = ReopenFilter::Matching { kinds: Vec::new(), template: None };
        let refused = kit.engine.submit_again(Arc::new(config), String::new(), all).await;
        let refused = refused.err().unwrap();
        assert!(
            matches!(&*refused, SubmitError::Prepare(PrepareError::Cancelled(_, 2))),
            "{refused}"
        );
        let stored = kit.journal.campaign(&campaign("c", 4).name).await.unwrap().unwrap();
        assert_eq!(stored.state, CampaignState::Cancelled);
    });
}

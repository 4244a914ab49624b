//! The newest episodes are measured together, and a floor makes an alarm or a pause.

use super::options;
use crate::model::{CampaignConfig, CampaignState, DiversityFloor};
use crate::testkit::{campaign, in_test_system};

/// Six episodes whose models write the same, in windows of three.
fn watched(pauses: bool) -> CampaignConfig {
    let floor = DiversityFloor { window: 3, distinct: None, vendi: Some(1_001), pauses };
    CampaignConfig { diversity: Some(floor), concurrency: 1, ..campaign("c", 6) }
}

#[test]
fn an_alarm_is_counted_for_each_window() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&watched(false)).await;
        assert_eq!(progress.state, CampaignState::Complete);
        let counts = progress.diversity.unwrap();
        assert_eq!((counts.windows, counts.low), (2, 2), "{counts:?}");
        assert!(counts.newest.vendi > 0.0 && counts.newest.vendi <= 1.0, "{counts:?}");
    });
}

#[test]
fn a_pause_lets_what_runs_finish_and_is_no_fault() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&watched(true)).await;
        assert_eq!((progress.state, progress.cause), (CampaignState::Paused, None));
        assert!(progress.escalated && progress.episodes.faulted == 0);
        assert!(progress.reason.unwrap().contains("repeat each other"));
        assert!(progress.diversity.unwrap().low >= 1 && progress.dataset.is_none());
    });
}

//! Sealed files are laid only while no program of the agent runs.

use super::options;
use crate::model::{CampaignConfig, FaultKind};
use crate::policy::PauseSlot;
use crate::testkit::{Kit, Options, Separation, Trap, campaign, in_test_system};
use std::time::Duration;
use tokio::time::Instant;

/// Follows the operations on the sandboxes of one episode: sealed files that were laid while the
/// agent was frozen are gone before it is thawed.
pub(super) fn assert_apart(kit: &Kit) {
    let (mut runs, mut in_sight, mut measured) = (true, false, 0);
    let steps = kit.backend.separation();
    for step in &steps {
        match step {
            Separation::Frozen | Separation::Ended => runs = false,
            Separation::Sealed => {
                assert!(!runs, "sealed files beside a running agent: {steps:?}");
                (in_sight, measured) = (true, measured + 1);
            }
            Separation::Emptied => in_sight = false,
            Separation::Thawed => {
                assert!(!in_sight, "the agent goes on beside sealed files: {steps:?}");
                runs = true;
            }
        }
    }
    assert!(measured > 2, "{steps:?}");
}

fn one_at_a_time(scaffold: &str) -> CampaignConfig {
    let mut config = campaign("c", 1);
    config.concurrency = 1;
    config.scaffolds = vec![scaffold.to_owned()];
    config
}

#[test]
fn milestones_are_measured_while_the_agent_stands_still() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&one_at_a_time("minimal")).await;
        assert_eq!(progress.episodes.resolved, 1);
        assert_apart(&kit);
        let frozen = kit.backend.separation().contains(&Separation::Frozen);
        assert!(frozen, "nothing was measured");
    });
}

/// Two turns change files, so there are two pauses. Each is longer than all of the agent's time.
#[test]
fn a_pause_lasts_a_slot_and_is_none_of_the_agents_time() {
    let pause_slot = PauseSlot::new(Duration::from_secs(60));
    in_test_system(Options { pause_slot, ..options() }, |kit| async move {
        let mut config = one_at_a_time("minimal");
        config.episode.timeout = Duration::from_secs(30);
        let began = Instant::now();
        assert_eq!(kit.run(&config).await.episodes.resolved, 1);
        assert!(began.elapsed() >= Duration::from_secs(120), "{:?}", began.elapsed());
    });
}

/// An agent that cannot be stopped, or copied, or that ran meanwhile, gets no credit and goes on.
#[test]
fn what_cannot_be_stopped_is_not_measured() {
    for event in ["freeze", "pack", "thaw"] {
        in_test_system(options(), move |kit| async move {
            kit.backend.traps().set(event, 0, 1, Trap::Fault(FaultKind::SandboxCopy));
            let progress = kit.run(&one_at_a_time("minimal")).await;
            assert_eq!(progress.episodes.resolved, 1, "{event}");
            assert_apart(&kit);
            let count = |what| kit.backend.separation().iter().filter(|s| **s == what).count();
            assert_eq!(count(Separation::Frozen), count(Separation::Thawed), "{event}");
        });
    }
}

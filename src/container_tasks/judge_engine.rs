//! What the judges of tasks of containers share: one connection to the container engine, made when it
//! is first needed, and work that ends in order although nobody waits for it any more.

use crate::harbor::TaskProver;
use crate::private_directory::own_directory;
use crate::sandbox::docker::TrialContainers;
use std::future::Future;
use std::path::PathBuf;
use synthd_actors::model::{CheckResult, Fault, FaultKind, Verdict};
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::sync::OnceCell;

/// The whole reward.
const WHOLE: f64 = 1.0;

/// The container engine as judges use it.
#[derive(Default)]
pub(super) struct JudgeEngine {
    prover: OnceCell<TaskProver>,
    containers: OnceCell<TrialContainers>,
}

impl JudgeEngine {
    /// What proves and tests folders. A failed connection is not kept.
    pub(super) async fn prover(&self) -> Result<&TaskProver, Fault> {
        let connect = || async {
            let logs = build_logs();
            own_directory(&logs).map_err(|error| {
                let why = format!("make a directory for the logs of builds: {error}");
                Fault::new(FaultKind::SandboxStart, why)
            })?;
            TaskProver::connect(logs).await
        };
        self.prover.get_or_try_init(connect).await
    }

    /// What runs scripts in containers. A failed connection is not kept.
    pub(super) async fn containers(&self) -> Result<&TrialContainers, Fault> {
        self.containers.get_or_try_init(TrialContainers::connect).await
    }
}

/// The directory of the logs of builds. It belongs to the user, so that two users of a host do not share
/// it.
fn build_logs() -> PathBuf {
    std::env::temp_dir().join(format!("synthd-guest-{}", nix::unistd::geteuid()))
}

/// Does work with containers in a task of its own. If the caller is dropped, the work goes on to its end
/// and removes its containers.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let done = spawn("judge a container", work).detach().await;
    done.unwrap_or_else(|failure| Err(Fault::new(FaultKind::Panicked, panic_text(failure))))
}

/// The verdict from the rewards of two runs of the same tests. The lower one counts. Only the whole
/// reward passes. Err says why the work has no reward: it earns nothing.
pub(super) fn verdict_of_rewards(
    first: &Result<f64, String>,
    second: &Result<f64, String>,
) -> Verdict {
    let earned = |reward: &Result<f64, String>| reward.as_ref().copied().unwrap_or(0.0);
    let check = |reward: &Result<f64, String>| CheckResult {
        name: "tests".to_owned(),
        weight: 1.0,
        passed: earned(reward) >= WHOLE,
        output: match reward {
            Ok(reward) => format!("reward {reward}"),
            Err(why) => format!("reward 0, because there is none: {why}"),
        },
        end: None,
        second: None,
    };
    let verdict = Verdict::agree(vec![check(first)], &[check(second)]);
    Verdict { score: earned(first).min(earned(second)).clamp(0.0, WHOLE), ..verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_reward_counts_and_only_the_whole_passes() {
        let verdict = |first, second| {
            let verdict = verdict_of_rewards(&Ok(first), &Ok(second));
            (verdict.score, verdict.passed, verdict.flaky)
        };
        assert_eq!(verdict(1.0, 1.0), (1.0, true, false));
        assert_eq!(verdict(0.25, 0.5), (0.25, false, false));
        assert_eq!(verdict(1.0, 0.0), (0.0, false, true));
        assert_eq!(verdict(-3.0, -3.0), (0.0, false, false));
        assert_eq!(verdict(7.0, 7.0), (1.0, true, false));
    }

    #[test]
    fn work_without_a_reward_earns_nothing_and_the_reason_is_told() {
        let verdict = verdict_of_rewards(&Err("too late".to_owned()), &Ok(1.0));
        assert_eq!((verdict.score, verdict.passed, verdict.flaky), (0.0, false, true));
        assert!(verdict.checks[0].output.contains("too late"), "{:?}", verdict.checks);
    }
}

//! What a task asks of its sandboxes beside files: services that run in them, and how large they are.

use super::{CampaignConfig, SandboxLimits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A program that the guest starts in a sandbox and keeps running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskService {
    /// Lower-case letters, digits and dashes. It names the files of its log and its state.
    pub name: String,
    /// A line for the sandbox's shell, in the workspace. It ends when the service does.
    pub run: String,
    /// A line that exits with code 0 if the service is healthy.
    pub health: String,
    /// How long its start may take.
    pub healthy_within: Duration,
    #[serde(default, skip_serializing_if = "ServiceRestart::is_on_failure")]
    pub restart: ServiceRestart,
    /// Whether it runs in judged sandboxes too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub judged: bool,
}

/// When a service that has ended is started again.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRestart {
    /// If it failed or was killed, a few times in a row.
    #[default]
    OnFailure,
    /// Not at all.
    Never,
}

impl ServiceRestart {
    /// Whether it is the default, which is left out of serialized tasks.
    fn is_on_failure(&self) -> bool {
        *self == Self::OnFailure
    }
}

/// How the start of a service went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// Why it is not healthy, in words. None: it is.
    pub trouble: Option<String>,
    /// The end of its log.
    pub log: String,
}

impl ServiceReport {
    /// Characters of the log that words of a failure have, from its end.
    const LOG_TOLD: usize = 1_000;

    /// Why the service is not healthy, with the end of its log. None: it is.
    pub fn failure(&self, service: &TaskService) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        let skip = self.log.chars().count().saturating_sub(Self::LOG_TOLD);
        let log: String = self.log.chars().skip(skip).collect();
        let log = match log.trim_end() {
            "" => "its log is empty".to_owned(),
            log => format!("the end of its log:\n{log}"),
        };
        let (name, time) = (&service.name, service.healthy_within.as_secs_f64());
        Some(format!("the service {name} was not healthy within {time} s: {trouble}; {log}"))
    }
}

/// What a template states of its sandboxes and of its time. A campaign must grant at least as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResources {
    /// See [`SandboxLimits::memory_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// See [`SandboxLimits::disk_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// The time of an episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Duration>,
}

impl TaskResources {
    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limits of a sandbox that has what is stated, however much others grant. Proofs use it.
    pub fn stated(&self, limits: &SandboxLimits) -> SandboxLimits {
        SandboxLimits {
            memory_bytes: self.memory_bytes.unwrap_or(limits.memory_bytes),
            disk_bytes: self.disk_bytes.unwrap_or(limits.disk_bytes),
            ..limits.clone()
        }
    }

    /// The configuration of a campaign for a task that states these resources: of each limit the
    /// smaller one holds.
    pub fn within(&self, config: &Arc<CampaignConfig>) -> Arc<CampaignConfig> {
        if self.is_empty() {
            return config.clone();
        }
        let mut own = CampaignConfig::clone(config);
        own.sandbox.limits = self.lowered(&own.sandbox.limits);
        own.episode.timeout = self.time_within(own.episode.timeout);
        Arc::new(own)
    }

    /// The limits of a sandbox, lowered to what is stated.
    pub fn lowered(&self, limits: &SandboxLimits) -> SandboxLimits {
        let (memory, disk) = (limits.memory_bytes, limits.disk_bytes);
        SandboxLimits {
            memory_bytes: self.memory_bytes.map_or(memory, |stated| stated.min(memory)),
            disk_bytes: self.disk_bytes.map_or(disk, |stated| stated.min(disk)),
            ..limits.clone()
        }
    }

    /// The time of an episode that may take `timeout`.
    pub fn time_within(&self, timeout: Duration) -> Duration {
        self.time.map_or(timeout, |stated| stated.min(timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::campaign;

    #[test]
    fn of_each_limit_the_smaller_one_holds() {
        let config = Arc::new(campaign("c", 1));
        let nothing = TaskResources::default();
        assert_eq!(nothing.within(&config), config);
        let (memory, time) = (64 << 20, Duration::from_secs(60));
        let stated = TaskResources { memory_bytes: Some(memory), time: Some(time), ..nothing };
        let own = stated.within(&config);
        assert_eq!((own.sandbox.limits.memory_bytes, own.episode.timeout), (memory, time));
        assert_eq!(own.sandbox.limits.disk_bytes, config.sandbox.limits.disk_bytes);
        let large = TaskResources { disk_bytes: Some(u64::MAX), ..nothing };
        assert_eq!(large.within(&config), config);
        assert_eq!(large.stated(&config.sandbox.limits).disk_bytes, u64::MAX);
    }

    #[test]
    fn a_service_that_is_not_healthy_says_why() {
        let service = TaskService {
            name: "shop".to_owned(),
            run: "x".to_owned(),
            health: "y".to_owned(),
            healthy_within: Duration::from_secs(10),
            restart: ServiceRestart::default(),
            judged: false,
        };
        let said = |trouble: Option<&str>, log: &str| {
            let (trouble, log) = (trouble.map(str::to_owned), log.to_owned());
            ServiceReport { trouble, log }.failure(&service)
        };
        assert_eq!(said(None, "up"), None);
        let told = said(Some("its program ended: exit code 1"), &"é".repeat(2_000)).unwrap();
        let expected = "the service shop was not healthy within 10 s: its program ended: exit \
             code 1; the end of its log:\né";
        assert!(told.starts_with(expected), "{told}");
        assert_eq!(told.matches('é').count(), 1_000);
        assert!(said(Some("x"), "\n").unwrap().ends_with("; its log is empty"));
    }
}

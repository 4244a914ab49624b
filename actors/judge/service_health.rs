//! The health of the services in a judged sandbox. A service that is not healthy there is the work of
//! the agent, so everything here ends in words and not in a fault, as long as the host is well.
//!
//! ```text
//!  start the first ──► healthy ──► the next answers already? ──► start it ──► … ──► requests
//!                                                                  a later check: all healthy? ──┘
//! ```
//! All programs of a judged sandbox have one user. So a program of the agent may still end a service
//! later and answer in its place.

use super::engine_commands::run_engine_command;
use super::judged_service::JudgedService;
use crate::model::{Fault, FaultKind, TaskService};
use crate::pool::SandboxLease;
use crate::ports::StoredCopy;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long one health command may take.
const HEALTH_TIME: Duration = Duration::from_secs(10);
/// The pause between two of them.
const HEALTH_PAUSE: Duration = Duration::from_millis(200);

impl JudgedService {
    /// Starts services one after the other. Returns why one of them is not healthy, if one is not.
    pub(super) async fn start_all(
        &self,
        lease: &mut SandboxLease,
        services: &[TaskService],
        copy: &dyn StoredCopy,
    ) -> Result<Option<String>, Fault> {
        for (at, service) in services.iter().enumerate() {
            // Before the first one, no program runs.
            let answered = at > 0 && self.holds(lease, service, copy).await? == Some(true);
            let name = &service.name;
            let trouble = match answered {
                true => Some(format!(
                    "the health of the service {name} held before it began: another one answers for it"
                )),
                false => self.start(lease, service, copy).await?,
            };
            if trouble.is_some() {
                return Ok(trouble);
            }
        }
        Ok(None)
    }

    /// Starts a service. Its programs may take all processor time, so that the guest does not answer
    /// in time. If another sandbox can be had, the host is not the cause.
    async fn start(
        &self,
        lease: &mut SandboxLease,
        service: &TaskService,
        copy: &dyn StoredCopy,
    ) -> Result<Option<String>, Fault> {
        match lease.sandbox().start_service(service).await {
            Err(fault) if fault.kind == FaultKind::SandboxLost => {
                self.with_copy(copy).await?;
                Ok(Some(silent(service, "began")))
            }
            report => report.map(|report| report.failure(service)),
        }
    }

    /// Asks services that were healthy before. Returns why one of them is not any more, if one is not.
    /// A service that is started again has its time.
    pub(super) async fn ask_all(
        &self,
        lease: &mut SandboxLease,
        services: &[TaskService],
        copy: &dyn StoredCopy,
    ) -> Result<Option<String>, Fault> {
        for service in services {
            let until = Instant::now() + service.healthy_within;
            let trouble = loop {
                match self.holds(lease, service, copy).await? {
                    Some(true) => break None,
                    None => break Some(silent(service, "was asked for its health")),
                    Some(false) if Instant::now() < until => sleep(HEALTH_PAUSE).await,
                    Some(false) => {
                        let name = &service.name;
                        break Some(format!("the service {name} is not healthy any more"));
                    }
                }
            };
            if trouble.is_some() {
                return Ok(trouble);
            }
        }
        Ok(None)
    }

    /// Whether the health command of a service holds now. None: the sandbox does not answer, although
    /// another one can be had, so programs of the agent keep it from that.
    async fn holds(
        &self,
        lease: &mut SandboxLease,
        service: &TaskService,
        copy: &dyn StoredCopy,
    ) -> Result<Option<bool>, Fault> {
        match run_engine_command(lease.sandbox(), &service.health, HEALTH_TIME).await {
            Ok(report) => Ok(Some(report.end.success())),
            Err(fault) if fault.kind == FaultKind::SandboxLost => {
                self.with_copy(copy).await?;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The sandbox is silent while something happens to a service.
fn silent(service: &TaskService, what: &str) -> String {
    format!("the judged sandbox did not answer while the service {} {what}", service.name)
}

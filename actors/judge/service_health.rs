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
use crate::model::{Fault, TaskService};
use crate::pool::SandboxLease;
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
    ) -> Result<Option<String>, Fault> {
        for (at, service) in services.iter().enumerate() {
            // Before the first one, no program runs.
            let answered = at > 0 && holds(lease, service).await?;
            let name = &service.name;
            let trouble = match answered {
                true => Some(format!(
                    "the health of the service {name} held before it began: another one answers for it"
                )),
                false => lease.sandbox().start_service(service).await?.failure(service),
            };
            if trouble.is_some() {
                return Ok(trouble);
            }
        }
        Ok(None)
    }

    /// Asks services that were healthy before. Returns why one of them is not any more, if one is not.
    /// A service that is started again has its time.
    pub(super) async fn ask_all(
        &self,
        lease: &mut SandboxLease,
        services: &[TaskService],
    ) -> Result<Option<String>, Fault> {
        for service in services {
            let until = Instant::now() + service.healthy_within;
            while !holds(lease, service).await? {
                if Instant::now() >= until {
                    let name = &service.name;
                    return Ok(Some(format!("the service {name} is not healthy any more")));
                }
                sleep(HEALTH_PAUSE).await;
            }
        }
        Ok(None)
    }
}

/// Whether the health command of a service holds now.
async fn holds(lease: &mut SandboxLease, service: &TaskService) -> Result<bool, Fault> {
    let asked = run_engine_command(lease.sandbox(), &service.health, HEALTH_TIME).await;
    asked.map(|report| report.end.success())
}

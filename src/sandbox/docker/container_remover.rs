//! One task removes containers. The drop of a sandbox tells this task.

use super::container_tracker::ContainerTracker;
use super::engine_faults::explain;
use super::owner::{ContainerOwner, DEADLINE, OWNER};
use crate::sandbox::guest::SandboxGuard;
use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    EventsOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
    RenameContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use synthd_actors::model::{Fault, FaultKind};
use synthd_actors::supervisor::spawn;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How often containers of dead owners are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// For one removal.
const REMOVAL: Duration = Duration::from_secs(30);
/// Before a removal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Removals at once; an engine asked for more serves each of them later.
const PARALLEL: usize = 4;
/// Before an engine's news are asked for again.
const WATCH_AGAIN: Duration = Duration::from_secs(5);
/// For the question whether the engine lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Dropped, it has its container removed.
pub(super) struct ContainerGuard {
    id: String,
    docker: Docker,
    ours: Arc<ContainerTracker>,
    dropped: mpsc::UnboundedSender<String>,
    naming: Option<AbortOnDropHandle<()>>,
    /// The engine's outages when this began.
    outages: u64,
}

#[async_trait]
impl SandboxGuard for ContainerGuard {
    /// The guest sees its own cgroup, and says.
    fn memory_kills(&self) -> Option<u64> {
        None
    }

    async fn engine_trouble(&self) -> Option<Fault> {
        let why = match timeout(SIGN_OF_LIFE, self.docker.ping()).await {
            // It may have been away since: what it took with it was not lost by itself.
            Ok(Ok(_)) if self.ours.outages() == self.outages => return None,
            Ok(Ok(_)) => "the container engine was away meanwhile".to_owned(),
            Ok(Err(error)) => explain(&error),
            Err(_) => "the container engine does not answer".to_owned(),
        };
        let fault = Fault::new(FaultKind::EngineDown, why);
        self.ours.note(&fault);
        Some(fault)
    }

    /// The list of the engine's containers then shows the holder. No caller needs to wait for this.
    fn held_by(&mut self, holder: &str) {
        let (docker, id) = (self.docker.clone(), self.id.clone());
        let name = format!("synthd-{holder}-{}", &id[..id.len().min(8)]);
        self.naming = Some(spawn("name container", async move {
            let options = RenameContainerOptions { name };
            if let Err(error) = docker.rename_container(&id, options).await {
                tracing::debug!(container = id, %error, "a container keeps its name");
            }
        }));
    }
}

impl Drop for ContainerGuard {
    fn drop(&mut self) {
        self.ours.note_dropped(&self.id);
        // With the remover gone the process ends, and the next one sweeps.
        self.dropped.send(std::mem::take(&mut self.id)).ok();
    }
}

pub(super) struct ContainerRemover {
    docker: Docker,
    dropped: mpsc::UnboundedSender<String>,
    pub(super) ours: Arc<ContainerTracker>,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl ContainerRemover {
    pub(super) fn start(docker: Docker, owner: ContainerOwner) -> Self {
        let (dropped, ids) = mpsc::unbounded_channel();
        let ours = Arc::new(ContainerTracker::new(owner));
        let remover = spawn("container remover", attend(docker.clone(), ids, ours.clone()));
        let sweeper = spawn("container sweeper", sweep_on(docker.clone(), ours.clone()));
        let watcher = spawn("container engine watch", watch(docker.clone(), ours.clone()));
        Self { docker, dropped, ours, _tasks: [remover, sweeper, watcher] }
    }

    /// Takes a new container into its care.
    pub(super) fn guard_container(&self, id: String) -> ContainerGuard {
        let (ours, dropped) = (self.ours.clone(), self.dropped.clone());
        ours.note_created(&id);
        let (docker, outages) = (self.docker.clone(), ours.outages());
        ContainerGuard { id, docker, ours, dropped, naming: None, outages }
    }
}

async fn attend(
    docker: Docker,
    mut ids: mpsc::UnboundedReceiver<String>,
    ours: Arc<ContainerTracker>,
) {
    let mut waiting = VecDeque::new();
    let mut removals = FuturesUnordered::new();
    loop {
        while removals.len() < PARALLEL
            && let Some(id) = waiting.pop_front()
        {
            removals.push(remove(&docker, id));
        }
        tokio::select! {
            id = ids.recv() => match id {
                Some(id) => waiting.push_back(id),
                None => return,
            },
            Some(ended) = removals.next() => match ended {
                Ok(id) => ours.gone(&id),
                Err(id) => waiting.push_back(id),
            },
        }
    }
}

async fn sweep_on(docker: Docker, ours: Arc<ContainerTracker>) {
    let mut look = interval(SWEEP);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        sweep(&docker, Some(&ours)).await;
    }
}

/// Notices an engine that goes away while nobody asks it for anything, by a stream of its news
/// that breaks.
async fn watch(docker: Docker, ours: Arc<ContainerTracker>) {
    let filters = HashMap::from([("type".to_owned(), vec!["daemon".to_owned()])]);
    loop {
        let options = EventsOptions { filters: Some(filters.clone()), ..Default::default() };
        let mut news = std::pin::pin!(docker.events(Some(options)));
        let begun = Instant::now();
        while let Some(Ok(_)) = news.next().await {}
        // One that never began says nothing.
        if begun.elapsed() > AGAIN {
            ours.note_outage();
        }
        sleep(WATCH_AGAIN).await;
    }
}

/// The container, whether it is gone or has to be tried again.
async fn remove(docker: &Docker, id: String) -> Result<String, String> {
    if removed(docker, &id).await {
        return Ok(id);
    }
    sleep(AGAIN).await;
    Err(id)
}

/// Whether the container is gone, by us or by the engine's own removal.
async fn removed(docker: &Docker, id: &str) -> bool {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    match timeout(REMOVAL, docker.remove_container(id, Some(options))).await {
        Ok(Ok(())) => true,
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => true,
        // The engine is at it already.
        Ok(Err(Error::DockerResponseServerError { status_code: 409, .. })) => {
            let options = WaitContainerOptions { condition: "removed".to_owned() };
            let mut removal = docker.wait_container(id, Some(options));
            drop(timeout(REMOVAL, removal.next()).await);
            // It may have given up half way, and is asked again then.
            let options = None::<InspectContainerOptions>;
            let left = timeout(REMOVAL, docker.inspect_container(id, options)).await;
            matches!(left, Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })))
        }
        Ok(Err(error)) => {
            tracing::debug!(container = id, %error, "a container was not removed");
            false
        }
        Err(_) => {
            tracing::debug!(container = id, "the container engine does not remove in time");
            false
        }
    }
}

/// Removes what dead owners left, running or not, and what we have forgotten ourselves; how
/// many there were.
pub(super) async fn sweep(docker: &Docker, ours: Option<&ContainerTracker>) -> u32 {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let Ok(Ok(found)) = timeout(REMOVAL, docker.list_containers(Some(options))).await else {
        return 0;
    };
    let mut swept = 0;
    for container in found {
        let (Some(id), Some(labels)) = (container.id, container.labels) else { continue };
        let forgotten = ours.is_some_and(|ours| ours.is_forgotten(&id, &labels));
        if (forgotten || is_abandoned(&labels)) && removed(docker, &id).await {
            swept += 1;
        }
    }
    swept
}

/// Of an owner that is certainly dead, or cannot be looked at and must have finished long
/// ago. The filter was the engine's; whose it is we read ourselves.
fn is_abandoned(labels: &HashMap<String, String>) -> bool {
    let Some(owner) = ContainerOwner::of(labels) else { return false };
    let deadline = labels.get(DEADLINE).and_then(|text| text.parse::<u64>().ok());
    owner.is_gone() || !owner.is_here() && deadline.is_some_and(|deadline| deadline < now())
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_left_alone_until_their_deadline() {
        let container = |owner: &str, deadline: Option<u64>| {
            let mut labels = HashMap::from([(OWNER.to_owned(), owner.to_owned())]);
            labels.extend(deadline.map(|at| (DEADLINE.to_owned(), at.to_string())));
            labels
        };
        let this = ContainerOwner::this().label();
        assert!(!is_abandoned(&container(&this, Some(1))), "it lives, whatever its deadline");
        assert!(!is_abandoned(&container("elsewhere:1:1", None)));
        assert!(!is_abandoned(&container("elsewhere:1:1", Some(now() + 60))));
        assert!(is_abandoned(&container("elsewhere:1:1", Some(now() - 60))));
        assert!(!is_abandoned(&container("nonsense", Some(1))));
        assert!(!is_abandoned(&HashMap::new()));
    }
}

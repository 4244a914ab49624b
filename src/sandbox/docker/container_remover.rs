//! Removes containers: those of dropped sandboxes, and those that dead owners or lost requests
//! left.
//!
//! A sandbox holds a [`ContainerGuard`]. Its drop cannot wait for a request, so it sends the id
//! of the container to a task of [`ContainerRemover`]:
//!
//! ```text
//!  guard dropped ─► waiting ─► being removed (4 at once) ─► gone
//!                      ▲               │
//!                      └── 2 s later ◄─┴ failed or too late
//! ```
//! Two more tasks run beside it. One sweeps every minute. The other watches the container engine
//! and counts its outages. All three end when the [`ContainerRemover`] is dropped.
//!
//! Invariant: while the remover lives, a container whose id is known is removed, however often
//! that fails at first. The [`ContainerTracker`] counts it as removing until the container engine
//! has confirmed that it is gone.

use super::container_tracker::ContainerTracker;
use super::engine_faults::explain;
use super::kept_image::{AgentImage, sweep_images};
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
use synthd_actors::ports::KeptImage;
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How often containers of dead owners and forgotten containers are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// The time limit of one removal, and of listing containers.
const REMOVAL: Duration = Duration::from_secs(30);
/// The wait before a failed removal is tried again. Also the least time that a watch must last to
/// count as one that began.
const AGAIN: Duration = Duration::from_secs(2);
/// The most removals at once. With more, the container engine only serves each of them later.
const PARALLEL: usize = 4;
/// The wait before the container engine's events are asked for again.
const WATCH_AGAIN: Duration = Duration::from_secs(5);
/// The time limit for the question whether the container engine is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Owns one container. Dropping the guard has the container removed.
pub(super) struct ContainerGuard {
    /// The full id of the container, 64 hexadecimal digits.
    id: String,
    docker: Docker,
    /// The containers of this connection.
    ours: Arc<ContainerTracker>,
    /// To the remover: ids of dropped containers. A send never waits, so `drop` can do it.
    dropped: mpsc::UnboundedSender<String>,
    /// The task that renames the container. It ends with the guard.
    naming: Option<AbortOnDropHandle<()>>,
    /// How many outages the container engine had when the container was made.
    outages: u64,
}

#[async_trait]
impl SandboxGuard for ContainerGuard {
    /// None: the guest sees its own cgroup, and reports out-of-memory kills itself.
    fn memory_kills(&self) -> Option<u64> {
        None
    }

    /// Whether a lost sandbox was lost because of the container engine. It pings the engine. A
    /// failed ping is an outage. A successful one is not enough: the engine may have been
    /// restarted in the meantime, and have ended its containers. Then the outages differ from
    /// those at the creation.
    async fn engine_trouble(&self) -> Option<Fault> {
        let why = match timeout(SIGN_OF_LIFE, self.docker.ping()).await {
            // The engine was there all the time, so the sandbox was lost by itself.
            Ok(Ok(_)) if self.ours.outages() == self.outages => return None,
            Ok(Ok(_)) => "the container engine was away meanwhile".to_owned(),
            Ok(Err(error)) => explain(&error),
            Err(_) => "the container engine does not answer".to_owned(),
        };
        let fault = Fault::new(FaultKind::EngineDown, why);
        self.ours.note(&fault);
        Some(fault)
    }

    async fn keep_image(&self) -> Result<Box<dyn KeptImage>, Fault> {
        // In a task of its own: if the caller is gone when the image is made, the image is dropped, which
        // has it removed.
        let (docker, id) = (self.docker.clone(), self.id.clone());
        let making = spawn("keep image", async move { AgentImage::of(&docker, &id).await });
        let made = making.detach().await;
        let panicked = |failure| Err(Fault::new(FaultKind::SandboxLost, panic_text(failure)));
        Ok(Box::new(made.unwrap_or_else(panicked)?))
    }

    /// Names the container for its holder, as in `synthd-HOLDER-1a2b3c4d`, so that the list of
    /// containers shows who uses it. No caller waits for this, and a failure changes nothing.
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
        // The send fails only if the remover is gone. Then the process is ending, and a later
        // synthd sweeps the container.
        self.dropped.send(std::mem::take(&mut self.id)).ok();
    }
}

/// The tasks that remove containers of one connection. Dropping it aborts them, whatever is still
/// to be removed.
pub(super) struct ContainerRemover {
    docker: Docker,
    /// Given to each guard; its receiver is the removing task.
    dropped: mpsc::UnboundedSender<String>,
    /// The containers of this connection, as the tasks and the guards know them.
    pub(super) ours: Arc<ContainerTracker>,
    _tasks: [AbortOnDropHandle<()>; 3],
}

impl ContainerRemover {
    /// Starts the three tasks.
    pub(super) fn start(docker: Docker, owner: ContainerOwner) -> Self {
        let (dropped, ids) = mpsc::unbounded_channel();
        let ours = Arc::new(ContainerTracker::new(owner));
        let remover = spawn("container remover", attend(docker.clone(), ids, ours.clone()));
        let sweeper = spawn("container sweeper", sweep_on(docker.clone(), ours.clone()));
        let watcher = spawn("container engine watch", watch(docker.clone(), ours.clone()));
        Self { docker, dropped, ours, _tasks: [remover, sweeper, watcher] }
    }

    /// Takes over a container that was just made: counts it as living, and returns the guard that
    /// has it removed.
    pub(super) fn guard_container(&self, id: String) -> ContainerGuard {
        let (ours, dropped) = (self.ours.clone(), self.dropped.clone());
        ours.note_created(&id);
        let (docker, outages) = (self.docker.clone(), ours.outages());
        ContainerGuard { id, docker, ours, dropped, naming: None, outages }
    }
}

/// The removing task: takes ids from the guards and removes up to [`PARALLEL`] containers at
/// once. An id whose removal failed goes to the end of the queue.
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

/// The sweeping task. The first sweep is at once.
async fn sweep_on(docker: Docker, ours: Arc<ContainerTracker>) {
    let mut look = interval(SWEEP);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        sweep(&docker, Some(&ours)).await;
    }
}

/// The watching task: notices that the container engine goes away even when nobody asks it for
/// anything. It holds the engine's stream of events open and counts an outage when the stream
/// ends.
async fn watch(docker: Docker, ours: Arc<ContainerTracker>) {
    let filters = HashMap::from([("type".to_owned(), vec!["daemon".to_owned()])]);
    loop {
        let options = EventsOptions { filters: Some(filters.clone()), ..Default::default() };
        let mut news = std::pin::pin!(docker.events(Some(options)));
        let begun = Instant::now();
        while let Some(Ok(_)) = news.next().await {}
        // A stream that ends at once was never open: the container engine is still down, and that
        // outage was counted before.
        if begun.elapsed() > AGAIN {
            ours.note_outage();
        }
        sleep(WATCH_AGAIN).await;
    }
}

/// One try to remove a container. `Ok` means that it is gone; `Err` that it must be tried again,
/// and the wait before the next try is already over. Both hold the id.
async fn remove(docker: &Docker, id: String) -> Result<String, String> {
    if removed(docker, &id).await {
        return Ok(id);
    }
    sleep(AGAIN).await;
    Err(id)
}

/// Whether the container is gone, by this request or by the container engine's own removal. Its
/// volumes without a name go with it. A failure is only logged; the caller tries again.
async fn removed(docker: &Docker, id: &str) -> bool {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    match timeout(REMOVAL, docker.remove_container(id, Some(options))).await {
        Ok(Ok(())) => true,
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => true,
        // The engine is removing it already. It does so by itself when a container ends.
        Ok(Err(Error::DockerResponseServerError { status_code: 409, .. })) => {
            let options = WaitContainerOptions { condition: "removed".to_owned() };
            let mut removal = docker.wait_container(id, Some(options));
            drop(timeout(REMOVAL, removal.next()).await);
            // The engine's removal may have failed half way. Only an engine that does not know
            // the container any more confirms that it is gone.
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

/// Removes abandoned containers, running or not, and returns how many were removed. These are
/// containers of dead owners, and (if `ours` is given) containers of this connection that nobody
/// here knows of. Kept images of dead owners go as well; they are not counted. If the container engine
/// does not answer, nothing is removed.
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
    sweep_images(docker).await;
    swept
}

/// Whether a container's owner is certainly dead, or cannot be checked and its deadline has
/// passed. The engine has already filtered by the label, but the owner is read again here: only
/// containers of synthd are ever removed.
fn is_abandoned(labels: &HashMap<String, String>) -> bool {
    let Some(owner) = ContainerOwner::of(labels) else { return false };
    let deadline = labels.get(DEADLINE).and_then(|text| text.parse::<u64>().ok());
    owner.is_gone() || !owner.is_here() && deadline.is_some_and(|deadline| deadline < now())
}

/// The current time in seconds since 1970 (Unix time).
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

//! Who removes containers: one task, told by whoever drops a sandbox.

use super::owner::{OWNER, Owner};
use crate::sandbox::guest::Keeper;
use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    ListContainersOptions, RemoveContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use synthd_actors::supervisor::spawn;
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How often containers of dead owners are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// A removal that takes longer is tried again at the next sweep.
const REMOVAL: Duration = Duration::from_secs(30);

/// Containers that were dropped and are not yet known to be gone.
#[derive(Default)]
pub(super) struct Leaving {
    ids: Mutex<HashSet<String>>,
    changed: Notify,
}

impl Leaving {
    fn ids(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is on its way that must not be missed by who waits.
    pub(super) fn expect(self: &Arc<Self>) -> Expected {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let token = format!("expected {}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.ids().insert(token.clone());
        Expected { leaving: self.clone(), token }
    }

    fn gone(&self, id: &str) {
        self.ids().remove(id);
        self.changed.notify_waiters();
    }

    /// Waits until all that were dropped are removed.
    pub(super) async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            if self.ids().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

/// Counts as leaving until it is dropped.
pub(super) struct Expected {
    leaving: Arc<Leaving>,
    token: String,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.leaving.gone(&self.token);
    }
}

/// Dropped, it has its container removed.
pub(super) struct ContainerKeeper {
    id: String,
    leaving: Arc<Leaving>,
    dropped: mpsc::UnboundedSender<String>,
}

impl Keeper for ContainerKeeper {
    /// The guest sees its own cgroup, and says.
    fn memory_kills(&self) -> Option<u64> {
        None
    }
}

impl Drop for ContainerKeeper {
    fn drop(&mut self) {
        self.leaving.ids().insert(self.id.clone());
        // With the remover gone the process ends, and the next one sweeps.
        self.dropped.send(std::mem::take(&mut self.id)).ok();
    }
}

pub(super) struct Remover {
    dropped: mpsc::UnboundedSender<String>,
    pub(super) leaving: Arc<Leaving>,
    _task: AbortOnDropHandle<()>,
}

impl Remover {
    pub(super) fn start(docker: Docker) -> Self {
        let (dropped, ids) = mpsc::unbounded_channel();
        let leaving = Arc::<Leaving>::default();
        let task = spawn("container remover", attend(docker, ids, leaving.clone()));
        Self { dropped, leaving, _task: task }
    }

    /// Takes a new container into its care.
    pub(super) fn keep(&self, id: String) -> ContainerKeeper {
        ContainerKeeper { id, leaving: self.leaving.clone(), dropped: self.dropped.clone() }
    }
}

async fn attend(docker: Docker, mut ids: mpsc::UnboundedReceiver<String>, leaving: Arc<Leaving>) {
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut late: HashSet<String> = HashSet::new();
    loop {
        tokio::select! {
            id = ids.recv() => match id {
                Some(id) if removed(&docker, &id).await => leaving.gone(&id),
                Some(id) => { late.insert(id); }
                None => return,
            },
            _ = sweep.tick() => {
                for id in std::mem::take(&mut late) {
                    if removed(&docker, &id).await { leaving.gone(&id) } else { late.insert(id); }
                }
                sweep_dead(&docker).await;
            }
        }
    }
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
            timeout(REMOVAL, removal.next()).await.is_ok()
        }
        Ok(Err(error)) => {
            tracing::warn!(container = id, %error, "a container was not removed");
            false
        }
        Err(_) => {
            tracing::warn!(container = id, "the container engine does not remove in time");
            false
        }
    }
}

/// Removes what dead owners left, running or not; how many there were.
pub(super) async fn sweep_dead(docker: &Docker) -> u32 {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let Ok(Ok(found)) = timeout(REMOVAL, docker.list_containers(Some(options))).await else {
        return 0;
    };
    let mut swept = 0;
    for container in found {
        // The filter is the engine's; whose it is we read ourselves.
        let owner = container.labels.as_ref().and_then(Owner::of);
        let dead = owner.is_some_and(|owner| owner.is_gone());
        if let Some(id) = container.id.filter(|_| dead)
            && removed(docker, &id).await
        {
            swept += 1;
        }
    }
    swept
}

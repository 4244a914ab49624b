//! Which containers are ours: asked for, living, leaving; and by that, which are forgotten.
//!
//! ```text
//!            answered          dropped           removed
//!  creating ─────────► living ────────► leaving ────────► (none)
//!     └── given up: whatever the engine makes of it all the same is forgotten, and swept
//! ```

use super::owner::{CREATION, ContainerOwner};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::model::{BackendSign, Fault};
use tokio::sync::Notify;

/// Every container of one connection: those that live, and those that were dropped and are
/// not yet known to be gone.
pub(super) struct ContainerTracker {
    owner: ContainerOwner,
    /// Tells the connections of a process apart.
    connection: u64,
    creations: AtomicU64,
    /// How often the engine was seen to be down.
    outages: AtomicU64,
    state: Mutex<TrackedContainers>,
    changed: Notify,
}

#[derive(Default)]
struct TrackedContainers {
    /// Asked for, and not yet answered.
    creating: HashSet<String>,
    living: HashSet<String>,
    leaving: HashSet<String>,
}

impl ContainerTracker {
    pub(super) fn new(owner: ContainerOwner) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            owner,
            connection: NEXT.fetch_add(1, Ordering::Relaxed),
            creations: AtomicU64::new(0),
            outages: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, TrackedContainers> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A container is about to be asked for; who waits for all to be gone waits for it too.
    pub(super) fn expect(self: &Arc<Self>) -> PendingContainer {
        let number = self.creations.fetch_add(1, Ordering::Relaxed);
        let creation = format!("{}-{number}", self.connection);
        self.state().creating.insert(creation.clone());
        PendingContainer { ours: self.clone(), creation }
    }

    pub(super) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// Notes that the engine went away, even if nobody asked it for anything.
    pub(super) fn note_outage(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether an engine that failed was down.
    pub(super) fn note(&self, fault: &Fault) {
        if fault.kind.policy().backend == BackendSign::Down {
            self.note_outage();
        }
    }

    pub(super) fn gone(&self, id: &str) {
        self.state().leaving.remove(id);
        self.changed.notify_waiters();
    }

    /// Waits until all that were dropped are removed.
    pub(super) async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.creating.is_empty() && state.leaving.is_empty() {
                    return;
                }
            }
            changed.await;
        }
    }

    pub(super) fn note_created(&self, id: &str) {
        self.state().living.insert(id.to_owned());
    }

    pub(super) fn note_dropped(&self, id: &str) {
        let mut state = self.state();
        state.living.remove(id);
        state.leaving.insert(id.to_owned());
    }

    /// Whether it is of this connection and nobody here knows of it: the engine made it after
    /// we had given it up.
    pub(super) fn is_forgotten(&self, id: &str, labels: &HashMap<String, String>) -> bool {
        let own = ContainerOwner::of(labels).is_some_and(|owner| owner == self.owner);
        let Some(creation) = labels.get(CREATION).filter(|_| own) else { return false };
        let connection = creation.split('-').next().and_then(|text| text.parse().ok());
        let state = self.state();
        let known = state.creating.contains(creation)
            || state.living.contains(id)
            || state.leaving.contains(id);
        connection == Some(self.connection) && !known
    }
}

/// Counts as being created until it is dropped.
pub(super) struct PendingContainer {
    ours: Arc<ContainerTracker>,
    pub(super) creation: String,
}

impl Drop for PendingContainer {
    fn drop(&mut self) {
        self.ours.state().creating.remove(&self.creation);
        self.ours.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::super::owner::OWNER;
    use super::*;

    #[test]
    fn only_what_nobody_knows_is_forgotten() {
        let ours = Arc::new(ContainerTracker::new(ContainerOwner::this()));
        let expected = ours.expect();
        let labels = |creation: &str| {
            let owner = (OWNER.to_owned(), ContainerOwner::this().label());
            HashMap::from([owner, (CREATION.to_owned(), creation.to_owned())])
        };
        let made = labels(&expected.creation);
        assert!(!ours.is_forgotten("id", &made), "the answer is on its way");
        drop(expected);
        assert!(ours.is_forgotten("id", &made));
        ours.note_created("id");
        assert!(!ours.is_forgotten("id", &made));
        assert!(
            !ContainerTracker::new(ContainerOwner::this()).is_forgotten("other", &made),
            "of another connection"
        );
        let stranger = HashMap::from([(OWNER.to_owned(), "elsewhere:1:1".to_owned())]);
        assert!(!ours.is_forgotten("other", &stranger));
    }
}

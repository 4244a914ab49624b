//! Knows every container of one connection and its state; what it does not know is forgotten.
//!
//! ```text
//!            id arrived        dropped           removed
//!  creating ─────────► living ────────► removing ───────► (none)
//!     └── given up: a container that the engine makes nevertheless is forgotten, and is swept
//! ```
//! A request to create a container may time out, and the container engine may still make the
//! container later. Nobody then has its id. Its label names the creation, and the sweep removes
//! it because no state here has it. `settle` waits until nothing is creating or removing.
//!
//! The lock is never held across an `await`.

use super::owner::{CREATION, ContainerOwner};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::model::{BackendSign, Fault};
use tokio::sync::Notify;

/// The containers of one connection: those being created, those that live, and those that were
/// dropped but may still exist.
pub(super) struct ContainerTracker {
    /// This process. Containers of other owners are never forgotten ones of ours.
    owner: ContainerOwner,
    /// The number of the connection within this process. A process may have several.
    connection: u64,
    /// How many creations were begun. The next one gets this number.
    creations: AtomicU64,
    /// How often the container engine was seen to be down.
    outages: AtomicU64,
    state: Mutex<TrackedContainers>,
    /// Notified whenever a container leaves `creating` or `removing`.
    changed: Notify,
}

/// The three states. `creating` has the names of creations, the others have ids of containers.
#[derive(Default)]
struct TrackedContainers {
    /// Asked for; the sandbox is not complete yet.
    creating: HashSet<String>,
    /// Held by a guard.
    living: HashSet<String>,
    /// Dropped, and not yet known to be gone.
    removing: HashSet<String>,
}

impl ContainerTracker {
    /// An empty tracker with a new connection number.
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

    /// Says that a container is about to be asked for. Until the returned value is dropped, the
    /// creation is known, and [`Self::empty`] waits for it.
    pub(super) fn expect(self: &Arc<Self>) -> PendingContainer {
        let number = self.creations.fetch_add(1, Ordering::Relaxed);
        let creation = format!("{}-{number}", self.connection);
        self.state().creating.insert(creation.clone());
        PendingContainer { ours: self.clone(), creation }
    }

    /// How often the container engine was seen to be down so far. A guard compares two readings.
    pub(super) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// Counts an outage of the container engine, even if no request has failed.
    pub(super) fn note_outage(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an outage if the fault means that the container engine is down.
    pub(super) fn note(&self, fault: &Fault) {
        if fault.kind.policy().backend == BackendSign::Down {
            self.note_outage();
        }
    }

    /// The container engine has confirmed that a dropped container is gone.
    pub(super) fn gone(&self, id: &str) {
        self.state().removing.remove(id);
        self.changed.notify_waiters();
    }

    /// Waits until no container is being created and all dropped containers are gone. It has no
    /// time limit; the caller sets one.
    pub(super) async fn empty(&self) {
        loop {
            // This comes before the look at the state. A change between the look and the wait
            // would otherwise be missed, and the wait would last for ever.
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.creating.is_empty() && state.removing.is_empty() {
                    return;
                }
            }
            changed.await;
        }
    }

    /// A container was made and has a guard now.
    pub(super) fn note_created(&self, id: &str) {
        self.state().living.insert(id.to_owned());
    }

    /// The guard of a container was dropped; its removal follows.
    pub(super) fn note_dropped(&self, id: &str) {
        let mut state = self.state();
        state.living.remove(id);
        state.removing.insert(id.to_owned());
    }

    /// Whether a container with this id and these labels comes from this connection, although no
    /// state here knows it. The container engine made it after the request was given up.
    /// Containers of other owners and of other connections are never forgotten in this sense.
    pub(super) fn is_forgotten(&self, id: &str, labels: &HashMap<String, String>) -> bool {
        let own = ContainerOwner::of(labels).is_some_and(|owner| owner == self.owner);
        let Some(creation) = labels.get(CREATION).filter(|_| own) else { return false };
        let connection = creation.split('-').next().and_then(|text| text.parse().ok());
        let state = self.state();
        let known = state.creating.contains(creation)
            || state.living.contains(id)
            || state.removing.contains(id);
        connection == Some(self.connection) && !known
    }
}

/// A creation that is under way. Dropping it ends this state.
pub(super) struct PendingContainer {
    ours: Arc<ContainerTracker>,
    /// The value of the label `synthd.creation`: connection and number, such as `0-17`.
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

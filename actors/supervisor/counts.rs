//! Counts of what happened to the actors of one kind: how often they panicked, were started again
//! or were killed, and how many messages were set aside. `synthd status` shows them.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happened to the actors of one kind since the engine started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorStats {
    /// The name of the actor, such as `router`. Several actors of one kind have one name.
    pub name: String,
    /// Panics, also those that were caught and became a fault of one attempt.
    pub panics: u64,
    /// New actors that took the place of one that had panicked.
    pub restarts: u64,
    /// Actors or their work that were ended by force, because they did not end by themselves.
    pub kills: u64,
    /// Messages that killed two actors and were not sent to a third one.
    pub set_aside: u64,
}

impl ActorStats {
    /// The sum of two counts under the name of the first.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.panics += other.panics;
        self.restarts += other.restarts;
        self.kills += other.kills;
        self.set_aside += other.set_aside;
        self
    }
}

/// The counters behind an [`ActorStats`]. Whoever sees an event counts it here.
#[derive(Debug)]
pub struct ActorCounters {
    name: &'static str,
    panics: AtomicU64,
    restarts: AtomicU64,
    kills: AtomicU64,
    set_aside: AtomicU64,
}

impl ActorCounters {
    /// Counters at zero for actors of that name.
    pub fn new(name: &'static str) -> Self {
        let zero = || AtomicU64::new(0);
        Self { name, panics: zero(), restarts: zero(), kills: zero(), set_aside: zero() }
    }

    /// Counts a panic.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Counts an end by force.
    pub fn killed(&self) {
        self.kills.fetch_add(1, Relaxed);
    }

    /// Counts a new actor in the place of a dead one.
    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    /// Counts a message that was set aside.
    pub(super) fn set_aside(&self) {
        self.set_aside.fetch_add(1, Relaxed);
    }

    /// The counts now.
    pub fn stats(&self) -> ActorStats {
        ActorStats {
            name: self.name.to_owned(),
            panics: self.panics.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            kills: self.kills.load(Relaxed),
            set_aside: self.set_aside.load(Relaxed),
        }
    }
}

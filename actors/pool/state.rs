//! Who waits, what is warm, and what to create next: the pool's decisions, without I/O.

use crate::model::SandboxSpec;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bounds of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Warm sandboxes kept per specification in use.
    pub warm: usize,
    /// Creations at once.
    pub parallel_creation: usize,
    /// A warm sandbox older than this is replaced; a specification idle for longer is
    /// forgotten.
    pub max_age: Duration,
    /// Sandboxes alive at once, leased ones included.
    pub max_live: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { warm: 8, parallel_creation: 4, max_age: Duration::from_secs(600), max_live: 4_096 }
    }
}

struct Shelf<S, W> {
    warm: VecDeque<(S, Instant)>,
    waiting: VecDeque<W>,
    creating: usize,
    used: Instant,
    /// Takers since the shelf was last idle; warmth follows demand.
    demand: usize,
}

/// Shelves of warm things (`S`) and their takers (`W`), by specification.
pub(super) struct Shelves<S, W> {
    config: PoolConfig,
    shelves: HashMap<Arc<SandboxSpec>, Shelf<S, W>>,
}

impl<S, W> Shelves<S, W> {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self { config, shelves: HashMap::new() }
    }

    fn shelf(&mut self, spec: &Arc<SandboxSpec>, now: Instant) -> &mut Shelf<S, W> {
        let shelf = self.shelves.entry(spec.clone()).or_insert_with(|| Shelf {
            warm: VecDeque::new(),
            waiting: VecDeque::new(),
            creating: 0,
            used: now,
            demand: 0,
        });
        shelf.used = now;
        shelf
    }

    /// Takes a warm one that is young enough; old ones are handed back to be dropped.
    pub(super) fn take(&mut self, spec: &Arc<SandboxSpec>, now: Instant) -> (Option<S>, Vec<S>) {
        let max_age = self.config.max_age;
        let warm = self.config.warm;
        let shelf = self.shelf(spec, now);
        shelf.demand = (shelf.demand + 1).min(warm);
        let mut old = Vec::new();
        while let Some((item, born)) = shelf.warm.pop_front() {
            if now.duration_since(born) < max_age {
                return (Some(item), old);
            }
            old.push(item);
        }
        (None, old)
    }

    pub(super) fn wait(&mut self, spec: &Arc<SandboxSpec>, waiter: W, now: Instant) {
        self.shelf(spec, now).waiting.push_back(waiter);
    }

    /// Specifications to create one each of now; counts them as being created.
    pub(super) fn plan(&mut self) -> Vec<Arc<SandboxSpec>> {
        let mut free = self.config.parallel_creation.saturating_sub(self.creating());
        let mut planned = Vec::new();
        while free > 0 {
            // The one that lacks most goes first, so no campaign starves another.
            let most = self
                .shelves
                .iter_mut()
                .map(|(spec, shelf)| (lacking(shelf), spec, shelf))
                .filter(|(lack, ..)| *lack > 0)
                .max_by_key(|(lack, ..)| *lack);
            let Some((_, spec, shelf)) = most else { break };
            shelf.creating += 1;
            planned.push(spec.clone());
            free -= 1;
        }
        planned
    }

    /// A creation has ended; the first waiter, if anybody waits.
    pub(super) fn created(&mut self, spec: &Arc<SandboxSpec>) -> Option<W> {
        let shelf = self.shelves.get_mut(spec)?;
        shelf.creating = shelf.creating.saturating_sub(1);
        shelf.waiting.pop_front()
    }

    pub(super) fn keep(&mut self, spec: &Arc<SandboxSpec>, item: S, now: Instant) {
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.warm.push_back((item, now));
        }
    }

    /// Warm ones past their age and shelves nobody has used for long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<S> {
        let max_age = self.config.max_age;
        let mut dropped = Vec::new();
        self.shelves.retain(|_, shelf| {
            let idle = now.duration_since(shelf.used) >= max_age;
            while shelf.warm.front().is_some_and(|(_, b)| now.duration_since(*b) >= max_age) {
                dropped.extend(shelf.warm.pop_front().map(|(item, _)| item));
            }
            if idle {
                shelf.demand = 0;
                dropped.extend(shelf.warm.drain(..).map(|(item, _)| item));
            }
            !idle || shelf.creating > 0 || !shelf.waiting.is_empty()
        });
        dropped
    }

    pub(super) fn clear(&mut self) -> (Vec<S>, Vec<W>) {
        let mut items = Vec::new();
        let mut waiters = Vec::new();
        for (_, shelf) in self.shelves.drain() {
            items.extend(shelf.warm.into_iter().map(|(item, _)| item));
            waiters.extend(shelf.waiting);
        }
        (items, waiters)
    }

    pub(super) fn creating(&self) -> usize {
        self.shelves.values().map(|s| s.creating).sum()
    }

    pub(super) fn warm(&self) -> usize {
        self.shelves.values().map(|s| s.warm.len()).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        self.shelves.values().map(|s| s.waiting.len()).sum()
    }
}

fn lacking<S, W>(shelf: &Shelf<S, W>) -> usize {
    let wanted = shelf.waiting.len() + shelf.demand;
    wanted.saturating_sub(shelf.warm.len() + shelf.creating)
}

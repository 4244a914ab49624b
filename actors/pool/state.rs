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

    /// What to create one each of now; counts them as being created. Somebody waits for
    /// those that are `true`; the others are for warmth.
    pub(super) fn plan(&mut self) -> Vec<(Arc<SandboxSpec>, bool)> {
        let mut free = self.config.parallel_creation.saturating_sub(self.creating());
        let mut planned = Vec::new();
        while free > 0 {
            // Who waits comes before warmth; the one that lacks most goes first, so no
            // campaign starves another.
            let most = self
                .shelves
                .iter_mut()
                .map(|(spec, shelf)| (unserved(shelf), lacking(shelf), spec, shelf))
                .filter(|(_, lack, ..)| *lack > 0)
                .max_by_key(|(unserved, lack, ..)| (*unserved, *lack));
            let Some((unserved, _, spec, shelf)) = most else { break };
            shelf.creating += 1;
            planned.push((spec.clone(), unserved > 0));
            free -= 1;
        }
        planned
    }

    /// A creation has ended.
    pub(super) fn created(&mut self, spec: &Arc<SandboxSpec>) {
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.creating = shelf.creating.saturating_sub(1);
        }
    }

    /// The one who has waited longest.
    pub(super) fn next_waiter(&mut self, spec: &Arc<SandboxSpec>) -> Option<W> {
        self.shelves.get_mut(spec)?.waiting.pop_front()
    }

    /// Everybody who waits, whatever for.
    pub(super) fn all_waiters(&mut self) -> Vec<W> {
        self.shelves.values_mut().flat_map(|shelf| shelf.waiting.drain(..)).collect()
    }

    /// Forgets waiters who have given up.
    pub(super) fn forget(&mut self, gone: impl Fn(&W) -> bool) {
        self.shelves.values_mut().for_each(|shelf| shelf.waiting.retain(|waiter| !gone(waiter)));
    }

    /// Puts one on its shelf; handed back where it is not wanted any more.
    pub(super) fn keep(&mut self, spec: &Arc<SandboxSpec>, item: S, now: Instant) -> Option<S> {
        let most = self.config.warm;
        match self.shelves.get_mut(spec) {
            Some(shelf) if shelf.warm.len() < most => shelf.warm.push_back((item, now)),
            _ => return Some(item),
        }
        None
    }

    /// Takes the oldest warm one of another specification than `spec`: somebody waits for
    /// the place it has.
    pub(super) fn evict(&mut self, spec: &Arc<SandboxSpec>) -> Option<S> {
        let others = self.shelves.iter_mut().filter(|(other, _)| *other != spec);
        let born = |shelf: &Shelf<S, W>| shelf.warm.front().map(|(_, born)| *born);
        let oldest = others
            .filter_map(|(_, shelf)| born(shelf).map(|born| (born, shelf)))
            .min_by_key(|(born, _)| *born);
        let (_, shelf) = oldest?;
        // Not to be made again at once, or the two would take turns at one place.
        shelf.demand = shelf.demand.saturating_sub(1);
        shelf.warm.pop_front().map(|(item, _)| item)
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

/// Waiters that nothing is being created for.
fn unserved<S, W>(shelf: &Shelf<S, W>) -> usize {
    shelf.waiting.len().saturating_sub(shelf.creating)
}

fn lacking<S, W>(shelf: &Shelf<S, W>) -> usize {
    let wanted = shelf.waiting.len() + shelf.demand;
    wanted.saturating_sub(shelf.warm.len() + shelf.creating)
}

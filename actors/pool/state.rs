//! The decisions of the pool, without I/O: the waiting requests, the warm sandboxes, the next creation.

use super::demand::SpecDemand;
use super::fair_queue::{FairQueue, QueueGroup};
use crate::model::SandboxSpec;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bounds of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Warm sandboxes kept per specification in use, at most: how many is for demand to say.
    pub warm: usize,
    /// Creations at once.
    pub parallel_creation: usize,
    /// A warm sandbox older than this is replaced.
    pub max_age: Duration,
    /// A specification nobody has asked for in this time keeps nothing warm.
    pub max_idle: Duration,
    /// A warm sandbox is asked whether it lives when it has not been for this long.
    pub health_check: Duration,
    /// Sandboxes alive at once, leased ones included.
    pub max_live: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            warm: 8,
            parallel_creation: 4,
            max_age: Duration::from_secs(600),
            max_idle: Duration::from_secs(300),
            health_check: Duration::from_secs(5),
            max_live: 4_096,
        }
    }
}

/// One on a shelf.
pub(super) struct WarmItem<S> {
    pub(super) item: S,
    pub(super) born: Instant,
    /// When it last answered.
    pub(super) checked: Instant,
}

struct SpecPool<S, W> {
    warm: VecDeque<WarmItem<S>>,
    waiting: FairQueue<W>,
    creating: usize,
    /// Taken off for a look at whether they live.
    checking: usize,
    /// Creations for others since the last for this one, while somebody waited here.
    passed_over: usize,
    used: Instant,
    demand: SpecDemand,
}

impl<S, W> SpecPool<S, W> {
    fn new(now: Instant) -> Self {
        Self {
            warm: VecDeque::new(),
            waiting: FairQueue::default(),
            creating: 0,
            checking: 0,
            passed_over: 0,
            used: now,
            demand: SpecDemand::default(),
        }
    }

    /// Waiters that nothing is being created for.
    fn unserved(&self) -> usize {
        self.waiting.len().saturating_sub(self.creating)
    }

    fn lacking(&self) -> usize {
        let wanted = self.waiting.len() + self.demand.target();
        wanted.saturating_sub(self.warm.len() + self.creating + self.checking)
    }
}

/// A shelf in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SpecPoolCounts {
    pub(super) warm: usize,
    pub(super) target: usize,
    pub(super) creating: usize,
    pub(super) waiting: usize,
}

/// Shelves of warm things (`S`) and their takers (`W`), by specification.
pub(super) struct SpecPools<S, W> {
    config: PoolConfig,
    shelves: HashMap<Arc<SandboxSpec>, SpecPool<S, W>>,
}

impl<S, W> SpecPools<S, W> {
    pub(super) fn new(config: PoolConfig) -> Self {
        Self { config, shelves: HashMap::new() }
    }

    fn shelf(&mut self, spec: &Arc<SandboxSpec>, now: Instant) -> &mut SpecPool<S, W> {
        let shelf = self.shelves.entry(spec.clone()).or_insert_with(|| SpecPool::new(now));
        shelf.used = now;
        shelf
    }

    /// Takes a warm one that is young enough; old ones are handed back to be dropped.
    pub(super) fn take(
        &mut self,
        spec: &Arc<SandboxSpec>,
        now: Instant,
    ) -> (Option<WarmItem<S>>, Vec<S>) {
        let max_age = self.config.max_age;
        let most = self.config.warm;
        let shelf = self.shelf(spec, now);
        shelf.demand.taken(now, most);
        let mut old = Vec::new();
        while let Some(warm) = shelf.warm.pop_front() {
            if now.duration_since(warm.born) < max_age {
                return (Some(warm), old);
            }
            old.push(warm.item);
        }
        (None, old)
    }

    pub(super) fn wait(
        &mut self,
        spec: &Arc<SandboxSpec>,
        party: QueueGroup,
        waiter: W,
        now: Instant,
    ) {
        self.shelf(spec, now).waiting.push(party, waiter);
    }

    /// What to create one each of now, of what `may` be; counts them as being created.
    /// Somebody waits for those that are `true`; the others are for warmth.
    pub(super) fn plan(
        &mut self,
        may: impl Fn(&SandboxSpec) -> bool,
    ) -> Vec<(Arc<SandboxSpec>, bool)> {
        let mut free = self.config.parallel_creation.saturating_sub(self.creating());
        let mut planned = Vec::new();
        while free > 0 {
            // Waiting requests come before warm sandboxes. Among them, the specification that was
            // passed over most often comes first, so no specification starves another. Then the
            // specification that lacks most sandboxes comes first.
            let most = self
                .shelves
                .iter_mut()
                .filter(|(spec, shelf)| shelf.lacking() > 0 && may(spec))
                .max_by_key(|(_, shelf)| {
                    (shelf.unserved() > 0, shelf.passed_over, shelf.lacking())
                });
            let Some((spec, shelf)) = most else { break };
            planned.push((spec.clone(), shelf.unserved() > 0));
            shelf.creating += 1;
            shelf.passed_over = 0;
            let chosen = spec.clone();
            let others = self.shelves.iter_mut().filter(|(spec, _)| **spec != chosen);
            others.for_each(|(_, shelf)| shelf.passed_over += usize::from(shelf.unserved() > 0));
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

    /// A creation that took so long has come to something.
    pub(super) fn made(&mut self, spec: &Arc<SandboxSpec>, took: Duration) {
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.demand.made(took);
        }
    }

    /// The waiter whose turn it is.
    pub(super) fn next_waiter(&mut self, spec: &Arc<SandboxSpec>) -> Option<W> {
        self.shelves.get_mut(spec)?.waiting.pop()
    }

    /// All waiters for the specifications that `which` selects.
    pub(super) fn all_waiters(&mut self, which: impl Fn(&SandboxSpec) -> bool) -> Vec<W> {
        let chosen = self.shelves.iter_mut().filter(|(spec, _)| which(spec));
        chosen.flat_map(|(_, shelf)| shelf.waiting.drain()).collect()
    }

    /// Forgets waiters who have given up.
    pub(super) fn forget(&mut self, gone: impl Fn(&W) -> bool) {
        self.shelves.values_mut().for_each(|shelf| shelf.waiting.retain(|waiter| !gone(waiter)));
    }

    /// Puts one on its shelf, in the order of their ages; handed back where it is not wanted
    /// any more.
    pub(super) fn keep(
        &mut self,
        spec: &Arc<SandboxSpec>,
        item: S,
        born: Instant,
        now: Instant,
    ) -> Option<S> {
        let most = self.config.warm;
        match self.shelves.get_mut(spec) {
            Some(shelf) if shelf.warm.len() < most => {
                let at = shelf.warm.partition_point(|warm| warm.born <= born);
                shelf.warm.insert(at, WarmItem { item, born, checked: now });
            }
            _ => return Some(item),
        }
        None
    }

    /// Takes the oldest warm one of another specification than `spec`: somebody waits for
    /// the place it has.
    pub(super) fn evict(&mut self, spec: &Arc<SandboxSpec>) -> Option<S> {
        let others = self.shelves.iter_mut().filter(|(other, _)| *other != spec);
        let born = |shelf: &SpecPool<S, W>| shelf.warm.front().map(|warm| warm.born);
        let oldest = others
            .filter_map(|(_, shelf)| born(shelf).map(|born| (born, shelf)))
            .min_by_key(|(born, _)| *born);
        let (_, shelf) = oldest?;
        // Otherwise the two specifications would replace each other in one place again and again.
        shelf.demand.gives_way();
        shelf.warm.pop_front().map(|warm| warm.item)
    }

    /// Warm ones past their age and shelves nobody has used for long. Demand fades.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<S> {
        let PoolConfig { max_age, max_idle, .. } = self.config;
        let mut dropped = Vec::new();
        self.shelves.retain(|_, shelf| {
            let idle = now.duration_since(shelf.used) >= max_idle;
            let old = |warm: &WarmItem<S>| idle || now.duration_since(warm.born) >= max_age;
            while shelf.warm.front().is_some_and(old) {
                dropped.extend(shelf.warm.pop_front().map(|warm| warm.item));
            }
            shelf.demand.fade(now);
            if idle {
                shelf.demand = SpecDemand::default();
            }
            !idle || shelf.creating + shelf.checking > 0 || !shelf.waiting.is_empty()
        });
        dropped
    }

    /// Takes off those that were longest not asked whether they live, where that is long enough
    /// ago; at most half of a shelf, so that none is ever empty for it.
    pub(super) fn take_due_checks(&mut self, now: Instant) -> Vec<(Arc<SandboxSpec>, WarmItem<S>)> {
        let every = self.config.health_check;
        let mut due = Vec::new();
        for (spec, shelf) in &mut self.shelves {
            for _ in 0..shelf.warm.len().div_ceil(2) {
                let longest = shelf.warm.iter().enumerate().min_by_key(|(_, warm)| warm.checked);
                let Some((at, warm)) = longest else { break };
                if now.duration_since(warm.checked) < every {
                    break;
                }
                shelf.checking += 1;
                due.extend(shelf.warm.remove(at).map(|warm| (spec.clone(), warm)));
            }
        }
        due
    }

    /// Such a look has ended.
    pub(super) fn checked(&mut self, spec: &Arc<SandboxSpec>) {
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.checking = shelf.checking.saturating_sub(1);
        }
    }

    pub(super) fn clear(&mut self) -> (Vec<S>, Vec<W>) {
        let mut items = Vec::new();
        let mut waiters = Vec::new();
        for (_, mut shelf) in self.shelves.drain() {
            items.extend(shelf.warm.into_iter().map(|warm| warm.item));
            waiters.extend(shelf.waiting.drain());
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

    /// Whether anything is still to be created.
    pub(super) fn lacks(&self) -> bool {
        self.shelves.values().any(|shelf| shelf.lacking() > 0)
    }

    pub(super) fn level(&self, spec: &SandboxSpec) -> SpecPoolCounts {
        self.shelves.get(spec).map_or(SpecPoolCounts::default(), |shelf| SpecPoolCounts {
            warm: shelf.warm.len(),
            target: shelf.demand.target(),
            creating: shelf.creating,
            waiting: shelf.waiting.len(),
        })
    }
}

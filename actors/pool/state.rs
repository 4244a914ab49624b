//! The decisions of the pool, without I/O and without sandboxes: it is generic over the warm items
//! (`S`) and the waiters (`W`), so that tests can use numbers. It knows the waiting requests and
//! the warm sandboxes of each specification, and decides what is created next.
//!
//! The actor in `actor.rs` owns a [`SpecPools`] and does what it decides.

use super::demand::SpecDemand;
use super::fair_queue::{FairQueue, QueueGroup};
use crate::model::SandboxSpec;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The limits of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// The most warm sandboxes of one specification. The demand decides how many there really are.
    pub warm: usize,
    /// The most creations at the same time.
    pub parallel_creation: usize,
    /// A warm sandbox that is older than this is replaced.
    pub max_age: Duration,
    /// A specification for which nobody has asked in this time keeps no warm sandbox.
    pub max_idle: Duration,
    /// A warm sandbox is checked when its guest has not answered for this long.
    pub health_check: Duration,
    /// The most sandboxes alive at the same time, leased ones included.
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

/// A warm sandbox.
pub(super) struct WarmItem<S> {
    /// The sandbox itself, with its place.
    pub(super) item: S,
    /// When it was created.
    pub(super) born: Instant,
    /// When its guest last answered.
    pub(super) checked: Instant,
}

/// What the pool knows about one specification.
struct SpecPool<S, W> {
    /// The warm sandboxes, oldest first.
    warm: VecDeque<WarmItem<S>>,
    waiting: FairQueue<W>,
    /// Creations that are running, for waiters and for warmth.
    creating: usize,
    /// Warm sandboxes that were taken out for a health check.
    checking: usize,
    /// How many creations others got, while a request waited here, since the last creation for this
    /// specification.
    passed_over: usize,
    /// When somebody last asked for this specification.
    used: Instant,
    demand: SpecDemand,
}

impl<S, W> SpecPool<S, W> {
    /// A specification that nobody has asked for before.
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

    /// Waiting requests for which no creation is running.
    fn unserved(&self) -> usize {
        self.waiting.len().saturating_sub(self.creating)
    }

    /// How many creations are missing: for each waiting request one, and for the warm sandboxes
    /// that the demand asks for.
    fn lacking(&self) -> usize {
        let wanted = self.waiting.len() + self.demand.target();
        wanted.saturating_sub(self.warm.len() + self.creating + self.checking)
    }
}

/// The counts of one specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SpecPoolCounts {
    pub(super) warm: usize,
    /// How many sandboxes should be warm.
    pub(super) target: usize,
    pub(super) creating: usize,
    pub(super) waiting: usize,
}

/// All specifications.
pub(super) struct SpecPools<S, W> {
    config: PoolConfig,
    pools: HashMap<Arc<SandboxSpec>, SpecPool<S, W>>,
}

impl<S, W> SpecPools<S, W> {
    /// A pool that knows no specification yet.
    pub(super) fn new(config: PoolConfig) -> Self {
        Self { config, pools: HashMap::new() }
    }

    /// The entry of a specification, marked as used now.
    fn pool_of(&mut self, spec: &Arc<SandboxSpec>, now: Instant) -> &mut SpecPool<S, W> {
        let pool = self.pools.entry(spec.clone()).or_insert_with(|| SpecPool::new(now));
        pool.used = now;
        pool
    }

    /// Takes the oldest warm item that is not too old. Items that are too old are returned too; the
    /// caller drops them, which ends their sandboxes.
    pub(super) fn take(
        &mut self,
        spec: &Arc<SandboxSpec>,
        now: Instant,
    ) -> (Option<WarmItem<S>>, Vec<S>) {
        let max_age = self.config.max_age;
        let most = self.config.warm;
        let pool = self.pool_of(spec, now);
        pool.demand.taken(now, most);
        let mut old = Vec::new();
        while let Some(warm) = pool.warm.pop_front() {
            if now.duration_since(warm.born) < max_age {
                return (Some(warm), old);
            }
            old.push(warm.item);
        }
        (None, old)
    }

    /// Adds a waiter.
    pub(super) fn wait(
        &mut self,
        spec: &Arc<SandboxSpec>,
        party: QueueGroup,
        waiter: W,
        now: Instant,
    ) {
        self.pool_of(spec, now).waiting.push(party, waiter);
    }

    /// Decides what to create now, of the specifications that `may` accepts, and counts each as
    /// being created. The caller must call `created` for each of them later. The flag is true if a
    /// request waits for the creation, and false if it only keeps a sandbox warm.
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
                .pools
                .iter_mut()
                .filter(|(spec, pool)| pool.lacking() > 0 && may(spec))
                .max_by_key(|(_, pool)| (pool.unserved() > 0, pool.passed_over, pool.lacking()));
            let Some((spec, pool)) = most else { break };
            planned.push((spec.clone(), pool.unserved() > 0));
            pool.creating += 1;
            pool.passed_over = 0;
            let chosen = spec.clone();
            let others = self.pools.iter_mut().filter(|(spec, _)| **spec != chosen);
            others.for_each(|(_, pool)| pool.passed_over += usize::from(pool.unserved() > 0));
            free -= 1;
        }
        planned
    }

    /// A creation has ended, with or without success.
    pub(super) fn created(&mut self, spec: &Arc<SandboxSpec>) {
        if let Some(pool) = self.pools.get_mut(spec) {
            pool.creating = pool.creating.saturating_sub(1);
        }
    }

    /// A creation succeeded and took this long.
    pub(super) fn made(&mut self, spec: &Arc<SandboxSpec>, took: Duration) {
        if let Some(pool) = self.pools.get_mut(spec) {
            pool.demand.made(took);
        }
    }

    /// Removes the next waiter in turn; none if nobody waits.
    pub(super) fn next_waiter(&mut self, spec: &Arc<SandboxSpec>) -> Option<W> {
        self.pools.get_mut(spec)?.waiting.pop()
    }

    /// Removes all waiters for the specifications that `which` selects.
    pub(super) fn all_waiters(&mut self, which: impl Fn(&SandboxSpec) -> bool) -> Vec<W> {
        let chosen = self.pools.iter_mut().filter(|(spec, _)| which(spec));
        chosen.flat_map(|(_, pool)| pool.waiting.drain()).collect()
    }

    /// Removes the waiters that have given up.
    pub(super) fn forget(&mut self, gone: impl Fn(&W) -> bool) {
        self.pools.values_mut().for_each(|pool| pool.waiting.retain(|waiter| !gone(waiter)));
    }

    /// Keeps an item warm. It is returned if there are enough warm items, or if the specification
    /// is not used any more.
    pub(super) fn keep(
        &mut self,
        spec: &Arc<SandboxSpec>,
        item: S,
        born: Instant,
        now: Instant,
    ) -> Option<S> {
        let most = self.config.warm;
        match self.pools.get_mut(spec) {
            Some(pool) if pool.warm.len() < most => {
                let at = pool.warm.partition_point(|warm| warm.born <= born);
                pool.warm.insert(at, WarmItem { item, born, checked: now });
            }
            _ => return Some(item),
        }
        None
    }

    /// Removes the oldest warm item of another specification than `spec`, because a request needs
    /// its place.
    pub(super) fn evict(&mut self, spec: &Arc<SandboxSpec>) -> Option<S> {
        let others = self.pools.iter_mut().filter(|(other, _)| *other != spec);
        let born = |pool: &SpecPool<S, W>| pool.warm.front().map(|warm| warm.born);
        let oldest = others
            .filter_map(|(_, pool)| born(pool).map(|born| (born, pool)))
            .min_by_key(|(born, _)| *born);
        let (_, pool) = oldest?;
        // Otherwise the two specifications would replace each other in one place again and again.
        pool.demand.gives_way();
        pool.warm.pop_front().map(|warm| warm.item)
    }

    /// Removes the items that are too old, and the specifications that nobody has used for long. It
    /// also lets the demand fade. The removed items are for the caller to drop.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<S> {
        let PoolConfig { max_age, max_idle, .. } = self.config;
        let mut dropped = Vec::new();
        self.pools.retain(|_, pool| {
            let idle = now.duration_since(pool.used) >= max_idle;
            let old = |warm: &WarmItem<S>| idle || now.duration_since(warm.born) >= max_age;
            while pool.warm.front().is_some_and(old) {
                dropped.extend(pool.warm.pop_front().map(|warm| warm.item));
            }
            pool.demand.decay(now);
            if idle {
                pool.demand = SpecDemand::default();
            }
            // An entry must stay while a creation or a check will come back to it.
            !idle || pool.creating + pool.checking > 0 || !pool.waiting.is_empty()
        });
        dropped
    }

    /// Takes out the items whose health check is due, those that were not checked for longest
    /// first. At most half of the items of a specification, rounded up, are taken, so that warm
    /// items are left for requests, unless there is only one.
    pub(super) fn take_due_checks(&mut self, now: Instant) -> Vec<(Arc<SandboxSpec>, WarmItem<S>)> {
        let every = self.config.health_check;
        let mut due = Vec::new();
        for (spec, pool) in &mut self.pools {
            for _ in 0..pool.warm.len().div_ceil(2) {
                let longest = pool.warm.iter().enumerate().min_by_key(|(_, warm)| warm.checked);
                let Some((at, warm)) = longest else { break };
                if now.duration_since(warm.checked) < every {
                    break;
                }
                pool.checking += 1;
                due.extend(pool.warm.remove(at).map(|warm| (spec.clone(), warm)));
            }
        }
        due
    }

    /// A health check has ended, with or without success.
    pub(super) fn checked(&mut self, spec: &Arc<SandboxSpec>) {
        if let Some(pool) = self.pools.get_mut(spec) {
            pool.checking = pool.checking.saturating_sub(1);
        }
    }

    /// Removes everything, when the pool shuts down.
    pub(super) fn clear(&mut self) -> (Vec<S>, Vec<W>) {
        let mut items = Vec::new();
        let mut waiters = Vec::new();
        for (_, mut pool) in self.pools.drain() {
            items.extend(pool.warm.into_iter().map(|warm| warm.item));
            waiters.extend(pool.waiting.drain());
        }
        (items, waiters)
    }

    /// The running creations of all specifications.
    pub(super) fn creating(&self) -> usize {
        self.pools.values().map(|s| s.creating).sum()
    }

    /// The warm items of all specifications.
    pub(super) fn warm(&self) -> usize {
        self.pools.values().map(|s| s.warm.len()).sum()
    }

    /// The waiters of all specifications.
    pub(super) fn waiting(&self) -> usize {
        self.pools.values().map(|s| s.waiting.len()).sum()
    }

    /// Whether any creation is missing.
    pub(super) fn lacks(&self) -> bool {
        self.pools.values().any(|pool| pool.lacking() > 0)
    }

    /// The counts of one specification; all zero if it is not known.
    pub(super) fn level(&self, spec: &SandboxSpec) -> SpecPoolCounts {
        self.pools.get(spec).map_or(SpecPoolCounts::default(), |pool| SpecPoolCounts {
            warm: pool.warm.len(),
            target: pool.demand.target(),
            creating: pool.creating,
            waiting: pool.waiting.len(),
        })
    }
}

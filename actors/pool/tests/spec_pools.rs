//! [`SpecPools`] agrees with a simple model that records everything that happened.

use crate::model::SandboxSpec;
use crate::pool::PoolConfig;
use crate::pool::state::SpecPools;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SPECS: usize = 3;

#[derive(Clone, Debug)]
enum PoolChange {
    Take(usize),
    Created(usize),
    Failed(usize),
    GiveUp(u8),
    Evict(usize),
    Pass(u64),
}

fn changes() -> impl Strategy<Value = Vec<PoolChange>> {
    let spec = 0..SPECS;
    let change = prop_oneof![
        4 => spec.clone().prop_map(PoolChange::Take),
        4 => spec.clone().prop_map(PoolChange::Created),
        1 => spec.clone().prop_map(PoolChange::Failed),
        1 => any::<u8>().prop_map(PoolChange::GiveUp),
        1 => spec.prop_map(PoolChange::Evict),
        1 => (0u64..700).prop_map(PoolChange::Pass),
    ];
    proptest::collection::vec(change, 0..150)
}

fn spec(number: usize) -> Arc<SandboxSpec> {
    Arc::new(SandboxSpec { image: number.to_string(), ..SandboxSpec::default() })
}

/// Items and waiters are numbers; who waits is kept in order, who has what in a map.
struct Model {
    pools: SpecPools<u32, u32>,
    config: PoolConfig,
    now: Instant,
    next: u32,
    waiting: [VecDeque<u32>; SPECS],
    creating: [usize; SPECS],
    warm_items: HashMap<u32, (usize, Instant)>,
}

impl Model {
    fn new(config: PoolConfig) -> Self {
        Self {
            pools: SpecPools::new(config.clone()),
            config,
            now: Instant::now(),
            next: 0,
            waiting: Default::default(),
            creating: [0; SPECS],
            warm_items: HashMap::new(),
        }
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn drop_shelved(&mut self, items: Vec<u32>) {
        for item in items {
            assert!(self.warm_items.remove(&item).is_some(), "{item} was not warm");
        }
    }

    fn take(&mut self, n: usize) {
        let (taken, old) = self.pools.take(&spec(n), self.now);
        self.drop_shelved(old);
        match taken {
            Some(warm) => {
                let (from, born) = self.warm_items.remove(&warm.item).expect("warm");
                assert_eq!(from, n, "never across specifications");
                assert!(self.now - born < self.config.max_age, "never an old one");
                let older = self.warm_items.values().any(|(m, b)| *m == n && *b < born);
                assert!(!older, "the oldest that is young enough");
            }
            None => {
                assert!(self.warm_items.values().all(|(m, _)| *m != n), "a warm one was there");
                let waiter = self.fresh();
                self.pools.wait(&spec(n), "a".into(), waiter, self.now);
                self.waiting[n].push_back(waiter);
            }
        }
    }

    fn end_creation(&mut self, n: usize, success: bool) {
        if self.creating[n] == 0 {
            return;
        }
        self.creating[n] -= 1;
        self.pools.created(&spec(n));
        let waiter = self.pools.next_waiter(&spec(n));
        assert_eq!(waiter, self.waiting[n].pop_front(), "first come, first served");
        if waiter.is_none() && success {
            let item = self.fresh();
            match self.pools.keep(&spec(n), item, self.now, self.now) {
                None => drop(self.warm_items.insert(item, (n, self.now))),
                Some(back) => assert_eq!(back, item),
            }
        }
    }

    fn give_up(&mut self, pick: u8) {
        let everybody: Vec<u32> = self.waiting.iter().flatten().copied().collect();
        if let Some(who) = everybody.get(usize::from(pick) % everybody.len().max(1)) {
            self.pools.forget(|waiter| waiter == who);
            self.waiting.iter_mut().for_each(|line| line.retain(|waiter| waiter != who));
        }
    }

    fn evict(&mut self, n: usize) {
        let oldest = self.warm_items.iter().filter(|(_, (m, _))| *m != n);
        let oldest = oldest.map(|(_, (_, born))| *born).min();
        let evicted = self.pools.evict(&spec(n));
        assert_eq!(evicted.is_some(), oldest.is_some());
        if let Some(item) = evicted {
            let (from, born) = self.warm_items.remove(&item).expect("warm");
            assert!(from != n && Some(born) == oldest);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        let dropped = self.pools.expire(self.now);
        self.drop_shelved(dropped);
        for (spec, warm) in self.pools.take_due_checks(self.now) {
            // It lives, and goes back to where it was.
            let (from, born) = self.warm_items[&warm.item];
            assert_eq!((spec.image.clone(), warm.born), (from.to_string(), born));
            self.pools.checked(&spec);
            assert_eq!(self.pools.keep(&spec, warm.item, warm.born, self.now), None);
        }
        let old = |born: &Instant| self.now - *born >= self.config.max_age;
        assert!(!self.warm_items.values().any(|(_, born)| old(born)), "an old one was left");
    }

    fn plan(&mut self) {
        for (planned, awaited) in self.pools.plan(|_| true) {
            let n: usize = planned.image.parse().expect("a number");
            assert_eq!(awaited, self.waiting[n].len() > self.creating[n]);
            self.creating[n] += 1;
        }
    }

    fn check(&self) {
        let creating: usize = self.creating.iter().sum();
        assert!(creating <= self.config.parallel_creation, "bounded");
        assert_eq!(self.pools.creating(), creating);
        assert_eq!(self.pools.warm(), self.warm_items.len());
        let waiting: usize = self.waiting.iter().map(VecDeque::len).sum();
        assert_eq!(self.pools.waiting(), waiting);
        for n in 0..SPECS {
            let warm = self.warm_items.values().filter(|(m, _)| *m == n).count();
            assert!(warm <= self.config.warm);
            let served = self.waiting[n].len() <= self.creating[n];
            assert!(served || creating == self.config.parallel_creation, "nobody is forgotten");
        }
    }
}

proptest! {
    #[test]
    fn pools_do_what_they_should(changes in changes(), warm in 0usize..4, parallel in 1usize..4) {
        let config = PoolConfig { warm, parallel_creation: parallel, ..PoolConfig::default() };
        let mut model = Model::new(config);
        for change in changes {
            match change {
                PoolChange::Take(n) => model.take(n),
                PoolChange::Created(n) => model.end_creation(n, true),
                PoolChange::Failed(n) => model.end_creation(n, false),
                PoolChange::GiveUp(pick) => model.give_up(pick),
                PoolChange::Evict(n) => model.evict(n),
                PoolChange::Pass(seconds) => model.pass(seconds),
            }
            model.plan();
            model.check();
        }
        let (items, waiters) = model.pools.clear();
        prop_assert_eq!(items.len(), model.warm_items.len());
        prop_assert_eq!(waiters.len(), model.waiting.iter().map(VecDeque::len).sum::<usize>());
    }
}

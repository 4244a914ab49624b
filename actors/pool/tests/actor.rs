//! The pool actor over fake sandboxes.

use crate::model::{BackendKind, CampaignName, FaultKind, SandboxSpec};
use crate::pool::{PoolConfig, PoolHandle, SandboxLease};
use crate::supervisor::spawn;
use crate::testkit::{Kit, Options, Panic, Trap, in_test_system};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

fn spec(image: &str) -> Arc<SandboxSpec> {
    Arc::new(SandboxSpec { image: image.to_owned(), ..SandboxSpec::default() })
}

fn options(warm: usize) -> Options {
    let pool = PoolConfig { warm, parallel_creation: 3, ..PoolConfig::default() };
    Options { pool, ..Options::default() }
}

type Acquired = AbortOnDropHandle<Result<SandboxLease, crate::model::Fault>>;

fn acquire(kit: &Kit, image: &str) -> Acquired {
    let (pool, spec) = (kit.services.pool.clone(), spec(image));
    spawn("acquire", async move { pool.acquire(&spec).await })
}

async fn lease(kit: &Kit, image: &str) -> SandboxLease {
    kit.services.pool.acquire(&spec(image)).await.unwrap()
}

#[test]
fn leases_are_handed_out_in_order_and_creation_is_bounded() {
    in_test_system(options(2), |kit| async move {
        let order = Arc::new(Mutex::new(Vec::new()));
        let leases: Vec<_> = (0..20)
            .map(|n| {
                let (pool, order) = (kit.services.pool.clone(), order.clone());
                spawn("acquire", async move {
                    let lease = pool.acquire(&spec("a")).await.unwrap();
                    order.lock().unwrap().push(n);
                    lease
                })
            })
            .collect();
        let mut held = Vec::new();
        for lease in leases {
            held.push(lease.await.unwrap());
        }
        // Those created at the same instant may come in either order.
        let order = order.lock().unwrap().clone();
        assert!(order.iter().enumerate().all(|(at, n)| at.abs_diff(*n) < 3), "{order:?}");
        assert!(kit.backend.peak_creating() <= 3);
        assert_eq!(kit.backend.live(), 20 + kit.services.pool.stats().await.warm);
    });
}

#[test]
fn every_sandbox_is_used_once() {
    in_test_system(options(2), |kit| async move {
        for _ in 0..10 {
            drop(lease(&kit, "a").await);
            sleep(Duration::from_millis(20)).await;
        }
        let stats = kit.services.pool.stats().await;
        assert_eq!((stats.hits, stats.misses), (9, 1));
        assert_eq!(kit.backend.created(), 10 + stats.warm);
        assert_eq!(kit.backend.live(), stats.warm);
    });
}

#[test]
fn old_ones_are_replaced() {
    let pool = PoolConfig { max_idle: Duration::from_secs(10_000), ..options(2).pool };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        drop(lease(&kit, "a").await);
        sleep(Duration::from_secs(595)).await;
        assert_eq!((kit.backend.created(), kit.services.pool.stats().await.warm), (2, 1));
        sleep(Duration::from_secs(20)).await;
        assert_eq!((kit.backend.created(), kit.services.pool.stats().await.warm), (3, 1));
        assert_eq!(kit.backend.live(), 1);
    });
}

#[test]
fn what_nobody_asks_for_is_not_kept() {
    in_test_system(options(2), |kit| async move {
        drop(lease(&kit, "a").await);
        sleep(Duration::from_secs(250)).await;
        drop(lease(&kit, "a").await);
        sleep(Duration::from_secs(290)).await;
        let stats = kit.services.pool.stats().await;
        assert_eq!((stats.hits, stats.warm), (1, 1), "somebody was here lately");
        sleep(Duration::from_secs(20)).await;
        assert_eq!((kit.services.pool.stats().await.warm, kit.backend.live()), (0, 0));
    });
}

/// Sandboxes are made again before a request needs them.
#[test]
fn dead_warm_ones_are_replaced() {
    in_test_system(options(2), |kit| async move {
        drop(lease(&kit, "a").await);
        sleep(Duration::from_secs(10)).await;
        kit.backend.traps().once("ping", Trap::Fault(FaultKind::SandboxLost));
        sleep(Duration::from_secs(60)).await;
        let stats = kit.services.pool.stats().await;
        assert_eq!((stats.specs[0].died, stats.warm, kit.backend.live()), (1, 1, 1));
        drop(lease(&kit, "a").await);
        assert_eq!(kit.services.pool.stats().await.hits, 1);
    });
}

/// A thousand requests of one campaign do not delay another campaign.
#[test]
fn campaigns_take_turns() {
    let pool = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        let greedy = kit.services.pool.for_campaign(&CampaignName("greedy".to_owned()));
        let modest = kit.services.pool.for_campaign(&CampaignName("modest".to_owned()));
        let asked = |pool: &PoolHandle| {
            let pool = pool.clone();
            spawn("acquire", async move { pool.acquire(&spec("a")).await.map(drop) })
        };
        let many: Vec<_> = (0..100).map(|_| asked(&greedy)).collect();
        sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        asked(&modest).await.unwrap().unwrap();
        assert!(begun.elapsed() <= Duration::from_millis(25), "it waited behind the others");
        for one in many {
            one.await.unwrap().unwrap();
        }
    });
}

/// While a backend is down, waiters go on waiting and get no fault.
#[test]
fn a_backend_that_is_down_is_waited_for() {
    in_test_system(options(2), |kit| async move {
        kit.backend.traps().set("create", 0, usize::MAX, Trap::Fault(FaultKind::EngineDown));
        let waiters: Vec<Acquired> = (0..20).map(|_| acquire(&kit, "a")).collect();
        sleep(Duration::from_secs(3_600)).await;
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        let stats = kit.services.pool.stats().await;
        assert_eq!((stats.waiting, stats.breaker_open), (20, true));
        assert!(stats.failed < 3_600 / 5 + 20, "probed, not hammered: {}", stats.failed);
        assert!(stats.down[&BackendKind::Namespace].contains("a trap at create"));
        assert_eq!(*kit.services.pool.down().borrow(), stats.down);
        kit.backend.traps().clear();
        let back = Instant::now();
        for waiter in waiters {
            drop(waiter.await.unwrap().unwrap());
        }
        assert!(back.elapsed() < Duration::from_secs(6));
        assert!(kit.services.pool.stats().await.down.is_empty());
    });
}

/// A backend that is down does not delay requests for another backend.
#[test]
fn backends_fail_each_for_itself() {
    in_test_system(options(1), |kit| async move {
        kit.backend.traps().set("create contained", 0, 99, Trap::Fault(FaultKind::EngineDown));
        let contained =
            SandboxSpec { backend: BackendKind::Docker, ..(*spec("contained")).clone() };
        let (pool, contained) = (kit.services.pool.clone(), Arc::new(contained));
        let waiting = spawn("acquire", async move { pool.acquire(&contained).await.map(drop) });
        sleep(Duration::from_secs(1)).await;
        for _ in 0..20 {
            drop(lease(&kit, "a").await);
        }
        assert!(!waiting.is_finished());
    });
}

/// A refusal goes to the request that caused it, and does not count against the backend.
#[test]
fn a_refusal_opens_no_breaker() {
    in_test_system(options(0), |kit| async move {
        kit.backend.traps().set("create odd", 0, 99, Trap::Fault(FaultKind::SandboxRefused));
        for _ in 0..20 {
            let refused = kit.services.pool.acquire(&spec("odd")).await.err().unwrap();
            assert_eq!(refused.kind, FaultKind::SandboxRefused);
        }
        assert!(!kit.services.pool.stats().await.breaker_open);
        drop(lease(&kit, "a").await);
    });
}

#[test]
fn dead_warm_ones_are_found_by_the_ping() {
    // Nobody looks at them in between.
    let pool = PoolConfig { health_check: Duration::from_secs(1_000), ..options(2).pool };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        let both = [acquire(&kit, "a"), acquire(&kit, "a")];
        for one in both {
            drop(one.await.unwrap().unwrap());
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(kit.services.pool.stats().await.warm, 2);
        let created = kit.backend.created();
        kit.backend.traps().set("ping", 0, 2, Trap::Fault(FaultKind::SandboxLost));
        let live = lease(&kit, "a").await;
        assert!(kit.backend.created() > created, "both warm ones were dead");
        drop(live);
    });
}

#[test]
fn a_waiter_that_gives_up_leaves_its_sandbox_to_the_next() {
    in_test_system(options(0), |kit| async move {
        kit.backend.traps().set("create", 0, 1, Trap::Slow(Duration::from_secs(5)));
        let first = acquire(&kit, "a");
        sleep(Duration::from_secs(1)).await;
        drop(first);
        kit.backend.traps().set("create", 0, 9, Trap::Slow(Duration::from_secs(500)));
        let began = Instant::now();
        let second = lease(&kit, "a").await;
        assert!(began.elapsed() < Duration::from_secs(5), "it took the one under way");
        drop(second);
    });
}

#[test]
fn nobody_waits_for_ever_behind_an_open_breaker() {
    let pool = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        kit.backend.traps().set("create", 0, 8, Trap::Fault(FaultKind::SandboxStart));
        let waiters: Vec<Acquired> = (0..20).map(|_| acquire(&kit, "a")).collect();
        let began = Instant::now();
        sleep(Duration::from_millis(300)).await;
        let stats = kit.services.pool.stats().await;
        assert_eq!((stats.breaker_open, stats.failed, stats.waiting), (true, 8, 12));
        // No other request comes: the breaker's own probe serves those who still wait.
        let mut served = Vec::new();
        for waiter in waiters {
            served.extend(waiter.await.unwrap().ok());
        }
        assert_eq!(served.len(), 12);
        assert!(began.elapsed() < Duration::from_secs(2), "not by the way of some other timer");
        assert!(!kit.services.pool.stats().await.breaker_open);
    });
}

#[test]
fn a_failed_probe_is_told_to_everybody() {
    let pool = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        kit.backend.traps().set("create", 0, 9, Trap::Fault(FaultKind::SandboxStart));
        let waiters: Vec<Acquired> = (0..20).map(|_| acquire(&kit, "a")).collect();
        for waiter in waiters {
            assert!(waiter.await.unwrap().is_err());
        }
        assert_eq!(kit.services.pool.stats().await.failed, 9);
        drop(lease(&kit, "a").await);
    });
}

#[test]
fn an_outage_is_probed_not_hammered() {
    in_test_system(options(2), |kit| async move {
        kit.backend.traps().set("create", 0, usize::MAX, Trap::Fault(FaultKind::SandboxStart));
        for _ in 0..3 {
            let waiters: Vec<Acquired> = (0..20).map(|_| acquire(&kit, "a")).collect();
            for waiter in waiters {
                let fault = waiter.await.unwrap().err().unwrap();
                assert_eq!(fault.kind, FaultKind::SandboxStart);
            }
        }
        let stats = kit.services.pool.stats().await;
        assert!(stats.breaker_open && stats.failed < 20, "{stats:?}");
        sleep(Duration::from_secs(300)).await;
        let later = kit.services.pool.stats().await;
        assert!(later.failed - stats.failed < 20, "a probe every now and then");
        kit.backend.traps().clear();
        sleep(Duration::from_secs(60)).await;
        drop(lease(&kit, "a").await);
        assert!(!kit.services.pool.stats().await.breaker_open);
    });
}

/// A backend that is back and refuses one thing makes the others.
#[test]
fn a_refused_probe_says_nothing_of_other_specifications() {
    let pool = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        kit.backend.traps().once("create odd", Trap::Fault(FaultKind::EngineDown));
        kit.backend.traps().set("create odd", 0, 9, Trap::Fault(FaultKind::SandboxRefused));
        // Whichever of the two is made first is the probe, and is told of itself alone.
        let (odd, odder) = (acquire(&kit, "odd"), acquire(&kit, "odder"));
        sleep(Duration::from_millis(100)).await;
        assert!(kit.services.pool.stats().await.breaker_open);
        for (waiter, name) in [(odd, "odd"), (odder, "odder")] {
            let refused = waiter.await.unwrap().err().unwrap();
            assert_eq!(refused.kind, FaultKind::SandboxRefused);
            assert_eq!(refused.message, format!("a trap at create {name}"));
        }
        drop(lease(&kit, "a").await);
        let stats = kit.services.pool.stats().await;
        assert!(!stats.breaker_open && stats.down.is_empty());
    });
}

/// A specification gets its creations, however many requests wait for another one.
#[test]
fn no_specification_starves_another() {
    let pool = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        let many: Vec<Acquired> = (0..100).map(|_| acquire(&kit, "many")).collect();
        sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        drop(lease(&kit, "few").await);
        assert!(begun.elapsed() <= Duration::from_millis(25), "it waited behind the others");
        for one in many {
            drop(one.await.unwrap().unwrap());
        }
    });
}

#[test]
fn waiting_leases_are_served_after_a_rebuild() {
    in_test_system(options(2), |kit| async move {
        kit.backend.traps().set("create", 0, 3, Trap::Slow(Duration::from_secs(3)));
        let waiters: Vec<Acquired> = (0..10).map(|_| acquire(&kit, "a")).collect();
        sleep(Duration::from_secs(1)).await;
        kit.services.pool.raw().tell(Panic).await;
        let mut leases = Vec::new();
        for waiter in waiters {
            leases.push(waiter.await.unwrap().unwrap());
        }
        assert_eq!(leases.len(), 10);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(kit.backend.live(), 10 + kit.services.pool.stats().await.warm);
    });
}

/// A request that kills the pool is set aside after two deaths, and the pool serves the others.
#[test]
fn a_deadly_request_is_set_aside() {
    in_test_system(options(1), |kit| async move {
        let deadly = kit.services.pool.acquire(&spec(super::super::actor::DEADLY_IMAGE)).await;
        let kind = deadly.err().map(|fault| fault.kind);
        assert_eq!(kind, Some(crate::model::FaultKind::MessageSetAside));
        drop(lease(&kit, "a").await);
        assert_eq!(kit.services.pool.actor_stats().panics, 2);
    });
}

#[test]
fn the_bound_on_live_sandboxes_holds_over_a_rebuild() {
    let pool = PoolConfig { warm: 3, parallel_creation: 3, max_live: 4, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        let mut leases = vec![lease(&kit, "a").await, lease(&kit, "a").await];
        kit.services.pool.raw().tell(Panic).await;
        leases.push(lease(&kit, "a").await);
        leases.push(lease(&kit, "a").await);
        let waiter = acquire(&kit, "a");
        sleep(Duration::from_secs(60)).await;
        assert!(!waiter.is_finished());
        assert_eq!(kit.backend.peak_live(), 4);
        leases.pop();
        leases.push(waiter.await.unwrap().unwrap());
        assert_eq!(kit.backend.peak_live(), 4);
    });
}

#[test]
fn warmth_gives_way_to_who_waits() {
    let pool = PoolConfig { warm: 4, parallel_creation: 3, max_live: 4, ..PoolConfig::default() };
    in_test_system(Options { pool, ..Options::default() }, |kit| async move {
        let all: Vec<Acquired> = (0..4).map(|_| acquire(&kit, "a")).collect();
        for one in all {
            drop(one.await.unwrap().unwrap());
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(kit.services.pool.stats().await.warm, 4, "every place is taken by warmth");
        let began = Instant::now();
        drop(lease(&kit, "b").await);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(kit.backend.peak_live(), 4);
    });
}

#[test]
fn a_closed_pool_refuses_and_stays_closed() {
    in_test_system(options(2), |kit| async move {
        drop(lease(&kit, "a").await);
        kit.backend.traps().set("create b", 0, 9, Trap::Hang);
        let waiter = acquire(&kit, "b");
        sleep(Duration::from_secs(1)).await;
        kit.services.pool.shut_down().await;
        assert_eq!(waiter.await.unwrap().err().unwrap().kind, FaultKind::Cancelled);
        kit.services.pool.raw().tell(Panic).await;
        let refused = kit.services.pool.acquire(&spec("a")).await.err().unwrap();
        assert_eq!(refused.kind, FaultKind::Cancelled);
        sleep(Duration::from_secs(60)).await;
        assert_eq!((kit.backend.live(), kit.services.pool.stats().await.creating), (0, 0));
    });
}

#[test]
fn a_backend_that_panics_is_a_fault() {
    in_test_system(options(0), |kit| async move {
        kit.backend.traps().once("create", Trap::Panic);
        let fault = kit.services.pool.acquire(&spec("a")).await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::SandboxStart);
        assert!(fault.message.contains("a trap at create"));
        drop(lease(&kit, "a").await);
    });
}

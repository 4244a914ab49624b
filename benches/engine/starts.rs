//! Bringing a sandbox up, cold against bubblewrap with the same kind of mounts, and warm.

use crate::commands::spec;
use crate::{Figure, median, synthd};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::model::SandboxSpec;
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::SandboxBackend;

const ROUNDS: usize = 200;

pub async fn measure() -> Vec<Figure> {
    let backend = Arc::new(NamespaceBackend::new(synthd()));
    let peer = bubblewrap().is_some();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let sandbox = backend.create(&spec()).await.unwrap();
        ours.push(started.elapsed());
        drop(sandbox);
        backend.settle().await.unwrap();
        theirs.extend(bubblewrap());
    }
    if !peer {
        println!("SKIPPED: bwrap is not installed, so a cold start has no peer here");
    }
    let cold = median(&mut ours);
    let theirs = peer.then(|| median(&mut theirs));
    vec![
        Figure::time("cold start of a sandbox, p50", cold, theirs, "<= 1.0x of bwrap"),
        Figure::time(
            "lease of a warm sandbox, p50",
            warm(backend, spec(), ROUNDS).await,
            None,
            "<= 1 ms",
        ),
    ]
}

/// The same namespaces and mounts, running `true`.
fn bubblewrap() -> Option<Duration> {
    let started = Instant::now();
    let status = Command::new("bwrap")
        .args(["--unshare-all", "--unshare-user", "--die-with-parent", "--ro-bind", "/usr", "/usr"])
        .args(["--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"])
        .args(["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"])
        .args(["--tmpfs", "/tmp", "--tmpfs", "/work", "--tmpfs", "/home", "--tmpfs", "/run"])
        .args(["--cap-drop", "ALL", "/bin/true"])
        .status()
        .ok()?;
    status.success().then(|| started.elapsed())
}

/// The median of so many leases that found a warm one.
pub async fn warm(backend: Arc<dyn SandboxBackend>, spec: SandboxSpec, rounds: usize) -> Duration {
    let (pool, _life) = PoolHandle::start(backend.clone(), PoolConfig::default());
    let spec = Arc::new(spec);
    let mut times = Vec::new();
    for _ in 0..rounds {
        // Only leases that found a warm one count.
        while pool.stats().await.warm == 0 {
            drop(pool.acquire(&spec).await.unwrap());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let started = Instant::now();
        let lease = pool.acquire(&spec).await.unwrap();
        times.push(started.elapsed());
        drop(lease);
    }
    pool.shut_down().await;
    backend.settle().await.unwrap();
    median(&mut times)
}

//! A thousand episodes at once that mostly sleep: what they cost in memory, and how late
//! the latest timer is meanwhile.

use crate::Figure;
use crate::steps::campaign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use synthd_actors::supervisor::spawn;

const EPISODES: usize = 1_000;
const TICK: Duration = Duration::from_millis(10);

pub async fn measure() -> Vec<Figure> {
    let latest = Arc::new(AtomicU64::new(0));
    let largest = Arc::new(AtomicU64::new(0));
    let (late, large) = (latest.clone(), largest.clone());
    let watcher = spawn("watcher", async move {
        loop {
            let due = Instant::now() + TICK;
            tokio::time::sleep(TICK).await;
            let lateness = Instant::now().saturating_duration_since(due);
            late.fetch_max(lateness.as_millis() as u64, Ordering::Relaxed);
            large.fetch_max(resident_kib(), Ordering::Relaxed);
        }
    });
    let (progress, took) = campaign(EPISODES, "sleep 2", 5).await;
    drop(watcher);
    assert_eq!(progress.episodes.resolved as usize, EPISODES);
    let memory = largest.load(Ordering::Relaxed) / 1_024;
    let late = latest.load(Ordering::Relaxed);
    vec![
        Figure::plain("1,000 episodes at once: resident", format!("{memory} MiB"), "<= 512 MiB"),
        Figure::plain("the same: latest timer", format!("{late} ms"), "<= 100 ms"),
        Figure::plain("the same: wall time", format!("{:.1} s", took.as_secs_f64()), "-"),
    ]
}

/// Resident memory of this process, which is the engine.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

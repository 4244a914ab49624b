//! One model as one campaign uses it, through whichever of its keys is free.

use super::lane::Lanes;
use super::way::{Blocked, Pass, Way, WayStats};
use crate::model::{CallFault, ChatReply, EpisodeId, Fault, FaultKind, ModelConfig, digest_of};
use crate::ports::{ChatModel, ModelFactory};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// A wait that is longer than this is none: somebody must look.
pub(super) const MOST_WAITED: Duration = Duration::from_secs(30 * 60);
/// Probes that fail before whoever waits for one to succeed has waited enough.
const PROBES: u64 = 5;

pub(super) struct ModelSlot {
    pub(super) config: ModelConfig,
    ways: Vec<Arc<Way>>,
    changed: Arc<Notify>,
    /// Who wants to leave stands in it: the first leaves first.
    line: tokio::sync::Mutex<()>,
    pub(super) calls: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) failures: AtomicU64,
    /// How long answers take of late, in microseconds; zero before the first.
    latency: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    pub model: String,
    pub calls: u64,
    pub retries: u64,
    pub failures: u64,
    pub in_flight: usize,
    /// How long answers take of late; none before the first.
    pub latency_ms: Option<u64>,
    /// One for each key.
    pub ways: Vec<WayStats>,
}

/// A model with a way for each of its keys.
pub struct Manned {
    pub(super) config: ModelConfig,
    ways: Vec<(ModelConfig, Arc<dyn ChatModel>)>,
}

impl Manned {
    pub fn new(config: &ModelConfig, factory: &dyn ModelFactory) -> Result<Self, Fault> {
        let ways = config.with_each_key().into_iter().map(|alone| {
            let model = factory.model(&alone)?;
            Ok((alone, model))
        });
        Ok(Self { config: config.clone(), ways: ways.collect::<Result<_, Fault>>()? })
    }
}

impl ModelSlot {
    pub(super) fn new(manned: Manned, lanes: &Lanes) -> Self {
        let way = |(config, model): (ModelConfig, Arc<dyn ChatModel>)| {
            let lane = config.endpoint.as_ref().map(|at| lanes.of(config.provider(), at));
            Arc::new(Way::new(&config, lane, model, lanes.changed.clone()))
        };
        Self {
            config: manned.config,
            ways: manned.ways.into_iter().map(way).collect(),
            changed: lanes.changed.clone(),
            line: tokio::sync::Mutex::default(),
            calls: AtomicU64::default(),
            retries: AtomicU64::default(),
            failures: AtomicU64::default(),
            latency: AtomicU64::default(),
        }
    }

    /// Waits until one of its keys may be used, in the order in which it was wanted. An episode
    /// keeps to one key while it can: what its provider has cached is that key's.
    pub(super) async fn pass(&self, episode: &EpisodeId, tokens: u64) -> Result<Pass, Fault> {
        let _first = self.line.lock().await;
        let home = self.home(episode);
        let failed_before: u64 = self.ways.iter().map(|way| way.trouble().0).sum();
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Before looking, so that no change in between goes unseen.
            changed.as_mut().enable();
            let obstacles = match self.try_pass(home, tokens) {
                Ok(pass) => return Ok(pass),
                Err(obstacles) => obstacles,
            };
            if obstacles.iter().all(|blocked| matches!(blocked, Blocked::Down(_))) {
                self.give_up_after(failed_before)?;
            }
            let wait = obstacles.iter().filter_map(Blocked::wait).min();
            if let Some(wait) = wait.filter(|wait| *wait > MOST_WAITED) {
                return Err(self.too_long(wait));
            }
            tokio::select! { () = changed => {} () = sleep(wait.unwrap_or(MOST_WAITED)) => {} }
        }
    }

    /// The first key that is free, from the episode's own on; else what is in the way of each.
    fn try_pass(&self, home: usize, tokens: u64) -> Result<Pass, Vec<Blocked>> {
        let now = Instant::now();
        let mut obstacles = Vec::new();
        for way in self.ways.iter().cycle().skip(home).take(self.ways.len()) {
            match way.try_pass(tokens, now) {
                Ok(pass) => return Ok(pass),
                Err(blocked) => obstacles.push(blocked),
            }
        }
        Err(obstacles)
    }

    fn home(&self, episode: &EpisodeId) -> usize {
        if self.ways.len() < 2 {
            return 0;
        }
        let digest = digest_of(&["key", episode.as_str()]);
        u64::from_str_radix(&digest[..15], 16).unwrap_or(0) as usize % self.ways.len()
    }

    fn give_up_after(&self, failed_before: u64) -> Result<(), Fault> {
        let troubles: Vec<(u64, Option<Fault>)> = self.ways.iter().map(|w| w.trouble()).collect();
        let failed: u64 = troubles.iter().map(|(failed, _)| failed).sum();
        let enough = PROBES * self.ways.len() as u64;
        if failed - failed_before < enough {
            return Ok(());
        }
        let last = troubles.into_iter().find_map(|(_, last)| last);
        let last = last.map_or_else(String::new, |last| format!(": {}", last.message));
        let what = format!("{} does not answer{last}", self.config.provider());
        Err(Fault::new(FaultKind::ModelTransient, what))
    }

    fn too_long(&self, wait: Duration) -> Fault {
        let (name, wait) = (&self.config.name, wait.as_secs());
        let what = format!("{name} is asked too often, and asks to wait for {wait} s");
        Fault::new(FaultKind::ModelTransient, what)
    }

    pub(super) fn number_of(&self, way: &Arc<Way>) -> usize {
        self.ways.iter().position(|own| Arc::ptr_eq(own, way)).unwrap_or_default()
    }

    /// Whether none of its providers answers.
    pub(super) fn is_down(&self) -> bool {
        self.ways.iter().all(|way| way.is_down())
    }

    /// One that left so long ago was answered.
    pub(super) fn answered(&self, reply: &Result<ChatReply, CallFault>, took: Duration) {
        if reply.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let newer =
            |old: u64| if old == 0 { took } else { (old - old / 8).saturating_add(took / 8) };
        // Whoever comes second in between counts a little less.
        self.latency.store(newer(self.latency.load(Ordering::Relaxed)).max(1), Ordering::Relaxed);
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let micros = self.latency.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    pub(super) fn stats(&self) -> ModelStats {
        let ways: Vec<WayStats> = self.ways.iter().map(|way| way.stats()).collect();
        ModelStats {
            model: self.config.name.clone(),
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            in_flight: ways.iter().map(|way| way.in_flight).sum(),
            latency_ms: self.latency().map(|latency| latency.as_millis() as u64),
            ways,
        }
    }
}

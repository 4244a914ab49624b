//! The sessions of a standalone gateway. The store gets a session with its first call, as an
//! attempt that differs from every earlier one. A session without a call leaves nothing in the store.

use super::GatewayServices;
use super::refusal::GatewayRefusal;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{
    AttemptNumber, CampaignName, EpisodeId, EpisodeRecord, Fault, JournalEntry, PlannedEpisode,
    TaskId, digest_of,
};
use synthd_actors::ports::{Clock, Journal};
use tokio::sync::OnceCell;

/// Sessions of one gateway, ever; more are mistaken for names that change with every call.
const MOST: usize = 10_000;

pub(super) struct SessionRegistry {
    campaign: CampaignName,
    collector: CollectorHandle,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    /// What the store knows, which is asked once.
    known: OnceCell<Mutex<KnownSessions>>,
    /// Those of this start, by name.
    begun: Mutex<HashMap<String, Arc<OnceCell<StartedSession>>>>,
}

/// A session that is written down.
struct StartedSession {
    attempt: AttemptNumber,
    turns: AtomicU32,
}

/// Every session there ever was.
struct KnownSessions {
    /// The newest attempt of each.
    attempts: HashMap<EpisodeId, AttemptNumber>,
    /// A number that none of them has.
    free: u64,
    most: usize,
}

impl KnownSessions {
    fn of(stored: Vec<EpisodeRecord>) -> Self {
        let free = stored.iter().map(|known| known.plan.ordinal + 1).max().unwrap_or(0);
        let attempts = stored.into_iter().map(|known| (known.plan.id, known.attempt)).collect();
        Self { attempts, free, most: MOST }
    }

    fn has_room_for(&self, episode: &EpisodeId) -> bool {
        self.attempts.contains_key(episode) || self.attempts.len() < self.most
    }

    /// Taken before it is written, which goes on even if the client leaves meanwhile.
    fn take(&mut self, episode: &EpisodeId) -> (AttemptNumber, u64) {
        let attempt = self.attempts.get(episode).copied().unwrap_or_default().next();
        self.attempts.insert(episode.clone(), attempt);
        self.free += 1;
        (attempt, self.free - 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SessionRegistry {
    pub(super) fn new(tools: GatewayServices, campaign: CampaignName) -> Self {
        let GatewayServices { collector, journal, clock, .. } = tools;
        let (known, begun) = (OnceCell::new(), Mutex::default());
        Self { campaign, collector, journal, clock, known, begun }
    }

    pub(super) fn campaign(&self) -> &CampaignName {
        &self.campaign
    }

    pub(super) fn episode(&self, name: &str) -> EpisodeId {
        let digest = digest_of(&["gateway", self.campaign.as_str(), name]);
        EpisodeId(format!("ep-{}", &digest[..16]))
    }

    /// The session's attempt, and the number of its next turn. Who begins waits for the store,
    /// and nobody else for him.
    pub(super) async fn next_turn(
        &self,
        name: &str,
        episode: &EpisodeId,
    ) -> Result<(AttemptNumber, u32), GatewayRefusal> {
        let known = self.known().await.map_err(|fault| GatewayRefusal::of(&fault))?;
        let session = self.session(name, episode, known)?;
        let begin = || self.begin(name, episode, known);
        let begun = session.get_or_try_init(begin).await;
        let begun = begun.map_err(|fault| GatewayRefusal::of(&fault))?;
        Ok((begun.attempt, begun.turns.fetch_add(1, Ordering::Relaxed)))
    }

    async fn known(&self) -> Result<&Mutex<KnownSessions>, Fault> {
        let ask = || async {
            let stored = self.journal.episodes(&self.campaign).await?;
            Ok(Mutex::new(KnownSessions::of(stored)))
        };
        self.known.get_or_try_init(ask).await
    }

    fn session(
        &self,
        name: &str,
        episode: &EpisodeId,
        known: &Mutex<KnownSessions>,
    ) -> Result<Arc<OnceCell<StartedSession>>, GatewayRefusal> {
        let mut begun = lock(&self.begun);
        if let Some(session) = begun.get(name) {
            return Ok(session.clone());
        }
        let known = lock(known);
        if !known.has_room_for(episode) || begun.len() >= known.most {
            return Err(too_many(known.most));
        }
        Ok(begun.entry(name.to_owned()).or_default().clone())
    }

    async fn begin(
        &self,
        name: &str,
        episode: &EpisodeId,
        known: &Mutex<KnownSessions>,
    ) -> Result<StartedSession, Fault> {
        let (attempt, ordinal) = lock(known).take(episode);
        let plan = self.plan(name, episode, ordinal);
        let (resumed_from, at_ms) = (None, self.clock.now_ms());
        let episode = episode.clone();
        let started = JournalEntry::AttemptStarted { episode, attempt, resumed_from, at_ms };
        self.collector.record(vec![JournalEntry::Planned(vec![plan]), started]).await?;
        Ok(StartedSession { attempt, turns: AtomicU32::new(0) })
    }

    fn plan(&self, name: &str, episode: &EpisodeId, ordinal: u64) -> PlannedEpisode {
        PlannedEpisode {
            id: episode.clone(),
            campaign: self.campaign.clone(),
            ordinal,
            task: TaskId(format!("gateway/{name}")),
            template: format!("gateway/{name}"),
            index: 0,
            category: "gateway".to_owned(),
            difficulty: String::new(),
            model: String::new(),
            scaffold: "external".to_owned(),
        }
    }
}

fn too_many(most: usize) -> GatewayRefusal {
    let what = format!(
        "this gateway has had {most} sessions, its limit: use the names of earlier sessions, or \
         set another `name` under [gateway]"
    );
    GatewayRefusal { retry: Some(false), ..GatewayRefusal::new(429, "too_many_sessions", what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither one that was never written nor one of before is in its way.
    #[test]
    fn a_new_session_has_a_number_of_its_own() {
        let id = |name: &str| EpisodeId(name.to_owned());
        let mut known = KnownSessions::of(Vec::new());
        assert_eq!(known.take(&id("a")), (AttemptNumber(1), 0));
        assert_eq!(known.take(&id("a")), (AttemptNumber(2), 1), "the first was not written");
        assert_eq!(known.take(&id("b")), (AttemptNumber(1), 2));
        let mut known =
            KnownSessions { attempts: [(id("a"), AttemptNumber(2))].into(), free: 8, most: 2 };
        assert_eq!(known.take(&id("c")), (AttemptNumber(1), 8));
        assert_eq!(known.take(&id("a")).0, AttemptNumber(3));
    }

    #[test]
    fn there_is_room_for_so_many_and_for_whoever_comes_back() {
        let id = |name: &str| EpisodeId(name.to_owned());
        let mut known = KnownSessions { most: 2, ..KnownSessions::of(Vec::new()) };
        for (name, memory) in [("a", true), ("b", true), ("c", false), ("a", true)] {
            assert_eq!(known.has_room_for(&id(name)), memory, "{name}");
            if memory {
                known.take(&id(name));
            }
        }
    }
}

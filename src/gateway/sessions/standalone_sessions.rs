//! The sessions of a standalone gateway, and how they are numbered in the store.
//!
//! A session is an episode of the gateway's campaign. Each start of the gateway is a new attempt
//! of it, and each call is a turn. The store gets a session with its first call. A session without
//! a call leaves nothing in the store.
//!
//! `session` asks for the position of each call with [`StandaloneSessions::next_turn`]. The
//! registry reads the sessions of earlier starts from the store once, with the first call, so that
//! no attempt number and no ordinal is used twice. If the store cannot be read or written, the call
//! is refused, and the next call tries again.

use crate::gateway::GatewayServices;
use crate::gateway::refusal::GatewayRefusal;
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

/// The most sessions of one gateway name, over all its starts. More sessions are probably a client
/// whose session name changes with every call.
const MOST: usize = 10_000;

/// All sessions of one standalone gateway.
pub(in crate::gateway) struct StandaloneSessions {
    /// The name of the gateway, which is the campaign of its records.
    campaign: CampaignName,
    collector: CollectorHandle,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    /// What the store had at the first call, and what was added since.
    known: OnceCell<Mutex<KnownSessions>>,
    /// The sessions of this start, by name. A cell is empty until the store has taken the session.
    /// All first calls of one session wait for the same cell.
    begun: Mutex<HashMap<String, Arc<OnceCell<StartedSession>>>>,
}

/// A session that the store has.
struct StartedSession {
    attempt: AttemptNumber,
    /// The number of the next turn in this attempt.
    turns: AtomicU32,
}

/// Every session that this gateway name ever had.
struct KnownSessions {
    /// The newest attempt of each.
    attempts: HashMap<EpisodeId, AttemptNumber>,
    /// An ordinal that no session has. All greater numbers are free, too.
    free: u64,
    /// The most sessions there may be.
    most: usize,
}

impl KnownSessions {
    /// What the store's episodes of this campaign say.
    fn of(stored: Vec<EpisodeRecord>) -> Self {
        let free = stored.iter().map(|known| known.plan.ordinal + 1).max().unwrap_or(0);
        let attempts = stored.into_iter().map(|known| (known.plan.id, known.attempt)).collect();
        Self { attempts, free, most: MOST }
    }

    /// Whether the session is known, or one more is allowed.
    fn has_room_for(&self, episode: &EpisodeId) -> bool {
        self.attempts.contains_key(episode) || self.attempts.len() < self.most
    }

    /// Takes the next attempt of a session and an ordinal. They are used up before the store is
    /// asked, because the store may write them even if this client disconnects meanwhile.
    fn take(&mut self, episode: &EpisodeId) -> (AttemptNumber, u64) {
        let attempt = self.attempts.get(episode).copied().unwrap_or_default().next();
        self.attempts.insert(episode.clone(), attempt);
        self.free += 1;
        (attempt, self.free - 1)
    }
}

/// Locks a mutex, also after a panic of another holder: each change under these locks is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StandaloneSessions {
    /// A registry for the gateway with this name. It reads nothing yet.
    pub(in crate::gateway) fn new(tools: GatewayServices, campaign: CampaignName) -> Self {
        let GatewayServices { collector, journal, clock, .. } = tools;
        let (known, begun) = (OnceCell::new(), Mutex::default());
        Self { campaign, collector, journal, clock, known, begun }
    }

    /// The campaign under which the calls of this gateway are recorded.
    pub(in crate::gateway) fn campaign(&self) -> &CampaignName {
        &self.campaign
    }

    /// The episode of a session. The same name always gives the same id, also after a restart.
    pub(in crate::gateway) fn episode(&self, name: &str) -> EpisodeId {
        let digest = digest_of(&["gateway", self.campaign.as_str(), name]);
        EpisodeId(format!("ep-{}", &digest[..16]))
    }

    /// The attempt of a session and the number of its next turn. The first call of a session waits
    /// until the store has it, and calls of other sessions do not wait for that. There is a
    /// 429 if there are too many sessions. If the store fails, the refusal is that of its fault.
    pub(in crate::gateway) async fn next_turn(
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

    /// The known sessions, read from the store by the first call. A failure is not kept.
    async fn known(&self) -> Result<&Mutex<KnownSessions>, Fault> {
        let ask = || async {
            let stored = self.journal.episodes(&self.campaign).await?;
            Ok(Mutex::new(KnownSessions::of(stored)))
        };
        self.known.get_or_try_init(ask).await
    }

    /// The cell of a session, or a refusal if it would be one too many.
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
        // The second condition also counts sessions that have begun but are not numbered yet.
        if !known.has_room_for(episode) || begun.len() >= known.most {
            return Err(too_many(known.most));
        }
        Ok(begun.entry(name.to_owned()).or_default().clone())
    }

    /// Writes a session to the store, as a planned episode and the start of an attempt.
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

    /// The episode of a session as the store keeps it. It has no task, so its template is only a
    /// name.
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
            reason: None,
        }
    }
}

/// The refusal beyond the limit. Trying again is useless.
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

    /// Neither a session that was never written nor one of an earlier start blocks it.
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

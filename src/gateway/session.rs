//! Whose a call is: a token names the gateway's one campaign, and after a dot, if the client
//! likes, a session of its own. Each session is an episode, each start of the gateway an
//! attempt of it, each call a turn.

use super::asked::Asked;
use super::refusal::Refusal;
use super::visit::{Agent, Report, over};
use super::{Gateway, Tools};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use synthd_actors::agents::{Errand, Leave};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{
    Attempt, CallPlace, CampaignName, ChatReply, Entry, EpisodeId, EpisodeRecord, Fault,
    PlannedEpisode, TaskId, digest_of,
};
use synthd_actors::ports::{Clock, Journal};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Sessions of one gateway at a time; more are mistaken for names that change with every call.
const MOST: usize = 10_000;
const MOST_NAME: usize = 64;
const UNNAMED: &str = "default";

/// What clients show instead of a provider's key.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    digest: String,
}

impl Token {
    /// One that somebody chose.
    pub fn of(text: &str) -> Self {
        Self { secret: SecretString::from(text), digest: digest_of(&["token", text]) }
    }

    /// One that nobody can guess.
    pub fn fresh() -> std::io::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self::of(&format!("sgw-{}", hex::encode(random))))
    }

    /// To be told to the user once.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The session's name, if this is the token. Compared by digest, so that the time it
    /// takes tells nothing of it.
    fn session<'s>(&self, shown: &'s str) -> Option<&'s str> {
        let own = self.expose();
        let (token, name) = match shown.len() > own.len() && shown.is_char_boundary(own.len()) {
            true => shown.split_at(own.len()),
            false => (shown, ""),
        };
        if digest_of(&["token", token]) != self.digest {
            return None;
        }
        if name.is_empty() {
            return Some(UNNAMED);
        }
        let name = name.strip_prefix('.')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!name.is_empty() && name.len() <= MOST_NAME && name.bytes().all(plain)).then_some(name)
    }
}

/// Why a client has none.
#[derive(Debug)]
pub(super) enum NoSession {
    Stranger,
    TooMany,
    Fault(Fault),
}

/// Says whose a token is.
#[async_trait]
pub(super) trait Reception: Send + Sync + 'static {
    async fn of(&self, shown: &str) -> Result<Caller, NoSession>;
}

/// Somebody who was let in, and what is behind the door.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: Arc<Session>,
}

/// A gateway by itself, for whoever has its token.
pub struct Standalone {
    gateway: Arc<Gateway>,
    campaign: CampaignName,
    token: Token,
    collector: CollectorHandle,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<String, Arc<Session>>,
    /// None before the store was asked.
    known: Option<Known>,
}

/// Every session there ever was.
struct Known {
    /// The newest attempt of each.
    attempts: HashMap<EpisodeId, Attempt>,
    /// A number that none of them has.
    free: u64,
}

impl Known {
    fn of(stored: Vec<EpisodeRecord>) -> Self {
        let free = stored.iter().map(|known| known.plan.ordinal + 1).max().unwrap_or(0);
        let attempts = stored.into_iter().map(|known| (known.plan.id, known.attempt)).collect();
        Self { attempts, free }
    }

    /// Taken before it is written, which goes on even if the client leaves meanwhile.
    fn take(&mut self, episode: &EpisodeId) -> (Attempt, u64) {
        let attempt = self.attempts.get(episode).copied().unwrap_or_default().next();
        self.attempts.insert(episode.clone(), attempt);
        self.free += 1;
        (attempt, self.free - 1)
    }
}

/// Somebody who may ask.
pub(super) struct Session {
    pub(super) campaign: CampaignName,
    pub(super) episode: EpisodeId,
    pub(super) attempt: Attempt,
    pub(super) whose: Whose,
}

pub(super) enum Whose {
    /// A client of the gateway's; each of its calls is a turn, counted here.
    Client(AtomicU32),
    /// The agent of an episode, which knows its turns.
    Agent(Agent),
}

impl Session {
    /// Where a call stands.
    pub(super) fn place(&self, turn: u32, retry: u32) -> CallPlace {
        let (campaign, episode) = (self.campaign.clone(), self.episode.clone());
        CallPlace { campaign, episode, attempt: self.attempt, turn, retry }
    }

    pub(super) fn agent(&self) -> Option<&Agent> {
        match &self.whose {
            Whose::Client(_) => None,
            Whose::Agent(agent) => Some(agent),
        }
    }

    /// Its attempt is over.
    pub(super) fn end(&self) {
        if let Some(agent) = self.agent() {
            agent.over.cancel();
        }
    }

    /// Waits until its attempt is over; a client's session has no end.
    pub(super) async fn ended(&self) {
        match self.agent() {
            Some(agent) => agent.over.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the next call may leave, and where it stands.
    pub(super) async fn leave(
        &self,
        asked: &Asked,
        unwanted: &CancellationToken,
    ) -> Result<Leaving, Refusal> {
        let agent = match &self.whose {
            Whose::Agent(agent) => agent,
            Whose::Client(turns) => {
                let place = self.place(turns.fetch_add(1, Ordering::Relaxed), 0);
                let report = Report::default();
                return Ok(Leaving::Ask { place, model: None, limit: None, report });
            }
        };
        match agent.leave(asked, unwanted).await? {
            Leave::Ask(Errand { turn, retry, model, limit, heard }) => {
                let (place, report) = (self.place(turn, retry), Report::to(heard));
                Ok(Leaving::Ask { place, model: Some(model), limit: Some(limit), report })
            }
            Leave::Told { turn, reply } => Ok(Leaving::Told(self.place(turn, 0), reply)),
            Leave::Over(why) => Err(over(&why)),
        }
    }
}

/// A call that may leave, or need not.
pub(super) enum Leaving {
    Ask {
        place: CallPlace,
        /// Who is asked, whatever the client says.
        model: Option<String>,
        /// For it to answer; a client's own patience is his.
        limit: Option<Duration>,
        report: Report,
    },
    Told(CallPlace, Box<ChatReply>),
}

#[async_trait]
impl Reception for Standalone {
    async fn of(&self, shown: &str) -> Result<Caller, NoSession> {
        let session = self.session(shown).await?;
        Ok(Caller { gateway: self.gateway.clone(), session })
    }
}

impl Standalone {
    pub fn new(gateway: Arc<Gateway>, tools: Tools, campaign: CampaignName, token: Token) -> Self {
        let Tools { collector, journal, clock, .. } = tools;
        Self { gateway, campaign, token, collector, journal, clock, open: Mutex::default() }
    }

    async fn session(&self, shown: &str) -> Result<Arc<Session>, NoSession> {
        let name = self.token.session(shown).ok_or(NoSession::Stranger)?;
        let mut open = self.open.lock().await;
        if let Some(session) = open.sessions.get(name) {
            return Ok(session.clone());
        }
        if open.sessions.len() >= MOST {
            // Those that nobody uses now begin anew when they are used again.
            open.sessions.retain(|_, session| Arc::strong_count(session) > 1);
        }
        if open.sessions.len() >= MOST {
            return Err(NoSession::TooMany);
        }
        let session = self.begin(name, &mut open.known).await.map_err(NoSession::Fault)?;
        let session = Arc::new(session);
        open.sessions.insert(name.to_owned(), session.clone());
        Ok(session)
    }

    /// Written down before its first call, as an attempt that no earlier one can be mixed
    /// up with.
    async fn begin(&self, name: &str, known: &mut Option<Known>) -> Result<Session, Fault> {
        let digest = digest_of(&["gateway", self.campaign.as_str(), name]);
        let episode = EpisodeId(format!("ep-{}", &digest[..16]));
        let known = match known {
            Some(known) => known,
            None => known.insert(Known::of(self.journal.episodes(&self.campaign).await?)),
        };
        let (attempt, ordinal) = known.take(&episode);
        let plan = PlannedEpisode {
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
        };
        let started = Entry::AttemptStarted {
            episode: episode.clone(),
            attempt,
            resumed_from: None,
            at_ms: self.clock.now_ms(),
        };
        self.collector.record(vec![Entry::Planned(vec![plan]), started]).await?;
        let (campaign, whose) = (self.campaign.clone(), Whose::Client(AtomicU32::new(0)));
        Ok(Session { campaign, episode, attempt, whose })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither one that was never written nor one of before is in its way.
    #[test]
    fn a_new_session_has_a_number_of_its_own() {
        let id = |name: &str| EpisodeId(name.to_owned());
        let mut known = Known::of(Vec::new());
        assert_eq!(known.take(&id("a")), (Attempt(1), 0));
        assert_eq!(known.take(&id("a")), (Attempt(2), 1), "the first was not written");
        assert_eq!(known.take(&id("b")), (Attempt(1), 2));
        let mut known = Known { attempts: [(id("a"), Attempt(2))].into(), free: 8 };
        assert_eq!(known.take(&id("c")), (Attempt(1), 8));
        assert_eq!(known.take(&id("a")).0, Attempt(3));
    }

    #[test]
    fn a_token_may_name_a_session_and_nothing_else_is_one() {
        let token = Token::of("sgw-1");
        let cases = [
            ("sgw-1", Some("default")),
            ("sgw-1.alice-2", Some("alice-2")),
            ("sgw-1.", None),
            ("sgw-1alice", None),
            ("sgw-1.a b", None),
            ("sgw-2", None),
            ("sgw-", None),
            ("", None),
            ("sgw-é.x", None),
        ];
        for (shown, session) in cases {
            assert_eq!(token.session(shown), session, "{shown}");
        }
        assert_ne!(Token::fresh().unwrap().expose(), Token::fresh().unwrap().expose());
    }
}

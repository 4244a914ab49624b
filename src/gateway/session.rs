//! Whose a call is: a token names the gateway's one campaign, and after a dot, if the client
//! likes, a session of its own. Each session is an episode, each start of the gateway an
//! attempt of it, each call a turn.

use super::asked::Asked;
use super::refusal::Refusal;
use super::register::Register;
use super::room::{Purse, Purses, Tenant};
use super::visit::{Agent, Report, over};
use super::{Gateway, Tools};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agents::{Errand, Leave};
use synthd_actors::model::{Attempt, CallPlace, CampaignName, ChatReply, EpisodeId, digest_of};
use tokio_util::sync::CancellationToken;

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

/// A standalone gateway, for every client that has its token.
pub struct Standalone {
    gateway: Arc<Gateway>,
    token: Token,
    register: Arc<Register>,
    purses: Purses,
}

/// Somebody who may ask.
pub(super) struct Session {
    pub(super) campaign: CampaignName,
    pub(super) episode: EpisodeId,
    pub(super) whose: Whose,
}

pub(super) enum Whose {
    /// A client of the gateway's, by the session's name; each of its calls is a turn.
    Client(String, Arc<Register>, Arc<Purse>),
    /// The agent of an episode, which knows its turns.
    Agent(Agent),
}

impl Session {
    /// Where a call stands.
    fn place(&self, attempt: Attempt, turn: u32, retry: u32) -> CallPlace {
        let (campaign, episode) = (self.campaign.clone(), self.episode.clone());
        CallPlace { campaign, episode, attempt, turn, retry }
    }

    pub(super) fn agent(&self) -> Option<&Agent> {
        match &self.whose {
            Whose::Client(..) => None,
            Whose::Agent(agent) => Some(agent),
        }
    }

    /// Who pays with memory for what it says.
    pub(super) fn tenant(&self) -> Tenant<'_> {
        match &self.whose {
            Whose::Client(_, _, purse) => Tenant { purse, delays: None },
            Whose::Agent(agent) => agent.tenant(),
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
            Whose::Client(name, register, _) => {
                let (attempt, turn) = register.next_turn(name, &self.episode).await?;
                let (place, report) = (self.place(attempt, turn, 0), Report::default());
                return Ok(Leaving::Ask { place, model: None, limit: None, report });
            }
        };
        match agent.leave(asked, unwanted).await? {
            Leave::Ask(Errand { turn, retry, model, limit, heard }) => {
                let (place, report) = (self.place(agent.attempt, turn, retry), Report::to(heard));
                Ok(Leaving::Ask { place, model: Some(model), limit: Some(limit), report })
            }
            Leave::Told { turn, reply } => {
                Ok(Leaving::Told(self.place(agent.attempt, turn, 0), reply))
            }
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
        let name = self.token.session(shown).ok_or(NoSession::Stranger)?;
        let (campaign, episode) = (self.register.campaign().clone(), self.register.episode(name));
        let (register, purse) = (self.register.clone(), self.purses.of(name));
        let whose = Whose::Client(name.to_owned(), register, purse);
        let session = Arc::new(Session { campaign, episode, whose });
        Ok(Caller { gateway: self.gateway.clone(), session })
    }
}

impl Standalone {
    pub fn new(gateway: Arc<Gateway>, tools: Tools, campaign: CampaignName, token: Token) -> Self {
        let (register, purses) = (Register::new(tools, campaign), Purses::default());
        Self { gateway, token, register: Arc::new(register), purses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

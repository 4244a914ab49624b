//! Whose a call is: a token names the gateway's one campaign, and after a dot, if the client
//! likes, a session of its own. Each session is an episode, each start of the gateway an
//! attempt of it, each call a turn.

use super::body_memory::{MemoryShare, MemoryShares, MemoryTenant};
use super::external_agent::{CallReporter, GatewayAgent, episode_over};
use super::refusal::GatewayRefusal;
use super::request::GatewayRequest;
use super::session_registry::SessionRegistry;
use super::{GatewayServices, ModelGateway};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent_access::{AdmittedCall, CallDecision};
use synthd_actors::model::{
    AttemptNumber, CallPosition, CampaignName, ChatReply, EpisodeId, digest_of,
};
use tokio_util::sync::CancellationToken;

const MOST_NAME: usize = 64;
const UNNAMED: &str = "default";

/// What clients show instead of a provider's key.
#[derive(Clone)]
pub struct GatewayToken {
    secret: SecretString,
    digest: String,
}

impl GatewayToken {
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
pub(super) enum SessionError {
    Stranger,
}

/// Says whose a token is.
#[async_trait]
pub(super) trait TokenAuthenticator: Send + Sync + 'static {
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError>;
}

/// Somebody who was let in, and what is behind the door.
#[derive(Clone)]
pub(super) struct AuthenticatedClient {
    pub(super) gateway: Arc<ModelGateway>,
    pub(super) session: Arc<GatewaySession>,
}

/// A standalone gateway, for every client that has its token.
pub struct StandaloneGateway {
    gateway: Arc<ModelGateway>,
    token: GatewayToken,
    register: Arc<SessionRegistry>,
    shares: MemoryShares,
}

/// Somebody who may ask.
pub(super) struct GatewaySession {
    pub(super) campaign: CampaignName,
    pub(super) episode: EpisodeId,
    pub(super) whose: SessionOwner,
}

pub(super) enum SessionOwner {
    /// A client of the gateway's, by the session's name; each of its calls is a turn.
    Client(String, Arc<SessionRegistry>, Arc<MemoryShare>),
    /// The agent of an episode, which knows its turns.
    Agent(GatewayAgent),
}

impl GatewaySession {
    /// Where a call stands.
    fn place(&self, attempt: AttemptNumber, turn: u32, retry: u32) -> CallPosition {
        let (campaign, episode) = (self.campaign.clone(), self.episode.clone());
        CallPosition { campaign, episode, attempt, turn, retry }
    }

    pub(super) fn agent(&self) -> Option<&GatewayAgent> {
        match &self.whose {
            SessionOwner::Client(..) => None,
            SessionOwner::Agent(agent) => Some(agent),
        }
    }

    /// Who pays with memory for what it says.
    pub(super) fn tenant(&self) -> MemoryTenant<'_> {
        match &self.whose {
            SessionOwner::Client(_, _, share) => MemoryTenant { share, delays: None },
            SessionOwner::Agent(agent) => agent.tenant(),
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
    pub(super) async fn authorize_call(
        &self,
        asked: &GatewayRequest,
        unwanted: &CancellationToken,
    ) -> Result<AuthorizedCall, GatewayRefusal> {
        let agent = match &self.whose {
            SessionOwner::Agent(agent) => agent,
            SessionOwner::Client(name, register, _) => {
                let (attempt, turn) = register.next_turn(name, &self.episode).await?;
                let (place, report) = (self.place(attempt, turn, 0), CallReporter::default());
                return Ok(AuthorizedCall::Ask { place, model: None, limit: None, report });
            }
        };
        match agent.ask_attempt(asked, unwanted).await? {
            CallDecision::Ask(AdmittedCall { turn, retry, model, limit, heard }) => {
                let (place, report) =
                    (self.place(agent.attempt, turn, retry), CallReporter::to(heard));
                Ok(AuthorizedCall::Ask { place, model: Some(model), limit: Some(limit), report })
            }
            CallDecision::Told { turn, reply } => {
                Ok(AuthorizedCall::Told(self.place(agent.attempt, turn, 0), reply))
            }
            CallDecision::Over(why) => Err(episode_over(&why)),
        }
    }
}

/// A call that may leave, or need not.
pub(super) enum AuthorizedCall {
    Ask {
        place: CallPosition,
        /// Who is asked, whatever the client says.
        model: Option<String>,
        /// For it to answer; a client's own patience is his.
        limit: Option<Duration>,
        report: CallReporter,
    },
    Told(CallPosition, Box<ChatReply>),
}

#[async_trait]
impl TokenAuthenticator for StandaloneGateway {
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError> {
        let name = self.token.session(shown).ok_or(SessionError::Stranger)?;
        let (campaign, episode) = (self.register.campaign().clone(), self.register.episode(name));
        let (register, share) = (self.register.clone(), self.shares.of(name));
        let whose = SessionOwner::Client(name.to_owned(), register, share);
        let session = Arc::new(GatewaySession { campaign, episode, whose });
        Ok(AuthenticatedClient { gateway: self.gateway.clone(), session })
    }
}

impl StandaloneGateway {
    pub fn new(
        gateway: Arc<ModelGateway>,
        tools: GatewayServices,
        campaign: CampaignName,
        token: GatewayToken,
    ) -> Self {
        let (register, shares) = (SessionRegistry::new(tools, campaign), MemoryShares::default());
        Self { gateway, token, register: Arc::new(register), shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_name_a_session_and_nothing_else_is_one() {
        let token = GatewayToken::of("sgw-1");
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
        assert_ne!(
            GatewayToken::fresh().unwrap().expose(),
            GatewayToken::fresh().unwrap().expose()
        );
    }
}

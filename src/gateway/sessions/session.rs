//! Which session a call belongs to, and whether the call may be made.
//!
//! A client shows a token. Of a standalone gateway, the token stands for the one campaign of the
//! gateway. After a dot, it may name a session: `sgw-3f...9a.alice`. Each session is an episode,
//! each start of the gateway an attempt of it, and each call a turn. Of a running engine, a token
//! stands for one attempt of an episode, and the attempt decides on each call.
//!
//! `routes` finds the session with a [`TokenAuthenticator`]. `call` asks
//! [`GatewaySession::authorize_call`] before anything leaves.

use crate::gateway::listener::body_memory::{MemoryShare, MemoryShares, MemoryTenant};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::sessions::external_agent::{CallReporter, GatewayAgent, episode_over};
use crate::gateway::sessions::session_registry::SessionRegistry;
use crate::gateway::{GatewayServices, ModelGateway};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent_access::{AdmittedCall, CallDecision};
use synthd_actors::model::{
    AttemptNumber, CallPosition, CampaignName, ChatReply, EpisodeId, digest_of,
};
use tokio_util::sync::CancellationToken;

/// Bytes of a session's name.
const MOST_NAME: usize = 64;
/// The session of clients that name none.
const UNNAMED: &str = "default";

/// The secret that a client shows instead of a provider's API key, such as `sgw-` and 48
/// hexadecimal digits.
#[derive(Clone)]
pub struct GatewayToken {
    secret: SecretString,
    /// The digest of the secret, computed once.
    digest: String,
}

impl GatewayToken {
    /// A token with a text that the user chose.
    pub fn of(text: &str) -> Self {
        Self { secret: SecretString::from(text), digest: digest_of(&["token", text]) }
    }

    /// A new random token with 24 random bytes. It fails if the system gives no random numbers.
    pub fn fresh() -> std::io::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self::of(&format!("sgw-{}", hex::encode(random))))
    }

    /// The secret itself. It is for the user, or for the environment of an agent, and never for a
    /// log.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The name of the session, if `shown` is this token, alone or with a dot and a name. None for
    /// anything else. The tokens are compared by their digests, so the time of the comparison says
    /// nothing about the secret.
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
        // The name becomes part of the id of a task (`gateway/alice`): only plain characters.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!name.is_empty() && name.len() <= MOST_NAME && name.bytes().all(plain)).then_some(name)
    }
}

/// Why a token stands for no session.
#[derive(Debug)]
pub(in crate::gateway) enum SessionError {
    /// The token is not a valid one.
    Stranger,
}

/// Finds the session of a token. A standalone gateway and the agent gateway implement it, each in
/// its own way.
#[async_trait]
pub(in crate::gateway) trait TokenAuthenticator: Send + Sync + 'static {
    /// The client that showed this token. `shown` may be empty. An error means that it is no valid
    /// token; it says no more than that, so that nobody learns anything about the tokens.
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError>;
}

/// A client with a valid token: its session, and the models that it may use.
#[derive(Clone)]
pub(in crate::gateway) struct AuthenticatedClient {
    pub(in crate::gateway) gateway: Arc<ModelGateway>,
    pub(in crate::gateway) session: Arc<GatewaySession>,
}

/// A gateway that runs by itself (`synthd gateway`), for every client that has its token.
pub struct StandaloneGateway {
    gateway: Arc<ModelGateway>,
    token: GatewayToken,
    /// Numbers the sessions and their turns.
    register: Arc<SessionRegistry>,
    /// What each session holds of the memory for bodies.
    shares: MemoryShares,
}

/// What a token stands for: one episode and its owner.
pub(in crate::gateway) struct GatewaySession {
    pub(in crate::gateway) campaign: CampaignName,
    pub(in crate::gateway) episode: EpisodeId,
    pub(in crate::gateway) whose: SessionOwner,
}

/// Who makes the calls of a session.
pub(in crate::gateway) enum SessionOwner {
    /// A client of a standalone gateway: the session's name, its registry, and its share of the
    /// memory for bodies. Each of its calls is a turn.
    Client(String, Arc<SessionRegistry>, Arc<MemoryShare>),
    /// The agent program of an episode. Its attempt numbers the turns.
    Agent(GatewayAgent),
}

impl GatewaySession {
    /// The position of a call in the store.
    fn place(&self, attempt: AttemptNumber, turn: u32, retry: u32) -> CallPosition {
        let (campaign, episode) = (self.campaign.clone(), self.episode.clone());
        CallPosition { campaign, episode, attempt, turn, retry }
    }

    /// The agent, if the session belongs to one.
    pub(in crate::gateway) fn agent(&self) -> Option<&GatewayAgent> {
        match &self.whose {
            SessionOwner::Client(..) => None,
            SessionOwner::Agent(agent) => Some(agent),
        }
    }

    /// Who the memory for a body is reserved for.
    pub(in crate::gateway) fn tenant(&self) -> MemoryTenant<'_> {
        match &self.whose {
            SessionOwner::Client(_, _, share) => MemoryTenant { share, delays: None },
            SessionOwner::Agent(agent) => agent.tenant(),
        }
    }

    /// Ends the session, because its attempt is over. All its calls are cut off. For a client of a
    /// standalone gateway this does nothing.
    pub(in crate::gateway) fn end(&self) {
        if let Some(agent) = self.agent() {
            agent.over.cancel();
        }
    }

    /// Waits until the attempt is over. The session of a standalone gateway's client never ends.
    pub(in crate::gateway) async fn ended(&self) {
        match self.agent() {
            Some(agent) => agent.over.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the next call may leave, and its position. An agent's attempt is asked, which may
    /// take long: it first records the turn before. It fails if there are too many sessions, if
    /// the store fails, if the episode is over, or if the client disconnects while it waits.
    pub(in crate::gateway) async fn authorize_call(
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

/// A call that may leave, or that was answered already.
pub(in crate::gateway) enum AuthorizedCall {
    /// The model is to be asked.
    Ask {
        place: CallPosition,
        /// The model to ask, whatever the client wrote. None if the request names it.
        model: Option<String>,
        /// The longest time for one try: what is left of the agent's time. None for clients of a
        /// standalone gateway, which have timeouts of their own.
        limit: Option<Duration>,
        /// Tells the attempt how the call ended.
        report: CallReporter,
    },
    /// An earlier attempt has paid for this reply. It is given again, and nothing leaves.
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
    /// A standalone gateway for the models of `gateway`. Its calls are recorded under `campaign`.
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

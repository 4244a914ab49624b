//! Which session a call belongs to, and whether the call may be made.
//!
//! A client shows a token (`token_authenticator`). The token of a standalone gateway stands for its
//! one campaign. After a dot, it may name a session: `sgw-3f...9a.alice`. Each session is an
//! episode, each start of the gateway in which it has a call is an attempt of it, and each call is
//! a turn. A token of a running engine stands for one attempt of an episode, and the attempt
//! decides on each call.
//!
//! `routes` finds the session with a [`TokenAuthenticator`]. `call` asks
//! [`GatewaySession::authorize_call`] before anything leaves.

use crate::gateway::listener::body_memory::{MemoryShare, MemoryShares, MemoryTenant};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::sessions::external_agent::{CallReporter, GatewayAgent, episode_over};
use crate::gateway::sessions::standalone_sessions::StandaloneSessions;
use crate::gateway::sessions::token_authenticator::{
    AuthenticatedClient, GatewayToken, SessionError, TokenAuthenticator,
};
use crate::gateway::{GatewayServices, ModelGateway};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent_access::{AdmittedCall, CallDecision};
use synthd_actors::model::{AttemptNumber, CallPosition, CampaignName, ChatReply, EpisodeId};
use tokio_util::sync::CancellationToken;

/// A gateway that runs by itself (`synthd gateway`), for every client that has its token.
pub struct StandaloneGateway {
    gateway: Arc<ModelGateway>,
    token: GatewayToken,
    /// Numbers the sessions and their turns.
    register: Arc<StandaloneSessions>,
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
    Client(String, Arc<StandaloneSessions>, Arc<MemoryShare>),
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
            CallDecision::Ask(AdmittedCall { turn, retry, model, limit, result }) => {
                let (place, report) =
                    (self.place(agent.attempt, turn, retry), CallReporter::to(result));
                Ok(AuthorizedCall::Ask { place, model: Some(model), limit: Some(limit), report })
            }
            CallDecision::Recorded { turn, reply } => {
                Ok(AuthorizedCall::Recorded(self.place(agent.attempt, turn, 0), reply))
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
    Recorded(CallPosition, Box<ChatReply>),
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
        let (register, shares) =
            (StandaloneSessions::new(tools, campaign), MemoryShares::default());
        Self { gateway, token, register: Arc::new(register), shares }
    }
}

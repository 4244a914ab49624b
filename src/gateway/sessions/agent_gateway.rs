//! The gateway of a running engine. Each run of an agent's program gets a token of its own, which is
//! valid for as long as the attempt runs, or its stage of the task.
//!
//! ```text
//!  attempt ─open_session─► token ─► program in the sandbox ═ tunnel ═ socket ─► whose token?
//!     ▲                                                                            │
//!     └──────────── AgentCall, before a call leaves ◄──────────────────────────────┘
//! ```
//! The engine makes one [`AgentGateway`] and gives it to the episodes as their [`AgentAccess`]. It
//! owns one Unix socket for all campaigns, opened with the first session, the map of valid tokens,
//! and one `ModelGateway` for each campaign that has had a session.
//!
//! Invariants: a token is valid only while its `AgentSession` is alive. After
//! [`AgentGateway::close`] no token is valid, and none is given out again. A gateway that was
//! replaced is kept for `close` as long as it has calls in progress. Failures
//! are [`Fault`]s of the attempt: the socket cannot be opened, a model cannot be made, or the
//! engine is shutting down.

use crate::config::ListenAddress;
use crate::gateway::listener::http_listener::{HttpListener, accept_connections};
use crate::gateway::sessions::external_agent::GatewayAgent;
use crate::gateway::sessions::session::{GatewaySession, SessionOwner};
use crate::gateway::sessions::token_authenticator::{
    AuthenticatedClient, GatewayToken, SessionError, TokenAuthenticator,
};
use crate::gateway::{GatewayServices, ModelGateway};
use crate::llm::AdapterFactory;
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synthd_actors::agent_access::{AgentAccess, AgentSession, AgentSessionSpec};
use synthd_actors::model::{
    CampaignConfig, CampaignName, Fault, FaultKind, HostAddress, digest_of,
};
use synthd_actors::supervisor::spawn;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

/// How long `close` waits for the calls in progress of each gateway. Their attempts are over by
/// then, so nobody waits for their answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// The handle of the agent gateway. Clones share the same state.
#[derive(Clone)]
pub struct AgentGateway(Arc<AgentGatewayInner>);

/// Makes a place for the socket of agent programs, free of sockets that dead processes left, and
/// returns its path. No other user may write there.
pub(crate) type SocketPreparer = Box<dyn Fn() -> std::io::Result<PathBuf> + Send + Sync>;

/// The state behind all clones of the handle.
struct AgentGatewayInner {
    tools: GatewayServices,
    factory: AdapterFactory,
    prepare_socket: SocketPreparer,
    /// The clients by the digests of their tokens, so that no token is kept in clear. None after
    /// `close`: no client is admitted any more.
    admitted: Mutex<Option<HashMap<String, AuthenticatedClient>>>,
    /// The current gateway of each campaign.
    gateways: Mutex<HashMap<CampaignName, Arc<CampaignGateway>>>,
    /// Gateways that were replaced by a new run of their campaign, and that may still have calls
    /// in progress.
    former: Mutex<Vec<Arc<CampaignGateway>>>,
    /// Locked while the socket is opened, so that only one session opens it.
    state: tokio::sync::Mutex<ListenerState>,
}

/// The gateway of one run of a campaign.
struct CampaignGateway {
    /// Identifies the run: another `Arc` is another run, perhaps with other models.
    config: Arc<CampaignConfig>,
    /// Made once, by the first session of the run. Other sessions of this run wait for it.
    /// Sessions of other campaigns do not wait.
    gateway: OnceCell<Arc<ModelGateway>>,
}

impl CampaignGateway {
    /// Whether it may be forgotten: no call is in progress. A gateway that was not made yet may be
    /// forgotten if only the list itself still holds it.
    fn is_settled(self: &Arc<Self>) -> bool {
        match self.gateway.get() {
            Some(gateway) => gateway.is_idle(),
            None => Arc::strong_count(self) == 1,
        }
    }
}

/// Whether the socket for agents is open.
#[derive(Default)]
enum ListenerState {
    /// No session was opened yet.
    #[default]
    Unopened,
    /// The socket accepts connections.
    Open(OpenListener),
    /// The engine is shutting down. This state is final.
    Closed,
}

/// The socket that accepts connections, with its task.
struct OpenListener {
    socket: PathBuf,
    /// The accept loop. It ends when this handle is dropped, and the socket file is removed.
    _serving: AbortOnDropHandle<()>,
}

/// Locks a mutex, also after a panic of another holder: each change under these locks is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key under which a token is stored. It differs from the digest of a standalone gateway's
/// token.
fn digest(token: &str) -> String {
    digest_of(&["agent-token", token])
}

impl AgentGateway {
    /// Opens nothing yet. The first session calls `prepare_socket`. If the socket cannot be opened,
    /// the next session calls it again.
    pub fn new(
        tools: GatewayServices,
        factory: AdapterFactory,
        prepare_socket: SocketPreparer,
    ) -> Self {
        Self(Arc::new(AgentGatewayInner {
            tools,
            factory,
            prepare_socket,
            admitted: Mutex::new(Some(HashMap::new())),
            gateways: Mutex::default(),
            former: Mutex::default(),
            state: tokio::sync::Mutex::default(),
        }))
    }

    /// Admits no more clients and waits for the calls in progress.
    pub async fn close(&self) {
        // The listener ends first, so that no session opens it again. Then the tokens become
        // invalid, and each session's calls are cut off. Only then is it useful to wait for the
        // calls.
        *self.0.state.lock().await = ListenerState::Closed;
        let admitted = lock(&self.0.admitted).take();
        admitted.into_iter().flatten().for_each(|(_, caller)| caller.session.end());
        let mut all: Vec<Arc<CampaignGateway>> = std::mem::take(&mut *lock(&self.0.former));
        all.extend(lock(&self.0.gateways).drain().map(|(_, of)| of));
        for gateway in all.iter().filter_map(|of| of.gateway.get()) {
            // A call that is not settled after this time counts as its full hold, also at the next
            // start.
            tokio::time::timeout(PATIENCE, gateway.close()).await.ok();
        }
    }
}

impl AgentGatewayInner {
    /// The path of the Unix socket that agent programs connect to. The first call opens it. It
    /// fails if the socket cannot be opened or the engine is shutting down.
    async fn socket(self: &Arc<Self>) -> Result<PathBuf, Fault> {
        let mut state = self.state.lock().await;
        match &*state {
            ListenerState::Unopened => {}
            ListenerState::Open(open) => return Ok(open.socket.clone()),
            ListenerState::Closed => return Err(closed()),
        }
        let open =
            self.open().await.map_err(|error| unusable("open the agents' gateway", error))?;
        // Set only after it is open: if opening fails, the next session tries again.
        let socket = open.socket.clone();
        *state = ListenerState::Open(open);
        Ok(socket)
    }

    /// Opens the socket and starts the accept loop. Sockets of dead processes are removed before.
    async fn open(self: &Arc<Self>) -> std::io::Result<OpenListener> {
        let socket = (self.prepare_socket)()?;
        let listener = HttpListener::open(&ListenAddress::Unix(socket.clone())).await?;
        // The accept loop holds only a weak reference. So it does not keep the gateway alive.
        let authenticator: Arc<dyn TokenAuthenticator> = self.clone();
        let serving =
            spawn("agents' gateway", accept_connections(Arc::downgrade(&authenticator), listener));
        Ok(OpenListener { socket, _serving: serving })
    }

    /// The model gateway for this session's run of the campaign. It is made if there is none.
    /// Making it takes a while, and only sessions of the same run wait for that.
    async fn gateway(&self, spec: &AgentSessionSpec) -> Result<Arc<ModelGateway>, Fault> {
        let of = self.of_campaign(spec);
        let made = of.gateway.get_or_try_init(|| self.make(spec)).await;
        made.cloned()
    }

    /// The entry of this run of the campaign. If the campaign is run again with another
    /// configuration, the old entry is replaced and kept in `former`, because its calls may be in
    /// progress.
    fn of_campaign(&self, spec: &AgentSessionSpec) -> Arc<CampaignGateway> {
        let mut gateways = lock(&self.gateways);
        let known = gateways.get(&spec.campaign);
        if let Some(of) = known.filter(|of| Arc::ptr_eq(&of.config, &spec.config)) {
            return of.clone();
        }
        let of =
            Arc::new(CampaignGateway { config: spec.config.clone(), gateway: OnceCell::new() });
        let before = gateways.insert(spec.campaign.clone(), of.clone());
        let mut former = lock(&self.former);
        former.retain(|of| !of.is_settled());
        former.extend(before);
        of
    }

    /// Makes the gateway on a blocking thread. A panic there becomes a fault of this attempt.
    async fn make(&self, spec: &AgentSessionSpec) -> Result<Arc<ModelGateway>, Fault> {
        let (tools, factory) = (self.tools.clone(), self.factory);
        let (config, cap) = (spec.config.clone(), spec.max_output_tokens);
        let make = move || ModelGateway::new(&tools, &config.models, cap, &factory).map(Arc::new);
        let made = tokio::task::spawn_blocking(make).await;
        made.unwrap_or_else(|error| Err(Fault::new(FaultKind::Panicked, error.to_string())))
    }
}

/// The fault for an I/O error of the gateway itself. `what` is the step that failed.
fn unusable(what: &str, error: std::io::Error) -> Fault {
    Fault::new(FaultKind::SandboxStart, format!("{what}: {error}"))
}

/// The fault for a session that is opened while the engine shuts down.
fn closed() -> Fault {
    Fault::new(FaultKind::Cancelled, "the engine is shutting down and accepts no agent")
}

#[async_trait]
impl AgentAccess for AgentGateway {
    /// Gives the attempt a new token. The socket is checked first, because it costs the least and
    /// fails when the engine shuts down. The token is entered last, when everything behind it
    /// exists.
    async fn open_session(&self, spec: AgentSessionSpec) -> Result<AgentSession, Fault> {
        let socket = self.0.socket().await?;
        let gateway = self.0.gateway(&spec).await?;
        let token = GatewayToken::fresh().map_err(|error| unusable("make a token", error))?;
        let (campaign, episode) = (spec.campaign.clone(), spec.episode.clone());
        let agent = GatewayAgent::new(spec, token.expose());
        let session = GatewaySession { campaign, episode, whose: SessionOwner::Agent(agent) };
        let caller = AuthenticatedClient { gateway, session: Arc::new(session) };
        let digest = digest(token.expose());
        // `close` may have run since the socket was asked for. Then the token must not become
        // valid.
        match &mut *lock(&self.0.admitted) {
            Some(admitted) => drop(admitted.insert(digest.clone(), caller)),
            None => return Err(closed()),
        }
        let guard = Box::new(AdmissionGuard { agent_gateway: self.0.clone(), digest });
        let token = token.expose().to_owned();
        Ok(AgentSession { to: HostAddress::Unix(socket), token, guard })
    }
}

/// Makes a token invalid when it is dropped, and cuts off the calls that were made with it. It does
/// not wait for them: they are settled by their own tasks.
struct AdmissionGuard {
    agent_gateway: Arc<AgentGatewayInner>,
    digest: String,
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        let mut admitted = lock(&self.agent_gateway.admitted);
        if let Some(caller) = admitted.as_mut().and_then(|all| all.remove(&self.digest)) {
            caller.session.end();
        }
    }
}

#[async_trait]
impl TokenAuthenticator for AgentGatewayInner {
    /// Finds the client by the digest of its token. A comparison of digests takes a time that says
    /// nothing about the token.
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError> {
        let admitted = lock(&self.admitted);
        let caller = admitted.as_ref().and_then(|all| all.get(&digest(shown)));
        caller.cloned().ok_or(SessionError::Stranger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::WireFormat;
    use crate::gateway::request_check::request::GatewayRequest;
    use crate::sandbox::egress;
    use std::path::Path;
    use synthd_actors::agent::MinimalScaffold;
    use synthd_actors::agent_access::GatewayDelays;
    use synthd_actors::model::{AttemptNumber, EpisodeId};
    use synthd_actors::ports::ScriptContext;
    use synthd_actors::testkit::{self, Kit, Options, in_test_system};
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    fn spec() -> AgentSessionSpec {
        let catalog = testkit::catalog();
        let template = catalog.select(&["unit/letter".to_owned()], &[]).remove(0);
        let mut config = testkit::campaign("c", 1);
        config.models.clear();
        AgentSessionSpec {
            campaign: config.name.clone(),
            episode: EpisodeId("e".to_owned()),
            attempt: AttemptNumber(1),
            model: "m".to_owned(),
            config: Arc::new(config),
            script: ScriptContext {
                task: Arc::new(template.task(1, 0).unwrap()),
                scaffold: Arc::new(MinimalScaffold),
            },
            max_output_tokens: 100,
            calls: mpsc::channel(1).0,
            delays: GatewayDelays::default(),
        }
    }

    fn agent_gateway(kit: &Kit, directory: &Path) -> AgentGateway {
        let services = kit.services.clone();
        let (router, collector) = (services.router, services.collector);
        let tools =
            GatewayServices { router, collector, journal: services.journal, clock: services.clock };
        let directory = directory.to_owned();
        let prepare = Box::new(move || egress::prepare_agents_socket(&directory));
        AgentGateway::new(tools, AdapterFactory::new(crate::store::open_archive), prepare)
    }

    /// An attempt that begins while the engine ends must not open the socket again.
    #[test]
    fn nobody_is_let_in_once_it_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guest");
        in_test_system(Options::default(), |kit| async move {
            let agent_gateway = agent_gateway(&kit, &path);
            let admitted = agent_gateway.open_session(spec()).await.unwrap();
            let socket = egress::agents_socket(&path);
            assert!(socket.exists());
            agent_gateway.close().await;
            assert!(
                agent_gateway.0.authenticate(&admitted.token).await.is_err(),
                "its token means nothing"
            );
            let refused = agent_gateway.open_session(spec()).await.err().map(|fault| fault.kind);
            assert_eq!(refused, Some(FaultKind::Cancelled));
            assert!(matches!(*agent_gateway.0.state.lock().await, ListenerState::Closed));
        });
    }

    #[test]
    fn a_deep_directory_has_room_for_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("d".repeat(120));
        in_test_system(Options::default(), |kit| async move {
            let agent_gateway = agent_gateway(&kit, &path);
            agent_gateway.open_session(spec()).await.unwrap();
            assert!(egress::agents_socket(&path).exists());
            agent_gateway.close().await;
            // The task of the listener removes the file when it ends.
            while egress::agents_socket(&path).exists() {
                tokio::task::yield_now().await;
            }
        });
    }

    /// A model takes its time to be made; it is made once for all who wait for it.
    #[test]
    fn attempts_of_one_campaign_share_a_gateway() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guest");
        in_test_system(Options::default(), |kit| async move {
            let agent_gateway = agent_gateway(&kit, &path);
            let (first, again) = (spec(), spec());
            let same = AgentSessionSpec { config: first.config.clone(), ..spec() };
            let made =
                tokio::join!(agent_gateway.0.gateway(&first), agent_gateway.0.gateway(&same));
            let (one, other) = (made.0.unwrap(), made.1.unwrap());
            assert!(Arc::ptr_eq(&one, &other));
            let anew = agent_gateway.0.gateway(&again).await.unwrap();
            assert!(!Arc::ptr_eq(&one, &anew), "the campaign is run again, perhaps with others");
            agent_gateway.close().await;
        });
    }

    /// What an agent writes into its tools is recorded as well as what it says.
    #[tokio::test]
    async fn no_part_of_a_transcript_has_the_token() {
        let (calls, mut asked) = mpsc::channel(1);
        let agent = GatewayAgent::new(AgentSessionSpec { calls, ..spec() }, "sgw-secret");
        let body = serde_json::json!({ "model": "m", "messages": [
            { "role": "user", "content": "sgw-secret" },
            { "role": "assistant", "content": null, "tool_calls": [{ "id": "sgw-secret",
                "type": "function", "function": { "name": "sgw-secret", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "sgw-secret", "content": "" } ],
            "tools": [{ "type": "function", "function": { "name": "sgw-secret",
                "description": "as sgw-secret", "parameters": { "type": "object",
                "properties": { "sgw-secret": { "default": "sgw-secret" } } } } }] });
        let body = GatewayRequest::read(WireFormat::OpenAiChat, body.to_string().into());
        let unwanted = CancellationToken::new();
        let body = body.ok().unwrap();
        let (_, call) = tokio::join!(agent.ask_attempt(&body, &unwanted), async {
            let call = asked.recv().await.unwrap();
            serde_json::to_string(&call.request).unwrap()
        });
        assert!(!call.contains("sgw-secret"), "{call}");
        assert_eq!(call.matches("[token]").count(), 8, "{call}");
    }
}

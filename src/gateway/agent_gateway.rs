//! The gateway of a running engine: each attempt whose agent is a program gets a token of its
//! own, which is good for as long as the attempt is.
//!
//! ```text
//!  attempt ─admit─► token ─► program in the sandbox ═ guest's tunnel ═ socket ─► whose token?
//!     ▲                                                                             │
//!     └──────────────── Visit, before a call leaves ◄───────────────────────────────┘
//! ```

use super::external_agent::GatewayAgent;
use super::http_listener::{HttpListener, accept_connections};
use super::session::{
    AuthenticatedClient, GatewaySession, GatewayToken, SessionError, SessionOwner,
    TokenAuthenticator,
};
use super::{GatewayServices, ModelGateway};
use crate::config::ListenAddress;
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

/// For calls on their way when the engine ends; their attempts are over by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets the agents of episodes in.
#[derive(Clone)]
pub struct AgentGateway(Arc<AgentGatewayInner>);

/// Makes a place for the socket of agent programs, free of sockets that dead processes left, and
/// returns its path. No other user may write there.
pub(crate) type SocketPreparer = Box<dyn Fn() -> std::io::Result<PathBuf> + Send + Sync>;

struct AgentGatewayInner {
    tools: GatewayServices,
    factory: AdapterFactory,
    prepare_socket: SocketPreparer,
    /// By the digests of their tokens; none once nobody is let in any more.
    admitted: Mutex<Option<HashMap<String, AuthenticatedClient>>>,
    gateways: Mutex<HashMap<CampaignName, Arc<CampaignGateway>>>,
    /// Those that were replaced and may still owe something to the record.
    former: Mutex<Vec<Arc<CampaignGateway>>>,
    state: tokio::sync::Mutex<ListenerState>,
}

struct CampaignGateway {
    config: Arc<CampaignConfig>,
    /// The first call makes it, once. Only the other calls of this campaign wait meanwhile.
    gateway: OnceCell<Arc<ModelGateway>>,
}

impl CampaignGateway {
    /// Whether nobody uses it any more, and it owes nothing to the record.
    fn is_settled(self: &Arc<Self>) -> bool {
        match self.gateway.get() {
            Some(gateway) => gateway.is_idle(),
            None => Arc::strong_count(self) == 1,
        }
    }
}

/// Whether agents can ask.
#[derive(Default)]
enum ListenerState {
    /// Nobody was admitted yet.
    #[default]
    Unopened,
    Open(OpenListener),
    /// For ever.
    Closed,
}

struct OpenListener {
    socket: PathBuf,
    _serving: AbortOnDropHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(token: &str) -> String {
    digest_of(&["agent-token", token])
}

impl AgentGateway {
    /// `prepare_socket` is called once, before the first agent program is admitted.
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

    /// Lets nobody in any more, waits for calls on their way, and writes down what the store
    /// has not taken; how many calls it still does not take, and why.
    pub async fn close(&self) -> Result<(), (usize, Fault)> {
        *self.0.state.lock().await = ListenerState::Closed;
        let admitted = lock(&self.0.admitted).take();
        admitted.into_iter().flatten().for_each(|(_, caller)| caller.session.end());
        let mut all: Vec<Arc<CampaignGateway>> = std::mem::take(&mut *lock(&self.0.former));
        all.extend(lock(&self.0.gateways).drain().map(|(_, of)| of));
        let mut owed = Ok(());
        for gateway in all.iter().filter_map(|of| of.gateway.get()) {
            // What is not settled by then counts in full, at the next start too.
            tokio::time::timeout(PATIENCE, gateway.close()).await.ok();
            owed = owed.and(gateway.flush_backlog().await);
        }
        owed
    }
}

impl AgentGatewayInner {
    /// Where programs find the door.
    async fn socket(self: &Arc<Self>) -> Result<PathBuf, Fault> {
        let mut state = self.state.lock().await;
        match &*state {
            ListenerState::Unopened => {}
            ListenerState::Open(open) => return Ok(open.socket.clone()),
            ListenerState::Closed => return Err(closed()),
        }
        let open =
            self.open().await.map_err(|error| unusable("open the agents' gateway", error))?;
        let socket = open.socket.clone();
        *state = ListenerState::Open(open);
        Ok(socket)
    }

    async fn open(self: &Arc<Self>) -> std::io::Result<OpenListener> {
        let socket = (self.prepare_socket)()?;
        let listener = HttpListener::open(&ListenAddress::Unix(socket.clone())).await?;
        let reception: Arc<dyn TokenAuthenticator> = self.clone();
        let serving =
            spawn("agents' gateway", accept_connections(Arc::downgrade(&reception), listener));
        Ok(OpenListener { socket, _serving: serving })
    }

    /// Models are made anew where the campaign is run again, perhaps with others. It takes a
    /// while to make them, in which nobody else is kept waiting.
    async fn gateway(&self, spec: &AgentSessionSpec) -> Result<Arc<ModelGateway>, Fault> {
        let of = self.of_campaign(spec);
        let made = of.gateway.get_or_try_init(|| self.make(spec)).await;
        made.cloned()
    }

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

    async fn make(&self, spec: &AgentSessionSpec) -> Result<Arc<ModelGateway>, Fault> {
        let (tools, factory) = (self.tools.clone(), self.factory);
        let (config, cap) = (spec.config.clone(), spec.max_output_tokens);
        let make = move || ModelGateway::new(&tools, &config.models, cap, &factory).map(Arc::new);
        let made = tokio::task::spawn_blocking(make).await;
        made.unwrap_or_else(|error| Err(Fault::new(FaultKind::Panicked, error.to_string())))
    }
}

fn unusable(what: &str, error: std::io::Error) -> Fault {
    Fault::new(FaultKind::SandboxStart, format!("{what}: {error}"))
}

fn closed() -> Fault {
    Fault::new(FaultKind::Cancelled, "the engine is shutting down and accepts no agent")
}

#[async_trait]
impl AgentAccess for AgentGateway {
    async fn open_session(&self, spec: AgentSessionSpec) -> Result<AgentSession, Fault> {
        let socket = self.0.socket().await?;
        let gateway = self.0.gateway(&spec).await?;
        let token = GatewayToken::fresh().map_err(|error| unusable("make a token", error))?;
        let (campaign, episode) = (spec.campaign.clone(), spec.episode.clone());
        let agent = GatewayAgent::new(spec, token.expose());
        let session = GatewaySession { campaign, episode, whose: SessionOwner::Agent(agent) };
        let caller = AuthenticatedClient { gateway, session: Arc::new(session) };
        let digest = digest(token.expose());
        match &mut *lock(&self.0.admitted) {
            Some(admitted) => drop(admitted.insert(digest.clone(), caller)),
            None => return Err(closed()),
        }
        let keeper = Box::new(AdmissionGuard { agent_gateway: self.0.clone(), digest });
        let token = token.expose().to_owned();
        Ok(AgentSession { to: HostAddress::Unix(socket), token, keeper })
    }
}

/// Takes a token back, and cuts off what was asked with it: an attempt that is over is not rested
/// before its calls are.
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
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError> {
        let admitted = lock(&self.admitted);
        let caller = admitted.as_ref().and_then(|all| all.get(&digest(shown)));
        caller.cloned().ok_or(SessionError::Stranger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::egress;
    use std::path::Path;
    use synthd_actors::agent_access::GatewayDelays;
    use synthd_actors::model::{AttemptNumber, EpisodeId};
    use synthd_actors::ports::ScriptContext;
    use synthd_actors::scaffold;
    use synthd_actors::testkit::{self, Kit, Options, in_test_system};
    use tokio::sync::mpsc;

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
            stage: ScriptContext {
                task: Arc::new(template.task(1, 0).unwrap()),
                scaffold: scaffold::by_name("minimal").unwrap(),
            },
            max_output_tokens: 100,
            calls: mpsc::channel(1).0,
            delays: GatewayDelays::default(),
        }
    }

    fn agent_gateway(kit: &Kit, directory: &Path) -> AgentGateway {
        let world = kit.world.clone();
        let (router, collector) = (world.router, world.collector);
        let tools =
            GatewayServices { router, collector, journal: world.journal, clock: world.clock };
        let directory = directory.to_owned();
        let prepare = Box::new(move || egress::prepare_agents_socket(&directory));
        AgentGateway::new(tools, AdapterFactory::new(crate::store::open_archive), prepare)
    }

    /// An attempt that begins while the engine ends must not open the door again.
    #[test]
    fn nobody_is_let_in_once_it_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guest");
        in_test_system(Options::default(), |kit| async move {
            let agent_gateway = agent_gateway(&kit, &path);
            let admitted = agent_gateway.open_session(spec()).await.unwrap();
            let socket = egress::agents_socket(&path);
            assert!(socket.exists());
            agent_gateway.close().await.unwrap();
            assert!(
                agent_gateway.0.authenticate(&admitted.token).await.is_err(),
                "its token means nothing"
            );
            let refused = agent_gateway.open_session(spec()).await.err().map(|fault| fault.kind);
            assert_eq!(refused, Some(FaultKind::Cancelled));
            assert!(matches!(*agent_gateway.0.state.lock().await, ListenerState::Closed));
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
            agent_gateway.close().await.unwrap();
        });
    }
}

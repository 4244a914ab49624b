//! The gateway of a running engine: each attempt whose agent is a program gets a token of its
//! own, which is good for as long as the attempt is.
//!
//! ```text
//!  attempt ─admit─► token ─► program in the sandbox ═ guest's tunnel ═ socket ─► whose token?
//!     ▲                                                                             │
//!     └──────────────── Visit, before a call leaves ◄───────────────────────────────┘
//! ```

use super::door::{Door, let_in};
use super::session::{Caller, NoSession, Reception, Session, Token, Whose};
use super::visit::Agent;
use super::{Gateway, Tools};
use crate::config::Listen;
use crate::llm::Models;
use crate::sandbox::docker::own_directory;
use crate::sandbox::egress;
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synthd_actors::agents::{Admission, AgentDoor, Visitor};
use synthd_actors::model::{
    CampaignConfig, CampaignName, Fault, FaultKind, HostAddress, digest_of,
};
use synthd_actors::supervisor::spawn;
use tokio_util::task::AbortOnDropHandle;

/// For calls on their way when the engine ends; their attempts are over by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets the agents of episodes in.
#[derive(Clone)]
pub struct Lobby(Arc<Inner>);

struct Inner {
    tools: Tools,
    factory: Models,
    directory: PathBuf,
    /// By the digests of their tokens.
    admitted: Mutex<HashMap<String, Caller>>,
    gateways: Mutex<HashMap<CampaignName, OfCampaign>>,
    /// Those that were replaced and may still owe something to the record.
    former: Mutex<Vec<Arc<Gateway>>>,
    /// Open once somebody was admitted.
    open: tokio::sync::Mutex<Option<Open>>,
}

struct OfCampaign {
    config: Arc<CampaignConfig>,
    gateway: Arc<Gateway>,
}

struct Open {
    socket: PathBuf,
    _serving: AbortOnDropHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(token: &str) -> String {
    digest_of(&["agent-token", token])
}

impl Lobby {
    /// Its socket goes to `directory`, which is nobody else's to write to.
    pub fn new(tools: Tools, factory: Models, directory: &Path) -> Self {
        Self(Arc::new(Inner {
            tools,
            factory,
            directory: directory.to_owned(),
            admitted: Mutex::default(),
            gateways: Mutex::default(),
            former: Mutex::default(),
            open: tokio::sync::Mutex::default(),
        }))
    }

    /// Lets nobody in any more, waits for calls on their way, and writes down what the store
    /// has not taken; how many calls it still does not take, and why.
    pub async fn close(&self) -> Result<(), (usize, Fault)> {
        *self.0.open.lock().await = None;
        for (_, caller) in lock(&self.0.admitted).drain() {
            caller.session.end();
        }
        let mut all: Vec<Arc<Gateway>> = std::mem::take(&mut *lock(&self.0.former));
        all.extend(lock(&self.0.gateways).drain().map(|(_, of)| of.gateway));
        let mut owed = Ok(());
        for gateway in all {
            // What is not settled by then counts in full, at the next start too.
            tokio::time::timeout(PATIENCE, gateway.close()).await.ok();
            owed = owed.and(gateway.write_down().await);
        }
        owed
    }
}

impl Inner {
    /// Where programs find the door.
    async fn socket(self: &Arc<Self>) -> std::io::Result<PathBuf> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.socket.clone());
        }
        own_directory(&self.directory)?;
        egress::sweep(&self.directory)?;
        let socket = egress::agents_socket(&self.directory);
        let door = Door::open(&Listen::Unix(socket.clone())).await?;
        let reception: Arc<dyn Reception> = self.clone();
        let serving = spawn("agents' gateway", let_in(Arc::downgrade(&reception), door));
        *open = Some(Open { socket: socket.clone(), _serving: serving });
        Ok(socket)
    }

    /// Models are made anew where the campaign is run again, perhaps with others.
    fn gateway(&self, visitor: &Visitor) -> Result<Arc<Gateway>, Fault> {
        let mut gateways = lock(&self.gateways);
        let known = gateways.get(&visitor.campaign);
        if let Some(of) = known.filter(|of| Arc::ptr_eq(&of.config, &visitor.config)) {
            return Ok(of.gateway.clone());
        }
        let (config, cap) = (visitor.config.clone(), visitor.max_output_tokens);
        let gateway = Gateway::new(&self.tools, &config.models, cap, &self.factory)?;
        let gateway = Arc::new(gateway);
        let of = OfCampaign { config, gateway: gateway.clone() };
        let before = gateways.insert(visitor.campaign.clone(), of);
        let mut former = lock(&self.former);
        former.retain(|gateway| !gateway.is_idle());
        former.extend(before.map(|of| of.gateway));
        Ok(gateway)
    }
}

#[async_trait]
impl AgentDoor for Lobby {
    async fn admit(&self, visitor: Visitor) -> Result<Admission, Fault> {
        let gateway = self.0.gateway(&visitor)?;
        let closed = |what: &str, error: std::io::Error| {
            Fault::new(FaultKind::SandboxStart, format!("{what}: {error}"))
        };
        let socket = self.0.socket().await;
        let socket = socket.map_err(|error| closed("open the agents' gateway", error))?;
        let token = Token::fresh().map_err(|error| closed("make a token", error))?;
        let (campaign, episode) = (visitor.campaign.clone(), visitor.episode.clone());
        let (attempt, agent) = (visitor.attempt, Agent::new(visitor, token.expose()));
        let session = Session { campaign, episode, attempt, whose: Whose::Agent(agent) };
        let caller = Caller { gateway, session: Arc::new(session) };
        let digest = digest(token.expose());
        lock(&self.0.admitted).insert(digest.clone(), caller);
        let keeper = Box::new(Dismissal { lobby: self.0.clone(), digest });
        let token = token.expose().to_owned();
        Ok(Admission { to: HostAddress::Unix(socket), token, keeper })
    }
}

/// Takes a token back, and cuts off what was asked with it: an attempt that is over is not rested
/// before its calls are.
struct Dismissal {
    lobby: Arc<Inner>,
    digest: String,
}

impl Drop for Dismissal {
    fn drop(&mut self) {
        if let Some(caller) = lock(&self.lobby.admitted).remove(&self.digest) {
            caller.session.end();
        }
    }
}

#[async_trait]
impl Reception for Inner {
    async fn of(&self, shown: &str) -> Result<Caller, NoSession> {
        lock(&self.admitted).get(&digest(shown)).cloned().ok_or(NoSession::Stranger)
    }
}

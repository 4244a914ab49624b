//! The gateway: programs of anybody's ask it as they would ask a provider, and every call is
//! held, limited, settled and recorded like one of an episode's.
//!
//! ```text
//!  client ─► door ─► whose? (token) ─► what? (asked) ─► ticket (place, limit, money)
//!                     │ 401             │ 400, 404        │ 402
//!                     └─────────────────┴─────────────────┴──► told in the client's own format
//!                                                         │
//!     same family: bytes as they are ◄────────────────────┤
//!     another one: translated there and back ◄────────────┘ ─► settled, recorded ─► the end
//! ```
//! A client that leaves does not end its call: what it cost is settled as it was counted.

mod agent_gateway;
mod allowlist;
mod anthropic_beta;
mod body_memory;
mod call;
mod chat;
mod connection_limit;
mod disconnect_monitor;
mod duplicate_keys;
mod exchange;
mod external_agent;
#[cfg(test)]
mod fuzz;
mod http_listener;
mod json_path;
mod lenient_transcript;
mod messages;
mod pass_through;
mod raw_json;
mod record_backlog;
mod refusal;
mod request;
mod response_events;
mod response_sink;
mod responses;
mod routes;
mod session;
mod session_registry;
#[cfg(test)]
mod stalled;
mod translate;
mod unsent;
mod unsupported_settings;

pub use agent_gateway::AgentGateway;
pub use http_listener::{HttpListener, serve};
pub use session::{GatewayToken, StandaloneGateway};

use crate::llm::{AdapterFactory, ReplayModel, UpstreamModel};
use body_memory::BodyMemory;
use record_backlog::RecordBacklog;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{CallFault, Fault, ModelConfig, SOONEST};
use synthd_actors::ports::{ChatModel, Clock, Journal, ModelFactory};
use synthd_actors::router::RouterHandle;
use tokio_util::task::TaskTracker;

/// What a gateway works with.
#[derive(Clone)]
pub struct GatewayServices {
    pub router: RouterHandle,
    pub collector: CollectorHandle,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
}

/// The models of one campaign, for every client that may ask them.
pub struct ModelGateway {
    router: RouterHandle,
    /// By their names as the campaign has them.
    models: BTreeMap<String, GatewayModel>,
    /// Where a client names no cap of the output.
    output_cap: u32,
    collector: CollectorHandle,
    /// What the store has not taken yet.
    backlog: RecordBacklog,
    /// On their way; closed, no more is taken.
    calls: TaskTracker,
    /// Memory for what clients say.
    rooms: BodyMemory,
}

/// What stands behind a name.
struct GatewayModel {
    /// At least one; the router says which is to be used.
    keys: Vec<KeyedModel>,
    /// Whether it is the engine's own, and asked over no wire.
    is_own: bool,
    /// Whether a mistaken worst case could cost anything.
    is_free: bool,
    /// Whether the price of a cache's write is known.
    writes_priced: bool,
    /// Whether it is asked only in place of another.
    is_reserve: bool,
}

/// A model as one key reaches it.
struct KeyedModel {
    model: Arc<dyn ChatModel>,
    /// None where no client speaks its format.
    upstream: Option<UpstreamModel>,
    /// Where it is a record that answers, whose format is known once it was read.
    replay: Option<Arc<ReplayModel>>,
    /// The provider's format; none where the engine itself answers.
    dialect: Option<String>,
}

impl KeyedModel {
    /// The way for bytes that are passed on as they are.
    async fn way(&self) -> Result<Option<&UpstreamModel>, CallFault> {
        match &self.replay {
            Some(replay) => replay.upstream().await,
            None => Ok(self.upstream.as_ref()),
        }
    }
}

impl ModelGateway {
    pub fn new(
        tools: &GatewayServices,
        models: &[ModelConfig],
        output_cap: u32,
        factory: &AdapterFactory,
    ) -> Result<Self, Fault> {
        let behind = |config: &ModelConfig| {
            let keyed = |alone: &ModelConfig| {
                let (upstream, replay) = (factory.upstream(alone)?, factory.replay(alone)?);
                let model = match &replay {
                    Some(replay) => replay.clone(),
                    None => factory.model(alone)?,
                };
                let dialect = alone.endpoint.as_ref().map(|endpoint| endpoint.dialect.clone());
                Ok(KeyedModel { model, upstream, replay, dialect })
            };
            let keys = config.with_each_key().iter().map(keyed).collect::<Result<_, Fault>>()?;
            let is_free = config.price.is_free();
            let is_own = config.endpoint.is_none() && config.recorded.is_none();
            let writes_priced = config.price.rates.cache_write_per_million.is_some();
            let is_reserve = config.standing.reserve;
            let behind = GatewayModel { keys, is_own, is_free, writes_priced, is_reserve };
            Ok((config.name.clone(), behind))
        };
        let models = models.iter().map(behind).collect::<Result<_, Fault>>()?;
        let (router, collector) = (tools.router.clone(), tools.collector.clone());
        let (calls, rooms, backlog) = Default::default();
        Ok(Self { router, models, output_cap, collector, backlog, calls, rooms })
    }

    /// Takes no more calls, and waits for those on their way.
    pub async fn close(&self) {
        self.calls.close();
        self.calls.wait().await;
    }

    /// Whether nothing is on its way, and everything is in the record.
    fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.backlog.len() == 0
    }

    /// Writes down what the store did not take when it should have; how many calls it still
    /// does not take, and why.
    pub async fn flush_backlog(&self) -> Result<(), (usize, Fault)> {
        let written = self.backlog.clear(&self.collector).await;
        written.map_err(|fault| (self.backlog.len(), fault))
    }

    /// The names that clients may use. `any/least-latency` is one if there are several models.
    fn names(&self) -> Vec<&str> {
        let soonest = self.has_choice().then_some(SOONEST);
        self.models.keys().map(String::as_str).chain(soonest).collect()
    }

    fn has_choice(&self) -> bool {
        self.models.values().filter(|behind| !behind.is_reserve).count() > 1
    }

    /// A model by its name, without its provider, or by as much of it as no other ends with.
    fn behind(&self, wanted: &str) -> Option<(&String, &GatewayModel)> {
        if let Some(found) = self.models.get_key_value(wanted) {
            return Some(found);
        }
        let bare = |name: &str| name.split_once('/').is_some_and(|(_, model)| model == wanted);
        let tail = |name: &str| name.strip_suffix(wanted).is_some_and(|head| head.ends_with('/'));
        self.only(bare).or_else(|| self.only(tail))
    }

    /// The one model whose name is like this.
    fn only(&self, like: impl Fn(&str) -> bool) -> Option<(&String, &GatewayModel)> {
        let mut found = self.models.iter().filter(|(name, _)| like(name));
        let first = found.next();
        first.filter(|_| found.next().is_none())
    }
}

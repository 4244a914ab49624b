//! The model gateway: an HTTP API with which other programs use the models of one campaign. A
//! program asks the gateway in the same way as it asks a provider. Each call is held in the
//! ledger, limited, settled and recorded, exactly like a call of an episode.
//!
//! ```text
//!  client ─► HTTP listener ─► token? ─► request? ─► ticket (key, limits, money)
//!                              │ 401     │ 400, 404    │ 402, 429
//!                              └─────────┴─────────────┴──► error in the client's wire format
//!                                                      │
//!     provider has the same format: pass-through ◄─────┤
//!     provider has another format: translation ◄───────┘ ─► settlement and record, end of answer
//! ```
//! There are two users of this module. `synthd gateway` makes a [`StandaloneGateway`] for anyone
//! who has its token. A running engine makes an [`AgentGateway`], which gives one token to each
//! attempt whose agent is a program in a sandbox. Both put a `TokenAuthenticator` behind an
//! [`HttpListener`].
//!
//! The folders, in the order in which a call passes them:
//!
//! - `listener`: `http_listener` (connections), `routes` (paths, body), `body_memory`, and
//!   `response_sink` (the answer on its way back).
//! - `sessions`: `token_authenticator` (tokens), `session` (whose call it is), `agent_gateway`
//!   (tokens of attempts), `standalone_sessions` (their numbers in the store).
//! - `request_check`: `request` (what the gateway reads of a body), and the allow-list of models
//!   with a price.
//! - `calls`: `call` (one call, with its fallback models), `exchange` (one try with one model),
//!   `pass_through` and `translate` (the two ways to ask the model).
//!
//! How requests, replies and errors are read and written is in `crate::formats`.
//!
//! Invariant: no request to a model with a price leaves before its worst cost is held durably, and
//! every exchange that took place is settled. If a client disconnects after its request has left,
//! the call goes on to its end, and its real cost is settled. Only the end of its attempt cuts an
//! agent's call off; then its full hold counts. A call that fails is answered with a
//! `GatewayRefusal`, or with the provider's own refusal, in the client's wire format.

mod calls;
#[cfg(test)]
mod fuzz;
mod listener;
mod refusal;
mod request_check;
mod sessions;

pub use listener::http_listener::{HttpListener, serve};
pub use sessions::agent_gateway::AgentGateway;
pub use sessions::session::StandaloneGateway;
pub use sessions::token_authenticator::GatewayToken;

use crate::llm::{AdapterFactory, ReplayModel, UpstreamModel};
use listener::body_memory::BodyMemory;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{CallFault, Fault, ModelConfig, SOONEST};
use synthd_actors::ports::{ChatModel, Clock, Journal, ModelFactory};
use synthd_actors::router::RouterHandle;
use tokio_util::task::TaskTracker;

/// The parts of the engine that a gateway uses. The gateway owns none of them.
#[derive(Clone)]
pub struct GatewayServices {
    /// Chooses the model and issues the ticket for each try.
    pub router: RouterHandle,
    /// Writes the records of calls and sessions to the store.
    pub collector: CollectorHandle,
    /// A standalone gateway reads it once, to find the sessions of earlier starts.
    pub journal: Arc<dyn Journal>,
    /// Gives the start time of a session.
    pub clock: Arc<dyn Clock>,
}

/// The models of one campaign, for all clients of that campaign. It is shared by all calls through
/// an `Arc`.
pub struct ModelGateway {
    router: RouterHandle,
    /// By the full name in the campaign file, such as `openai/gpt-4.1-mini`.
    models: BTreeMap<String, GatewayModel>,
    /// The output limit in tokens for a request that sets none.
    output_cap: u32,
    /// The tasks of calls that are in progress. Once it is closed, new requests get a 503.
    calls: TaskTracker,
    /// The memory for request bodies of all clients.
    rooms: BodyMemory,
}

/// One model of the campaign, as the gateway reaches it.
struct GatewayModel {
    /// One entry for each API key, at least one. The router's ticket says which one is used.
    keys: Vec<KeyedModel>,
    /// Whether the engine itself plays the model (such as `scripted/echo`), without a network.
    is_own: bool,
    /// Whether the model has no price. Requests to it need no allow-list, because a wrong worst
    /// cost would still be zero.
    is_free: bool,
    /// Whether the campaign knows the price of writing to the provider's prompt cache.
    writes_priced: bool,
    /// Whether the model is asked only as the fallback of another model.
    is_reserve: bool,
}

/// One model with one API key.
struct KeyedModel {
    /// The adapter that is asked when the call is translated.
    model: Arc<dyn ChatModel>,
    /// The provider for pass-through. None if no client of the gateway speaks its wire format
    /// (such as Gemini), or if the engine itself plays the model.
    upstream: Option<UpstreamModel>,
    /// Set if a recorded campaign answers in place of a provider. Its wire format is known only
    /// after the record was read.
    replay: Option<Arc<ReplayModel>>,
    /// The format of the provider, such as `openai` or `gemini`. None if there is no endpoint.
    dialect: Option<String>,
}

impl KeyedModel {
    /// The provider for pass-through. None means that the call must be translated. An error means
    /// that the replay record could not be read.
    async fn upstream(&self) -> Result<Option<&UpstreamModel>, CallFault> {
        match &self.replay {
            Some(replay) => replay.upstream().await,
            None => Ok(self.upstream.as_ref()),
        }
    }
}

impl ModelGateway {
    /// Makes the adapters of all models, with each of their keys. `output_cap` is in tokens. This
    /// takes a while and blocks, so a running engine calls it on a blocking thread. It fails if
    /// one model cannot be made, for example because the variable with its API key is not set.
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
            let is_reserve = config.routing.reserve;
            let behind = GatewayModel { keys, is_own, is_free, writes_priced, is_reserve };
            Ok((config.name.clone(), behind))
        };
        let models = models.iter().map(behind).collect::<Result<_, Fault>>()?;
        let router = tools.router.clone();
        let (calls, rooms) = Default::default();
        Ok(Self { router, models, output_cap, calls, rooms })
    }

    /// Refuses new calls and waits until the calls in progress have ended. There is no timeout:
    /// the caller sets one.
    pub async fn close(&self) {
        self.calls.close();
        self.calls.wait().await;
    }

    /// Whether no call is in progress.
    fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// The model names that `GET /v1/models` lists. `any/least-latency` is one of them if there is
    /// a choice of models.
    fn names(&self) -> Vec<&str> {
        let soonest = self.has_choice().then_some(SOONEST);
        self.models.keys().map(String::as_str).chain(soonest).collect()
    }

    /// Whether more than one model can be asked first. Reserve models do not count.
    fn has_choice(&self) -> bool {
        self.models.values().filter(|behind| !behind.is_reserve).count() > 1
    }

    /// Finds a model by a name that a client may use. For the model
    /// `openrouter/openai/gpt-4.1-mini` these are the full name, the name without its provider
    /// (`openai/gpt-4.1-mini`), and the part after a later slash (`gpt-4.1-mini`), tried in this
    /// order. A name that fits several models in one of these steps finds none.
    fn behind(&self, wanted: &str) -> Option<(&String, &GatewayModel)> {
        if let Some(found) = self.models.get_key_value(wanted) {
            return Some(found);
        }
        let bare = |name: &str| name.split_once('/').is_some_and(|(_, model)| model == wanted);
        let tail = |name: &str| name.strip_suffix(wanted).is_some_and(|head| head.ends_with('/'));
        self.only(bare).or_else(|| self.only(tail))
    }

    /// The model whose name satisfies `like`, if there is exactly one.
    fn only(&self, like: impl Fn(&str) -> bool) -> Option<(&String, &GatewayModel)> {
        let mut found = self.models.iter().filter(|(name, _)| like(name));
        let first = found.next();
        first.filter(|_| found.next().is_none())
    }
}

//! The configuration of a standalone gateway (`synthd gateway`): where it listens, what it may
//! spend, and which models are behind it. Models, providers and the budget are written as in a
//! campaign, and the same checks run. `config/gateway.toml` explains each key.

use crate::config::campaign::names::{self, KnownNames};
use crate::config::campaign::raw::RawBudget;
use crate::config::campaign::raw_models::{RawModel, RawProvider};
use crate::config::campaign::routing;
use crate::config::campaign::sampling;
use crate::config::daemon;
use crate::config::reading::reader::ConfigReader;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::units::{duration, seconds};
use crate::config::reading::values::{ValueFault, ValueResult, text, whole};
use crate::config::{ConfigErrors, campaign::providers, campaign::validate, reading::source};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::ProviderTimeouts;
use synthd_actors::model::{CampaignName, ModelConfig, Money, SpendingCaps};

/// What `synthd gateway` runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfig {
    /// The name under which the store keeps the spending and the calls.
    pub name: CampaignName,
    /// Where clients connect.
    pub listen: ListenAddress,
    /// The output cap of calls that set none. The hold for a call needs a cap.
    pub max_output_tokens: u32,
    /// How long a provider may be silent before its answer begins.
    pub first_byte: Duration,
    /// How long a provider may be silent in the middle of its answer.
    pub idle: Duration,
    pub models: Vec<ModelConfig>,
    /// What may be spent by the whole gateway. None means no limit; so does None in the next
    /// two fields.
    pub budget: Option<Money>,
    /// What may be spent in one day, in UTC.
    pub day_budget: Option<Money>,
    /// What may be spent by one session.
    pub session_budget: Option<Money>,
    /// The text that it was read from.
    pub source: String,
}

impl GatewayConfig {
    /// The caps for the ledger. A session counts as an episode there.
    pub fn caps(&self) -> SpendingCaps {
        let (campaign, day, episode) = (self.budget, self.day_budget, self.session_budget);
        SpendingCaps { campaign, day, episode, ..SpendingCaps::default() }.with(&self.models)
    }
}

/// A TCP address with a port, or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The shortest timeout that a file may set for a provider; `HOUR` is the longest.
const TENTH: Duration = Duration::from_millis(100);
const HOUR: Duration = seconds(3600);
/// The TCP port if the file sets no address.
const PORT: u16 = 8377;
/// The default of the output cap.
const MAX_OUTPUT_TOKENS: u32 = 4_096;
/// The beginning of an address that is a Unix socket: `unix:/run/user/1000/gateway.sock`.
const UNIX: &str = "unix:";

/// Reads and checks a gateway's file.
pub fn load_gateway(path: &Path) -> Result<GatewayConfig, ConfigErrors> {
    let text = source::read(path)?;
    parse_gateway(&path.display().to_string(), &text)
}

/// Checks the text of a gateway's file. `name` is what errors call it.
pub fn parse_gateway(name: &str, text: &str) -> Result<GatewayConfig, ConfigErrors> {
    let source = source::strip_bom(text).to_owned();
    let config =
        crate::config::parse(name, text, |root, reader| read(root, &names::known_names(), reader))?;
    Ok(GatewayConfig { source, ..config })
}

/// Reads the file and checks how its values fit together. The sampling keys of models are refused,
/// because each client sets them in its own requests.
fn read(
    root: ConfigSection<'_, '_>,
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) -> GatewayConfig {
    let mut root = root.unless_empty(
        "nothing is set in this file",
        "copy `config/gateway.toml`; its comments explain every line",
    );
    let mut gateway = root.section("gateway");
    let name = gateway.optional("name", text(names::campaign));
    let listen = gateway.optional("listen", text(|text| listen(text).map(|_| ())));
    let cap = gateway.optional("max_output_tokens", whole(1..=10_000_000));
    let first_byte = gateway.optional("first_byte", duration(TENTH..=HOUR));
    let idle = gateway.optional("idle", duration(TENTH..=HOUR));
    gateway.finish();
    let providers: Vec<RawProvider> =
        root.named_sections("providers").into_iter().map(RawProvider::read).collect();
    let own: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
    let sections = root.sections("models").into_iter();
    let models: Vec<RawModel> =
        sections.map(|model| RawModel::read(model, known_names, &own)).collect();
    let budget = RawBudget::read(root.section("budget"));
    root.finish();
    validate::check_model_names(&models, reader);
    validate::check_budgets(&budget, &models, reader);
    let hint = "leave it out: each client sets it in its own requests; `[gateway] \
                max_output_tokens` is for calls without an output limit";
    models.iter().for_each(|model| sampling::refuse(model, hint, reader));
    routing::check(&models, None, known_names, reader);
    providers::check(&providers, &models, known_names, reader);
    // The address was checked when it was read; here it is only parsed again.
    let listen = listen.into_option().and_then(|text| self::listen(&text).ok());
    let timeouts = ProviderTimeouts::default();
    let usual = ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], PORT)));
    GatewayConfig {
        name: CampaignName(name.or("gateway".to_owned())),
        listen: listen.unwrap_or(usual),
        max_output_tokens: cap.or(MAX_OUTPUT_TOKENS),
        first_byte: first_byte.or(timeouts.first_byte),
        idle: idle.or(timeouts.idle),
        models: models
            .into_iter()
            .map(|one| validate::model(one, &providers, known_names))
            .collect(),
        budget: budget.usd.into_option(),
        day_budget: budget.day.into_option(),
        session_budget: budget.episode.into_option(),
        source: String::new(),
    }
}

/// Parses an address. Only loopback addresses and Unix sockets are allowed: the gateway has no TLS,
/// and a program that reaches it could spend the budget.
fn listen(text: &str) -> ValueResult<ListenAddress> {
    if let Some(path) = text.strip_prefix(UNIX) {
        daemon::socket(path)?;
        return Ok(ListenAddress::Unix(PathBuf::from(path)));
    }
    let hint = "such as \"127.0.0.1:8377\", \"[::1]:8377\" or \"unix:/run/user/1000/gateway.sock\"";
    let address: SocketAddr = text
        .parse()
        .map_err(|_| ValueFault::new("not an address with a port, and not a socket").hint(hint))?;
    if !address.ip().is_loopback() {
        let fault =
            ValueFault::new("every program that reaches this address could spend the budget");
        return Err(fault.hint(
            "listen on 127.0.0.1, and put a proxy with TLS in front of the \
                               gateway",
        ));
    }
    Ok(ListenAddress::Tcp(address))
}

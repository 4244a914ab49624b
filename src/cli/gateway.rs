//! `synthd gateway`: runs a standalone gateway, a proxy between other programs and the providers of
//! models. Every call is limited, paid from a budget, and recorded.
//!
//! The command starts an engine without campaigns, opens an account for the gateway in the store
//! and in the router, and serves HTTP until a signal comes. `src/gateway/` does the HTTP part. The
//! records belong to a campaign with the name in the gateway's file.

use crate::cli::DataDir;
use crate::cli::daemon::shutdown::escalation;
use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::this_executable;
use crate::cli::terminal::output::{eprint_line, print_config_errors, print_json, print_line};
use crate::config::{self, GatewayConfig};
use crate::error::{Code, Error, Result};
use crate::gateway::{
    GatewayServices, GatewayToken, HttpListener, ModelGateway, StandaloneGateway, serve,
};
use crate::llm::AdapterFactory;
use crate::prices::PriceTable;
use crate::running_engine::{
    EngineOptions, RunningEngine, fault_error, run_in_actor_system, store_error,
};
use crate::templates;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::ProviderTimeouts;
use synthd_actors::model::{CampaignRecord, CampaignState, JournalEntry, day_of, digest_of};
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::Journal;
use synthd_actors::router::ModelClients;
use synthd_actors::supervisor::spawn;

/// The environment variable with the token that clients show. Without it, each start makes a new
/// one.
const TOKEN: &str = "SYNTHD_GATEWAY_TOKEN";
/// The most time that open calls have to finish when the gateway ends.
const GRACE: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(
    after_help = "Clients speak OpenAI chat or OpenAI Responses (base URL http://ADDRESS/v1), or Anthropic \
Messages (base URL http://ADDRESS), streaming or not. Their API key is the gateway's token. \
The token comes from SYNTHD_GATEWAY_TOKEN. Without this variable, each start makes and prints \
a new token. A client that adds .NAME to the token has its own session, and `synthd call list` \
shows the calls of each session.

The gateway holds the worst case of a call before the call leaves, and settles the hold after \
the call. When the budget is used up, a client gets 402 and must not try again. After Ctrl-C, \
open calls still finish.

Examples:
  synthd gateway config/gateway.toml
  OPENAI_BASE_URL=http://127.0.0.1:8377/v1 OPENAI_API_KEY=sgw-... my-agent
  synthd call list --campaign gateway"
)]
pub(super) struct GatewayArgs {
    /// The gateway's file: models, budget, address
    config: PathBuf,
    /// Print the address as one JSON document when the gateway listens
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    prices: crate::cli::prices::PriceOptions,
    #[command(flatten)]
    data: DataDir,
}

/// Runs the command. Mistakes of the file are printed, and their code is the exit code.
pub(super) fn run(args: &GatewayArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let config = match config::load_gateway(&args.config) {
        Ok(config) => config,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    run_in_actor_system(live(args, config))?
}

/// Runs the gateway until a signal or an escalation ends it. The order is: signals, keys, address,
/// store. What fails most often and costs least is tried first.
async fn live(args: &GatewayArgs, config: GatewayConfig) -> Result<ExitCode> {
    let mut signals = SignalListener::listen()?;
    // All clients are made once as a test. A missing key is then reported before a socket or a
    // store is opened.
    let timeouts = ProviderTimeouts { first_byte: config.first_byte, idle: config.idle };
    let factory = AdapterFactory { timeouts, open_archive: crate::store::open_archive };
    for model in &config.models {
        ModelClients::new(model, &factory).map_err(|fault| fault_error(&fault))?;
    }
    // The address is taken before the store is opened: a second gateway at the same address fails
    // early and changes nothing.
    let listener = HttpListener::open(&config.listen).await.map_err(|error| {
        Error::new(Code::SocketUnusable, "the gateway cannot listen at the address in its file")
            .with_source(error)
            .hint("set another `listen` under [gateway], or end the gateway that uses this address")
    })?;
    let address =
        listener.address().map_err(|e| Error::new(Code::Io, "no address").with_source(e))?;
    let engine = RunningEngine::start(options(args)?).await?;
    let opened = open(&engine, &config, factory).await;
    let (gateway, standalone, token) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            engine.shut_down().await?;
            return Err(error);
        }
    };
    announce(args, &config, &address, &token)?;
    let serving = spawn("gateway", serve(Arc::new(standalone), listener));
    let failed = tokio::select! {
        () = signals.wait_for_stop() => None,
        why = escalation(&engine) => Some(why),
    };
    // From here on no new connection is accepted. Calls in progress go on.
    drop(serving);
    finish(engine, &gateway, &config, &mut signals, failed).await
}

/// The options of an engine that serves no episodes: no warm sandboxes, only the shipped templates.
fn options(args: &GatewayArgs) -> Result<EngineOptions> {
    Ok(EngineOptions {
        data_dir: args.data.data_dir.clone(),
        executable: this_executable()?,
        max_episodes: 1,
        pool: PoolConfig { warm: 0, ..PoolConfig::default() },
        catalog: templates::load(&[])?,
    })
}

/// Opens the gateway's account: its record in the store, its models and caps in the router, its
/// token. Money that was spent under the same name before counts against the budget. The error
/// `CampaignChanged` means that a campaign of tasks already has the name.
async fn open(
    engine: &RunningEngine,
    config: &GatewayConfig,
    factory: AdapterFactory,
) -> Result<(Arc<ModelGateway>, StandaloneGateway, GatewayToken)> {
    let known = engine.store.campaign(&config.name).await.map_err(store_error)?;
    // All gateways share one identity, which no campaign of tasks has. So records of the two kinds
    // never mix under one name.
    let identity = digest_of(&["gateway"]);
    if known.is_some_and(|known| known.identity != identity) {
        let what = format!("{} is the name of a campaign in this data directory", config.name);
        return Err(Error::new(Code::CampaignChanged, what)
            .hint("set another `name` under [gateway], or choose another --data-dir"));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        kind: Default::default(),
        identity,
        sampling: None,
        config: config.source.clone(),
        images: Default::default(),
        price_table: Some(PriceTable::current().digest.clone()),
        // The record is complete from the beginning, so that no daemon tries to resume it.
        state: CampaignState::Complete,
        reason: Some("a gateway".to_owned()),
        created_at_ms: engine.services.clock.now_ms(),
    };
    let written =
        engine.services.collector.record(vec![JournalEntry::CampaignOpened(record)]).await;
    written.map_err(|fault| fault_error(&fault))?;
    let today = day_of(engine.services.clock.now_ms());
    let before = engine.store.spending(&config.name, today).await.map_err(store_error)?;
    let models = config.models.iter().map(|model| ModelClients::new(model, &factory));
    let models = models.collect::<Result<_, _>>().map_err(|fault| fault_error(&fault))?;
    let opened =
        engine.services.router.open(config.name.clone(), models, config.caps(), before).await;
    opened.map_err(|fault| fault_error(&fault))?;
    let token = token()?;
    let services = &engine.services;
    let tools = GatewayServices {
        router: services.router.clone(),
        collector: services.collector.clone(),
        journal: services.journal.clone(),
        clock: services.clock.clone(),
    };
    let (name, cap) = (config.name.clone(), config.max_output_tokens);
    let gateway = ModelGateway::new(&tools, &config.models, cap, &factory);
    let gateway = Arc::new(gateway.map_err(|fault| fault_error(&fault))?);
    let standalone = StandaloneGateway::new(gateway.clone(), tools, name, token.clone());
    Ok((gateway, standalone, token))
}

/// The token from the environment, without surrounding spaces, or a new random one.
fn token() -> Result<GatewayToken> {
    match std::env::var(TOKEN).ok().filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(GatewayToken::of(text.trim())),
        None => GatewayToken::fresh()
            .map_err(|error| Error::new(Code::Unexpected, "no random numbers").with_source(error)),
    }
}

/// Prints address, token, models and budget when the gateway listens. Scripts wait for this output,
/// so nothing is printed before the address is really open.
fn announce(
    args: &GatewayArgs,
    config: &GatewayConfig,
    address: &str,
    token: &GatewayToken,
) -> Result<()> {
    // A token that the user chose is not printed; the user knows it.
    let own = std::env::var_os(TOKEN).is_none().then(|| token.expose());
    let models: Vec<&str> = config.models.iter().map(|model| model.name.as_str()).collect();
    if args.json {
        return print_json(&json!({ "listening": address, "token": own, "models": models,
            "campaign": config.name, "budget_usd": config.budget }));
    }
    print_line(&format!("listening on {address}"));
    print_line(&format!("  token   {}", own.unwrap_or("as in SYNTHD_GATEWAY_TOKEN")));
    print_line(&format!("  models  {}", models.join(", ")));
    let budget = config.budget.map_or_else(|| "none".to_owned(), |budget| format!("${budget}"));
    print_line(&format!("  budget  {budget}"));
    Ok(())
}

/// Ends the gateway: open calls may finish for 30 s, or until a second signal. Then the remaining
/// records are written and the engine is shut down. Calls that could not be recorded are an error.
async fn finish(
    engine: RunningEngine,
    gateway: &ModelGateway,
    config: &GatewayConfig,
    signals: &mut SignalListener,
    failed: Option<String>,
) -> Result<ExitCode> {
    eprint_line("open calls may finish; press Ctrl-C again to abandon them");
    tokio::select! {
        () = gateway.close() => {}
        () = signals.wait_for_stop() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    // Calls may still be settled until the router is closed, so the sums are taken after that.
    let router = engine.services.router.clone();
    engine.shut_down().await?;
    let written = router.flush_backlog().await;
    // Open holds count in full in the sum that is printed, as they do at the next start.
    let (spent, held) = (router.spent(&config.name), router.held(&config.name));
    let spent = spent.saturating_add(held);
    eprint_line(&format!("${spent} spent under the name {}", config.name));
    if let Err((calls, fault)) = written {
        eprint_line(&format!("{calls} calls are not recorded"));
        return Err(fault_error(&fault));
    }
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(why) => Err(Error::new(Code::Escalated, why)
            .hint("the spending is recorded; please report the log lines above")),
    }
}

//! `synthd gateway`: a budgeted, recording proxy for programs that ask models themselves.

use super::DataDir;
use super::doctor::this_executable;
use super::leaving::escalation;
use super::output::{complain, complain_of_config, say, say_json};
use super::signals::Signals;
use crate::config::{self, GatewayConfig};
use crate::engine::{Engine, EngineOptions, fault_error, in_system, store_error};
use crate::error::{Code, Error, Result};
use crate::gateway::{Door, Gateway, Standalone, Token, Tools, serve};
use crate::llm::{Models, Patience};
use crate::prices::PriceTable;
use crate::templates;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{CampaignRecord, CampaignState, Entry, day_of, digest_of};
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::Journal;
use synthd_actors::router::Manned;
use synthd_actors::supervisor::spawn;

/// The variable that holds the token clients show, where it is to stay the same.
const TOKEN: &str = "SYNTHD_GATEWAY_TOKEN";
/// For calls on their way, when the gateway ends.
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
    prices: super::prices::PriceOptions,
    #[command(flatten)]
    data: DataDir,
}

pub(super) fn run(args: &GatewayArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let config = match config::load_gateway(&args.config) {
        Ok(config) => config,
        Err(errors) => {
            complain_of_config(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    in_system(live(args, config))?
}

async fn live(args: &GatewayArgs, config: GatewayConfig) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    // Keys that are missing are told before anything is opened.
    let patience = Patience { first_byte: config.first_byte, idle: config.idle };
    let factory = Models { patience };
    for model in &config.models {
        Manned::new(model, &factory).map_err(|fault| fault_error(&fault))?;
    }
    let door = Door::open(&config.listen).await.map_err(|error| {
        Error::new(Code::SocketUnusable, "the gateway cannot listen at the address in its file")
            .because(error)
            .hint("set another `listen` under [gateway], or end the gateway that uses this address")
    })?;
    let address = door.address().map_err(|e| Error::new(Code::Io, "no address").because(e))?;
    let engine = Engine::start(options(args)?).await?;
    let opened = open(&engine, &config, factory).await;
    let (gateway, standing, token) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            engine.shut_down().await?;
            return Err(error);
        }
    };
    announce(args, &config, &address, &token)?;
    let serving = spawn("gateway", serve(Arc::new(standing), door));
    let failed = tokio::select! {
        () = signals.stop() => None,
        why = escalation(&engine) => Some(why),
    };
    drop(serving);
    finish(engine, &gateway, &config, &mut signals, failed).await
}

fn options(args: &GatewayArgs) -> Result<EngineOptions> {
    Ok(EngineOptions {
        data_dir: args.data.data_dir.clone(),
        executable: this_executable()?,
        max_episodes: 1,
        pool: PoolConfig { warm: 0, ..PoolConfig::default() },
        catalog: templates::load(&[])?,
    })
}

/// What was spent under this name before counts.
async fn open(
    engine: &Engine,
    config: &GatewayConfig,
    factory: Models,
) -> Result<(Arc<Gateway>, Standalone, Token)> {
    let known = engine.store.campaign(&config.name).await.map_err(store_error)?;
    // What belongs to campaigns of tasks is not mixed with what belongs to none.
    let identity = digest_of(&["gateway"]);
    if known.is_some_and(|known| known.identity != identity) {
        let what = format!("{} is the name of a campaign in this data directory", config.name);
        return Err(Error::new(Code::CampaignChanged, what)
            .hint("set another `name` under [gateway], or choose another --data-dir"));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        identity,
        config: config.source.clone(),
        images: Default::default(),
        price_table: Some(PriceTable::current().digest.clone()),
        // Nothing of it is ever taken up by itself.
        state: CampaignState::Complete,
        reason: Some("a gateway".to_owned()),
        created_at_ms: engine.world.clock.now_ms(),
    };
    let written = engine.world.collector.record(vec![Entry::CampaignOpened(record)]).await;
    written.map_err(|fault| fault_error(&fault))?;
    let today = day_of(engine.world.clock.now_ms());
    let before = engine.store.spending(&config.name, today).await.map_err(store_error)?;
    let models = config.models.iter().map(|model| Manned::new(model, &factory));
    let models = models.collect::<Result<_, _>>().map_err(|fault| fault_error(&fault))?;
    engine.world.router.open(config.name.clone(), models, config.caps(), before);
    let token = token()?;
    let world = &engine.world;
    let tools = Tools {
        router: world.router.clone(),
        collector: world.collector.clone(),
        journal: world.journal.clone(),
        clock: world.clock.clone(),
    };
    let (name, cap) = (config.name.clone(), config.max_output_tokens);
    let gateway = Gateway::new(&tools, &config.models, cap, &factory);
    let gateway = Arc::new(gateway.map_err(|fault| fault_error(&fault))?);
    let standing = Standalone::new(gateway.clone(), tools, name, token.clone());
    Ok((gateway, standing, token))
}

fn token() -> Result<Token> {
    match std::env::var(TOKEN).ok().filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(Token::of(text.trim())),
        None => Token::fresh()
            .map_err(|error| Error::new(Code::Unexpected, "no random numbers").because(error)),
    }
}

fn announce(
    args: &GatewayArgs,
    config: &GatewayConfig,
    address: &str,
    token: &Token,
) -> Result<()> {
    // One that the user chose is the user's to know.
    let own = std::env::var_os(TOKEN).is_none().then(|| token.expose());
    let models: Vec<&str> = config.models.iter().map(|model| model.name.as_str()).collect();
    if args.json {
        return say_json(&json!({ "listening": address, "token": own, "models": models,
            "campaign": config.name, "budget_usd": config.budget }));
    }
    say(&format!("listening on {address}"));
    say(&format!("  token   {}", own.unwrap_or("as in SYNTHD_GATEWAY_TOKEN")));
    say(&format!("  models  {}", models.join(", ")));
    let budget = config.budget.map_or_else(|| "none".to_owned(), |budget| format!("${budget}"));
    say(&format!("  budget  {budget}"));
    Ok(())
}

/// Calls on their way may finish; who insists does not wait for them.
async fn finish(
    engine: Engine,
    gateway: &Gateway,
    config: &GatewayConfig,
    signals: &mut Signals,
    failed: Option<String>,
) -> Result<ExitCode> {
    complain("open calls may finish; press Ctrl-C again to abandon them");
    tokio::select! {
        () = gateway.close() => {}
        () = signals.stop() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    // What nobody has settled counts in full, now and at the next start.
    let (spent, held) =
        (engine.world.router.spent(&config.name), engine.world.router.held(&config.name));
    let written = gateway.write_down().await;
    engine.shut_down().await?;
    let spent = spent.saturating_add(held);
    complain(&format!("${spent} spent under the name {}", config.name));
    if let Err((calls, fault)) = written {
        complain(&format!("{calls} calls were answered but are not recorded"));
        return Err(fault_error(&fault));
    }
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(why) => Err(Error::new(Code::Escalated, why)
            .hint("the spending is recorded; please report the log lines above")),
    }
}

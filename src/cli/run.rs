//! `synthd run`: one campaign in the foreground, resuming what is there.

mod progress;
mod summary;

use super::doctor::this_executable;
use super::logging::Logging;
use super::output::{complain, say, say_json};
use super::{DataDir, TemplateDirs};
use crate::config;
use crate::engine::{Engine, EngineOptions, in_system};
use crate::error::{Code, Error, Result};
use crate::templates;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::Summary;
use synthd_actors::campaign::{CampaignHandle, PrepareError, Progress, Skipped};
use synthd_actors::engine::SubmitError;
use synthd_actors::model::{CampaignConfig, CampaignState};
use synthd_actors::pool::PoolConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long running episodes may go on after a first Ctrl-C.
const GRACE: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(
    after_help = "Running the same file again resumes it; a complete campaign is left as it is.
The first Ctrl-C lets running episodes finish, the second stops at once; both
leave the campaign resumable.

Examples:
  synthd run config/quickstart.toml
  synthd run campaign.toml --data-dir /data/synthd --json > result.json"
)]
pub(super) struct RunArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    templates: TemplateDirs,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: RunArgs, _logging: &Logging) -> Result<ExitCode> {
    let loaded = match config::load_campaign(&args.campaign) {
        Ok(loaded) => loaded,
        Err(errors) => {
            complain(&errors.render());
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let catalog = Arc::new(templates::load(&args.templates.directories)?);
    let config = Arc::new(loaded.config);
    if catalog.select(&config.tasks.templates, &config.tasks.exclude).is_empty() {
        return Err(super::check::nothing_matches(&config.tasks.templates));
    }
    let options = EngineOptions {
        data_dir: args.data.data_dir.clone(),
        executable: this_executable()?,
        max_episodes: config.concurrency,
        pool: PoolConfig { warm: config.concurrency.min(16), ..PoolConfig::default() },
        catalog,
    };
    in_system(foreground(options, config, loaded.source, args.json))?
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|e| Error::new(Code::Unexpected, "no signals").because(e));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn foreground(
    options: EngineOptions,
    config: Arc<CampaignConfig>,
    source: String,
    json: bool,
) -> Result<ExitCode> {
    let started = Instant::now();
    let mut signals = Signals::listen()?;
    let engine = Engine::start(options).await?;
    let outcome = drive(&engine, &config, source, &mut signals).await;
    engine.shut_down(Duration::ZERO, std::future::pending()).await?;
    let (last, interrupted) = outcome?;
    let summary = Summary::of(&last, started.elapsed());
    if json {
        say_json(&summary)?;
    } else {
        say(&summary::closing_text(&last, &summary, interrupted));
    }
    Ok(exit_code(&last, interrupted))
}

/// Runs the campaign to its rest; whether a signal brought it there.
async fn drive(
    engine: &Engine,
    config: &Arc<CampaignConfig>,
    source: String,
    signals: &mut Signals,
) -> Result<(Progress, bool)> {
    require(engine, config).await?;
    let campaign = engine
        .handle
        .submit(config.clone(), source)
        .await
        .map_err(|error| refused(&error, config))?;
    let mut escalated = engine.escalated.clone();
    let mut shown = progress::Shown::new(&campaign.progress().borrow());
    let watching = watch(&campaign, &mut shown);
    let mut interrupted = false;
    let last = tokio::select! {
        last = watching => last,
        () = signals.next() => {
            interrupted = true;
            rest(engine, &campaign, signals).await
        }
        why = escalation(&mut escalated) => {
            return Err(Error::new(Code::Escalated, why)
                .hint("the campaign is resumable; please report what the log above says"));
        }
    };
    shown.finish();
    Ok((last, interrupted && campaign.progress().borrow().state != CampaignState::Complete))
}

/// Resolves when an actor has failed for good.
async fn escalation(escalated: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    match escalated.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        // Every life has ended without one: the engine is shutting down.
        Err(_) => std::future::pending().await,
    }
}

/// What the campaign insists on must be enforced here; nothing is downgraded silently.
async fn require(engine: &Engine, config: &CampaignConfig) -> Result<()> {
    let facts = engine.backend.host_facts().await.map_err(|fault| {
        Error::new(Code::LauncherFailed, "the sandbox launcher does not start")
            .because(fault)
            .hint("`synthd doctor` says what this host can run")
    })?;
    let missing = facts.missing(&config.sandbox.require);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        missing.iter().map(|(what, why)| format!("{}: {why}", what.as_str())).collect();
    Err(Error::new(
        Code::HostCannotEnforce,
        format!("this host does not enforce {}", lines.join("; ")),
    )
    .hint("run it where `synthd doctor` says yes, or take it out of [sandbox] require"))
}

async fn watch(campaign: &CampaignHandle, shown: &mut progress::Shown) -> Progress {
    let mut progress = campaign.progress();
    let mut tick = tokio::time::interval(progress::TICK);
    loop {
        tokio::select! {
            changed = progress.changed() => {
                if changed.is_err() {
                    return progress.borrow().clone();
                }
            }
            _ = tick.tick() => shown.show(&progress.borrow()),
        }
        if progress.borrow().settled {
            let last = progress.borrow().clone();
            shown.show(&last);
            return last;
        }
    }
}

/// The first signal has come: finish what runs, unless a second one comes.
async fn rest(engine: &Engine, campaign: &CampaignHandle, signals: &mut Signals) -> Progress {
    let running = engine.handle.running();
    complain(&format!(
        "stopping: {running} episodes may finish within {} s; again to stop at once",
        GRACE.as_secs()
    ));
    engine.handle.drain(false).await;
    tokio::select! {
        () = engine.handle.rested() => {}
        () = tokio::time::sleep(GRACE) => {}
        () = signals.next() => {}
    }
    engine.handle.drain(true).await;
    campaign.settled().await
}

fn refused(error: &SubmitError, config: &CampaignConfig) -> Error {
    match error {
        SubmitError::Prepare(PrepareError::Changed(_)) => {
            Error::new(Code::CampaignChanged, error.to_string())
                .hint("give the campaign another name, or another --data-dir")
        }
        SubmitError::Prepare(PrepareError::NothingToRun(skipped)) => {
            Error::new(Code::NothingToRun, format!("no task is left to run{}", listed(skipped)))
                .hint("install what is missing, or choose other templates")
        }
        SubmitError::Prepare(PrepareError::Template(template)) => Error::new(
            Code::TemplateInvalid,
            format!("{}: {}", template.template, template.message),
        )
        .hint("`synthd template check` says what is wrong with a template"),
        SubmitError::Prepare(PrepareError::Fault(fault)) | SubmitError::Fault(fault) => {
            crate::engine::sandbox_error(fault.clone())
        }
        SubmitError::AlreadyRunning(_) | SubmitError::Draining => {
            Error::new(Code::ControlRefused, error.to_string())
                .hint(format!("`synthd watch {}` shows it", config.name))
        }
        SubmitError::Gone(gone) => Error::new(Code::Escalated, gone.to_string()),
    }
}

fn listed(skipped: &[Skipped]) -> String {
    skipped.iter().map(|s| format!("\n  {}: {}", s.template, s.reason)).collect()
}

fn exit_code(last: &Progress, interrupted: bool) -> ExitCode {
    let code = match last.state {
        _ if interrupted => 130,
        CampaignState::Complete if last.episodes.faulted > 0 => 3,
        CampaignState::Complete => 0,
        CampaignState::Stopped => 4,
        CampaignState::Cancelled => 130,
        CampaignState::Paused | CampaignState::Running => 1,
    };
    ExitCode::from(code)
}

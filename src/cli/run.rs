//! `synthd run`: one campaign in the foreground, resuming what is there.

pub(in crate::cli) mod progress;
pub(in crate::cli) mod summary;

use super::TemplateDirs;
use super::daemon_address::DaemonAddress;
use super::doctor::this_executable;
use super::dry_run;
use super::image::PullShown;
use super::output::{eprint_line, pluralize, print_config_errors, print_json, print_line};
use super::shutdown::{drain_engine, escalation, immediate_shutdown_requested, shutdown_requested};
use super::signals::SignalListener;
use crate::config::{self, LoadedCampaign};
use crate::control::socket::ControlSocket;
use crate::control::{
    ControlServer, ProcessDescription, ProcessMode, ShutdownRequest, is_over, start_campaign,
};
use crate::engine::{Engine, EngineOptions, SystemClock, error_for_kind, run_in_actor_system};
use crate::error::{Code, Error, Result};
use crate::sandbox::docker::PullProgress;
use crate::templates::TemplateLibrary;
use clap::Args;
use progress::{CapLeft, ProgressOptions};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::RunSummary;
use synthd_actors::campaign::{
    CampaignHandle, CampaignProgress, ChangedTemplates, ReopenFilter, RestartOptions,
};
use synthd_actors::model::{CampaignConfig, CampaignState};
use synthd_actors::policy::{CapScope, CapStats};
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::Clock;

/// How long running episodes may go on after a first Ctrl-C.
const GRACE: Duration = Duration::from_secs(30);
/// How long cutting off may take before the last word is not waited for.
const CUT_PATIENCE: Duration = Duration::from_secs(15);

#[derive(Args)]
#[command(
    after_help = "A second run of the same file resumes the campaign. If the campaign is complete, the run only \
tries faulted episodes again, if the reason of their fault may have passed. The first Ctrl-C \
lets running episodes finish. The second Ctrl-C stops at once. The campaign stays resumable in \
both cases. During the run, `synthd status`, `watch`, `pause` and the other commands of the \
daemon reach the campaign over its socket. Templates of your own come from --templates and from \
`tasks.template_dirs` of the file.

Examples:
  synthd run config/quickstart.toml
  synthd run campaign.toml --dry-run
  synthd run campaign.toml --data-dir /data/synthd --json > result.json"
)]
pub(super) struct RunArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    dial: DaemonAddress,
    #[command(flatten)]
    prices: super::prices::PriceOptions,
    #[command(flatten)]
    templates: TemplateDirs,
    #[command(flatten)]
    pub(super) progress: ProgressOptions,
    /// Go on though templates have changed, or fewer tasks are wanted, since the campaign began
    #[arg(long)]
    accept_changed: bool,
    /// Ask each model once, print the plan and the estimate, and run no episode
    #[arg(long)]
    dry_run: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: RunArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let library = TemplateLibrary::load(&args.templates.directories)?;
    let (loaded, library) = match config::load_campaign_with(&library, &args.campaign) {
        Ok(loaded) => loaded,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    if args.dry_run {
        return dry_run::run(&args.dial.data.data_dir, &loaded, &library.catalog, args.json);
    }
    let changed = match args.accept_changed {
        true => ChangedTemplates::Accept,
        false => ChangedTemplates::Refuse,
    };
    let again = RestartOptions { reopen: ReopenFilter::MayHavePassed, changed };
    RunRequest { dial: args.dial, library, loaded, again, progress: args.progress, json: args.json }
        .run()
}

/// A campaign that is about to run in the foreground.
pub(super) struct RunRequest {
    pub(super) dial: DaemonAddress,
    pub(super) library: TemplateLibrary,
    pub(super) loaded: LoadedCampaign,
    pub(super) again: RestartOptions,
    pub(super) progress: ProgressOptions,
    pub(super) json: bool,
}

impl RunRequest {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = Arc::new(self.loaded.config);
        let run = ForegroundRun {
            options: EngineOptions {
                data_dir: self.dial.data.data_dir.clone(),
                executable: this_executable()?,
                max_episodes: config.concurrency,
                pool: PoolConfig { warm: config.concurrency.min(16), ..PoolConfig::default() },
                catalog: self.library.catalog.clone(),
            },
            socket: self.dial.path(),
            library: Arc::new(self.library),
            config,
            source: self.loaded.source,
            again: self.again,
            progress: self.progress,
            json: self.json,
        };
        // The socket is let go last: who waits for it may use the data directory next.
        let (ended, _socket) = run_in_actor_system(run.live())??;
        ended
    }
}

struct ForegroundRun {
    options: EngineOptions,
    socket: PathBuf,
    library: Arc<TemplateLibrary>,
    config: Arc<CampaignConfig>,
    source: String,
    again: RestartOptions,
    progress: ProgressOptions,
    json: bool,
}

impl ForegroundRun {
    async fn live(self) -> Result<(Result<ExitCode>, Option<ControlSocket>)> {
        let started = Instant::now();
        let mut signals = SignalListener::listen()?;
        let engine = Engine::start(self.options.clone()).await?;
        let (socket, console) = match self.open(&engine) {
            Ok((socket, console)) => (Some(socket), Some(console)),
            Err(error) => {
                eprint_line(&error.report());
                eprint_line("going on without a control socket");
                (None, None)
            }
        };
        let outcome = self.drive(&engine, &mut signals, console.as_ref()).await;
        let closed = engine.shut_down().await;
        if let Some(console) = console {
            console.close().await;
        }
        let concluded = self.conclude(outcome, started);
        Ok((concluded.and_then(|code| closed.map(|()| code)), socket))
    }

    fn open(&self, engine: &Engine) -> Result<(ControlSocket, ControlServer)> {
        let data_dir = &self.options.data_dir;
        let socket = ControlSocket::bind(&self.socket, data_dir)?;
        let about = ProcessDescription {
            mode: ProcessMode::Foreground,
            data_dir: data_dir.clone(),
            socket: self.socket.clone(),
            started: Instant::now(),
            started_at: SystemClock.stamp(SystemClock.now_ms()),
            max_episodes: self.options.max_episodes,
        };
        let console = ControlServer::open(&socket, engine, self.library.clone(), about)?;
        Ok((socket, console))
    }

    fn conclude(
        &self,
        outcome: Result<(CampaignProgress, bool)>,
        started: Instant,
    ) -> Result<ExitCode> {
        let (last, interrupted) = outcome?;
        let summary = RunSummary::of(&last, Some(started.elapsed()), interrupted);
        if self.json {
            print_json(&summary)?;
        } else {
            print_line(&summary::closing_text(&last, &summary, interrupted));
        }
        if last.state == CampaignState::Paused && last.escalated {
            return Err(paused(&last));
        }
        Ok(exit_code(&last, interrupted))
    }

    /// Runs the campaign to its rest; whether somebody interrupted it.
    async fn drive(
        &self,
        engine: &Engine,
        signals: &mut SignalListener,
        console: Option<&ControlServer>,
    ) -> Result<(CampaignProgress, bool)> {
        let shutdown = console.map(ControlServer::shutdown_requests);
        let shown = PullShown::new();
        let told = |pulled: &PullProgress| shown.show(pulled);
        let admitted = start_campaign(
            engine,
            &self.library.catalog,
            &self.config,
            self.source.clone(),
            self.again.clone(),
            &told,
        );
        let campaign = tokio::select! {
            admitted = admitted => admitted?,
            () = signals.wait_for_stop() => return Err(unprepared()),
            _ = shutdown_requested(shutdown.clone(), ShutdownRequest::Finish) => return Err(unprepared()),
        };
        drop(shown);
        let mut shown =
            progress::ProgressDisplay::new(&campaign.progress().borrow(), self.progress);
        let caps = || caps_left(engine, &self.config);
        let mut last = tokio::select! {
            last = watch(&campaign, &mut shown, caps) => Some(last),
            () = signals.wait_for_stop() => None,
            _ = shutdown_requested(shutdown.clone(), ShutdownRequest::Finish) => None,
            why = escalation(engine) => {
                return Err(Error::new(Code::Escalated, why)
                    .hint("the campaign is resumable; please report the log lines above"));
            }
        };
        if last.is_none() {
            rest(engine, signals, shutdown).await;
            last = tokio::time::timeout(CUT_PATIENCE, campaign.wait_until_settled()).await.ok();
        }
        shown.finish();
        let last = last.unwrap_or_else(|| campaign.progress().borrow().clone());
        let resumable = matches!(last.state, CampaignState::Running)
            || (last.state == CampaignState::Paused && !last.escalated);
        Ok((last, resumable))
    }
}

/// What is left of each cap of the campaign, calls on their way counted in full.
fn caps_left(engine: &Engine, config: &CampaignConfig) -> Vec<CapLeft> {
    let accounts = engine.world.router.stats();
    let budgets = accounts.into_iter().filter(|account| account.campaign == config.name);
    let left = |cap: CapStats| {
        let name = match (cap.scope, cap.model) {
            (_, Some(model)) => model,
            (CapScope::Day, None) => "today".to_owned(),
            _ => "budget".to_owned(),
        };
        let used = cap.spent_usd.saturating_add(cap.held_usd);
        CapLeft { name, left: cap.cap_usd.saturating_sub(used) }
    };
    budgets.flat_map(|account| account.budgets).map(left).collect()
}

async fn watch(
    campaign: &CampaignHandle,
    shown: &mut progress::ProgressDisplay,
    caps: impl Fn() -> Vec<CapLeft>,
) -> CampaignProgress {
    let mut progress = campaign.progress();
    let mut tick = tokio::time::interval(progress::TICK);
    loop {
        tokio::select! {
            changed = progress.changed() => {
                if changed.is_err() {
                    return progress.borrow().clone();
                }
            }
            _ = tick.tick() => shown.show(&campaign.current_progress(), &caps()),
        }
        // One that a client has paused waits for a client.
        if is_over(&progress.borrow()) {
            let last = progress.borrow().clone();
            shown.show(&last, &caps());
            return last;
        }
    }
}

/// Somebody wants an end: finish what runs, unless somebody insists.
async fn rest(
    engine: &Engine,
    signals: &mut SignalListener,
    shutdown: Option<tokio::sync::watch::Receiver<ShutdownRequest>>,
) {
    eprint_line(&format!(
        "stopping: {} may finish within {} s; press Ctrl-C again to stop at once",
        pluralize(engine.handle.running(), "episode"),
        GRACE.as_secs()
    ));
    drain_engine(engine, GRACE, immediate_shutdown_requested(signals, shutdown), |running| {
        eprint_line(&format!("waiting for {}", pluralize(running, "running episode")));
    })
    .await;
}

/// Stopped before there was anything to finish.
fn unprepared() -> Error {
    Error::new(Code::Interrupted, "stopped during the preparation of the campaign")
        .hint("run the same command again")
}

/// The engine itself paused the campaign, because going on made no sense.
fn paused(last: &CampaignProgress) -> Error {
    let why = last.reason.as_deref().unwrap_or("no reason was given");
    let what = format!("campaign {} is paused: {why}", last.campaign);
    match last.cause {
        Some(kind) => error_for_kind(kind, what),
        None => Error::new(Code::Escalated, what).hint("run the same command again to resume"),
    }
}

/// What the end of a campaign is to the shell.
pub(in crate::cli) fn exit_code(last: &CampaignProgress, interrupted: bool) -> ExitCode {
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

//! `synthd run`: runs one campaign in the foreground. If the data directory knows the campaign, the
//! run resumes it.
//!
//! The order of a run: read the file, start an engine, open the control socket, admit the campaign,
//! show its progress until it is at rest, shut the engine down, print the summary. A first Ctrl-C
//! lets running episodes finish; a second one cuts them off. The campaign can be resumed in both
//! cases.

pub(in crate::cli) mod progress;
pub(in crate::cli) mod summary;

use crate::cli::TemplateDirs;
use crate::cli::daemon::daemon_address::DaemonAddress;
use crate::cli::daemon::shutdown::{
    drain_engine, escalation, immediate_shutdown_requested, shutdown_requested,
};
use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::this_executable;
use crate::cli::dry_run;
use crate::cli::image::PullShown;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_config_errors, print_json, print_line,
};
use crate::config::{self, LoadedCampaign};
use crate::control::socket::ControlSocket;
use crate::control::{
    ControlServer, ProcessDescription, ProcessMode, ShutdownRequest, is_over, start_campaign,
};
use crate::error::{Code, Error, Result};
use crate::running_engine::{
    EngineOptions, RunningEngine, SystemClock, error_for_kind, run_in_actor_system,
};
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
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::Clock;
use synthd_actors::work::WorkInputs;

/// The most time that running episodes have to finish after a first Ctrl-C.
const GRACE: Duration = Duration::from_secs(30);
/// The most time to wait for the campaign's last progress after its episodes were cut off.
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
    daemon: DaemonAddress,
    #[command(flatten)]
    prices: crate::cli::prices::PriceOptions,
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

/// Runs the command: reads the file and starts a foreground run or a dry run.
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
    let changed = match args.accept_changed {
        true => ChangedTemplates::Accept,
        false => ChangedTemplates::Refuse,
    };
    if args.dry_run {
        let inputs = loaded.inputs(&library.catalog);
        return dry_run::run(&args.daemon.data.data_dir, &loaded, &inputs, changed, args.json);
    }
    let again = RestartOptions { reopen: ReopenFilter::MayHavePassed, changed };
    RunRequest {
        daemon: args.daemon,
        library,
        loaded,
        again,
        progress: args.progress,
        json: args.json,
    }
    .run()
}

/// A campaign that is about to run in the foreground. `run` and `retry` make one.
pub(super) struct RunRequest {
    /// The data directory and the path of the control socket.
    pub(super) daemon: DaemonAddress,
    /// The templates, with those of the campaign's own directories.
    pub(super) library: TemplateLibrary,
    /// The campaign file, read and checked.
    pub(super) loaded: LoadedCampaign,
    /// Which faulted episodes are tried again, and whether changed templates are accepted.
    pub(super) again: RestartOptions,
    pub(super) progress: ProgressOptions,
    pub(super) json: bool,
}

impl RunRequest {
    /// Runs the campaign in a new actor system and returns the exit code of the command.
    pub(super) fn run(self) -> Result<ExitCode> {
        let inputs = self.loaded.inputs(&self.library.catalog);
        let config = Arc::new(self.loaded.config);
        let run = ForegroundRun {
            options: EngineOptions {
                data_dir: self.daemon.data.data_dir.clone(),
                executable: this_executable()?,
                max_episodes: config.concurrency,
                // At most 16 sandboxes are kept warm, also with a higher concurrency.
                pool: PoolConfig { warm: config.concurrency.min(16), ..PoolConfig::default() },
                catalog: self.library.catalog.clone(),
            },
            socket: self.daemon.path(),
            library: Arc::new(self.library),
            inputs,
            config,
            source: self.loaded.source,
            again: self.again,
            progress: self.progress,
            json: self.json,
        };
        // The socket is dropped after the actor system. A process that waits for its lock may then
        // open the data directory at once.
        let (ended, _socket) = run_in_actor_system(run.live())??;
        ended
    }
}

/// Everything that a foreground run needs, in the form in which it is used.
struct ForegroundRun {
    /// The options of the engine: data directory, limits, templates.
    options: EngineOptions,
    /// The path of the control socket.
    socket: PathBuf,
    library: Arc<TemplateLibrary>,
    /// The templates and the prompts of the campaign.
    inputs: WorkInputs,
    /// The campaign as its file describes it.
    config: Arc<CampaignConfig>,
    /// The text of the campaign file, which the store keeps.
    source: String,
    again: RestartOptions,
    progress: ProgressOptions,
    /// Whether the summary is printed as JSON.
    json: bool,
}

impl ForegroundRun {
    /// Runs the campaign and shuts down. The inner result is the exit code. The socket is returned,
    /// so that the caller drops it last.
    async fn live(self) -> Result<(Result<ExitCode>, Option<ControlSocket>)> {
        let started = Instant::now();
        let mut signals = SignalListener::listen()?;
        let engine = RunningEngine::start(self.options.clone()).await?;
        let (socket, console) = match self.open(&engine) {
            Ok((socket, console)) => (Some(socket), Some(console)),
            // A run does not depend on its socket, for example if the path is too long.
            Err(error) => {
                eprint_line(&error.report());
                eprint_line("going on without a control socket");
                (None, None)
            }
        };
        let outcome = self.drive(&engine, &mut signals, console.as_ref()).await;
        // The engine closes before the socket: clients take the end of the connection as the end of
        // the work.
        let closed = engine.shut_down().await;
        if let Some(console) = console {
            console.close().await;
        }
        let concluded = self.conclude(outcome, started);
        Ok((concluded.and_then(|code| closed.map(|()| code)), socket))
    }

    /// Takes the control socket and listens on it.
    fn open(&self, engine: &RunningEngine) -> Result<(ControlSocket, ControlServer)> {
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

    /// Prints the summary and decides how the command ends.
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
        ended(&last, interrupted)
    }

    /// Says that tasks of containers are proven before the first episode, which may take long.
    fn announce_proofs(&self) {
        let tasks = &self.config.tasks;
        let selected = self.inputs.catalog.select(&tasks.templates, &tasks.exclude);
        let count = selected.iter().filter(|template| template.container().is_some()).count();
        if count > 0 {
            let tasks = pluralize(count as u64, "task");
            eprint_line(&format!(
                "{tasks} with an image: what was not proven before is proven now (--log-level info \
                 tells of each)"
            ));
        }
    }

    /// Runs the campaign until it is at rest: admits it, shows its progress, and after a signal
    /// brings the engine to rest. Returns the last progress, and whether somebody interrupted the
    /// campaign (it can then be resumed). An escalation of an actor is an error.
    async fn drive(
        &self,
        engine: &RunningEngine,
        signals: &mut SignalListener,
        console: Option<&ControlServer>,
    ) -> Result<(CampaignProgress, bool)> {
        let shutdown = console.map(ControlServer::shutdown_requests);
        self.announce_proofs();
        let shown = PullShown::new();
        let told = |pulled: &PullProgress| shown.show(pulled);
        let admitted = start_campaign(
            engine,
            &self.inputs,
            &self.config,
            self.source.clone(),
            self.again.clone(),
            &told,
        );
        // A signal during the preparation ends the run at once: no episode has begun yet.
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
        // The campaign did not come to rest in time. Its newest progress is good enough for the
        // summary.
        let last = last.unwrap_or_else(|| campaign.progress().borrow().clone());
        let resumable = matches!(last.state, CampaignState::Running)
            || (last.state == CampaignState::Paused && !last.escalated);
        Ok((last, resumable))
    }
}

/// What is left of each cap of the campaign. Open holds count as spent.
fn caps_left(engine: &RunningEngine, config: &CampaignConfig) -> Vec<CapLeft> {
    let accounts = engine.services.router.stats();
    let budgets = accounts.into_iter().filter(|account| account.campaign == config.name);
    budgets.flat_map(|account| account.budgets).map(CapLeft::of).collect()
}

/// Shows the progress until the campaign is over, and returns the last progress. The display is
/// updated at each tick, not at each change, because changes come much faster than a person can
/// read. If the campaign's actor ends, the newest progress is returned.
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
        // A campaign that a client has paused is not over; it waits for a client to resume it.
        if is_over(&progress.borrow()) {
            let last = progress.borrow().clone();
            shown.show(&last, &caps());
            return last;
        }
    }
}

/// Brings the engine to rest after a first signal: running episodes may finish, until the grace
/// period ends or somebody asks for more haste.
async fn rest(
    engine: &RunningEngine,
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

/// The error for a run that was stopped before its first episode. Nothing has to be resumed.
fn unprepared() -> Error {
    Error::new(Code::Interrupted, "stopped during the preparation of the campaign")
        .hint("run the same command again")
}

/// How a command ends whose campaign is at rest: with an exit code, or with an error if a fault has
/// paused the campaign.
pub(in crate::cli) fn ended(last: &CampaignProgress, interrupted: bool) -> Result<ExitCode> {
    match last.state {
        // A campaign that watches its diversity may pause itself without a fault.
        CampaignState::Paused if last.escalated && last.cause.is_some() => Err(paused(last)),
        _ => Ok(exit_code(last, interrupted)),
    }
}

/// The error for a campaign that a fault has paused. The kind of the fault decides the error code.
fn paused(last: &CampaignProgress) -> Error {
    let why = last.reason.as_deref().unwrap_or("no reason was given");
    let what = format!("campaign {} is paused: {why}", last.campaign);
    match last.cause {
        Some(kind) => error_for_kind(kind, what),
        None => Error::new(Code::Escalated, what).hint("run the same command again to resume"),
    }
}

/// The exit code for the end of a campaign: 0 complete, 3 complete with faulted episodes, 4 stopped
/// at the budget, 130 interrupted or cancelled, 1 otherwise.
fn exit_code(last: &CampaignProgress, interrupted: bool) -> ExitCode {
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

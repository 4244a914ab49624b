//! `synthd serve`: the daemon. It runs the campaigns that clients submit over the control socket,
//! several at once. At its start it resumes the campaigns that were running when the last daemon
//! ended.
//!
//! The daemon ends after a signal, a `synthd shutdown`, or an actor that keeps panicking. SIGHUP
//! reloads the log level.

use crate::cli::daemon::shutdown::{
    drain_engine, escalation, immediate_shutdown_requested, shutdown_requested,
};
use crate::cli::daemon::signals::{SignalAction, SignalListener};
use crate::cli::doctor::this_executable;
use crate::cli::terminal::logging::{self, LogFilterHandle, LogOptions};
use crate::cli::terminal::output::print_config_errors;
use crate::config::{self, ConfigErrors, DaemonConfig};
use crate::control::socket::{self, ControlSocket};
use crate::control::{ControlServer, ProcessDescription, ProcessMode, ShutdownRequest};
use crate::error::{Code, Error, Result};
use crate::running_engine::{EngineOptions, RunningEngine, SystemClock, run_in_actor_system};
use crate::templates::TemplateLibrary;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::Clock;

/// The exit code if running episodes were cut off. The next start resumes them.
const CUT_OFF: u8 = 130;

#[derive(Args)]
#[command(after_help = "The daemon resumes the campaigns that were running when it last ended.

After SIGTERM or Ctrl-C, running episodes may finish within [daemon] drain_timeout, and the \
daemon exits with 0. A second signal, or the timeout, cuts off running episodes, and the \
daemon exits with 130. Every campaign stays resumable in both cases. After SIGHUP, the daemon \
reads [log] level again from the --config file. This level also replaces a --log-level given \
here.

Examples:
  synthd serve
  synthd serve --config config/daemon.toml
  synthd serve --data-dir /data/synthd --socket /run/user/1000/synthd.sock")]
pub(in crate::cli) struct ServeArgs {
    /// The daemon's file; options given here replace its settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of campaigns, steps and datasets [default: ./synthd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The control socket [default: <data-dir>/synthd.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    prices: crate::cli::prices::PriceOptions,
    #[command(flatten)]
    templates: crate::cli::TemplateDirs,
}

/// Runs the command: reads the settings, checks that the socket is free, and runs the daemon.
pub(in crate::cli) fn run(args: ServeArgs, logs: &LogOptions) -> Result<ExitCode> {
    args.prices.table()?;
    let config = match settings(&args) {
        Ok(config) => config,
        Err(errors) => {
            print_config_errors(&errors, false);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let logging = logging::start_daemon(logs, &config.log)?;
    // Checked before the engine starts, so that a second daemon fails quickly and names the first
    // one.
    socket::check_free(&config.socket_path())?;
    let library = Arc::new(TemplateLibrary::load(&config.template_dirs)?);
    let daemon = Daemon { config, config_file: args.config, library, logging };
    // The socket is dropped after the actor system. A process that waits for its lock may then
    // start the next daemon at once.
    let (ended, _socket) = run_in_actor_system(daemon.live())??;
    ended
}

/// The settings of the daemon's file, with the options of the command line in their place. Template
/// directories of both are used.
fn settings(args: &ServeArgs) -> Result<DaemonConfig, ConfigErrors> {
    let mut config = match &args.config {
        Some(path) => config::load_daemon(path)?.config,
        None => DaemonConfig::default(),
    };
    if let Some(data_dir) = &args.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    if let Some(socket) = &args.socket {
        config.socket = Some(socket.clone());
    }
    config.template_dirs.extend(args.templates.directories.iter().cloned());
    Ok(config)
}

/// A daemon before it starts.
struct Daemon {
    /// The settings of the file with the options of the command line.
    config: DaemonConfig,
    /// The daemon's file, which SIGHUP reads again. None without `--config`.
    config_file: Option<PathBuf>,
    /// The templates of the daemon. Campaigns may add directories of their own.
    library: Arc<TemplateLibrary>,
    /// Changes the log level after SIGHUP.
    logging: LogFilterHandle,
}

/// Why the daemon ends.
enum DaemonExit {
    /// A signal or a client asked for it. With `now`, running episodes get no time to finish.
    Asked { now: bool },
    /// An actor has failed for good.
    Failed(String),
}

impl Daemon {
    /// Runs the daemon until it ends. The inner result is the exit code. The socket is returned, so
    /// that the caller drops it last. If the socket cannot be opened, the engine is shut down
    /// again: a daemon without a socket could not be controlled.
    async fn live(self) -> Result<(Result<ExitCode>, ControlSocket)> {
        let mut signals = SignalListener::listen()?.with_reload()?;
        let engine = RunningEngine::start(self.engine_options()?).await?;
        let (socket, mut console) = match self.open(&engine) {
            Ok(opened) => opened,
            Err(error) => {
                engine.shut_down().await?;
                return Err(error);
            }
        };
        tracing::info!(
            pid = std::process::id(),
            socket = %socket.path().display(),
            data_dir = %self.config.data_dir.display(),
            "listening"
        );
        let leave = self.until_left(&engine, &mut signals, &mut console).await;
        // A campaign that is resumed now would only be cut off again.
        console.stop_restarting();
        let ended = self.leave(engine, leave, signals, console).await;
        Ok((ended, socket))
    }

    /// The options of the engine, from the daemon's settings. Limits of the pool that the file does
    /// not know keep their defaults.
    fn engine_options(&self) -> Result<EngineOptions> {
        let pool = &self.config.pool;
        Ok(EngineOptions {
            data_dir: self.config.data_dir.clone(),
            executable: this_executable()?,
            max_episodes: self.config.max_episodes,
            pool: PoolConfig {
                warm: pool.warm,
                parallel_creation: pool.parallel_creation,
                max_age: pool.max_age,
                max_idle: pool.max_idle,
                ..PoolConfig::default()
            },
            catalog: self.library.catalog.clone(),
        })
    }

    /// Takes the control socket, listens, and begins to resume earlier campaigns.
    fn open(&self, engine: &RunningEngine) -> Result<(ControlSocket, ControlServer)> {
        let path = self.config.socket_path();
        let socket = ControlSocket::bind(&path, &self.config.data_dir)?;
        let about = ProcessDescription {
            mode: ProcessMode::Daemon,
            data_dir: self.config.data_dir.clone(),
            socket: path,
            started: Instant::now(),
            started_at: SystemClock.stamp(SystemClock.now_ms()),
            max_episodes: self.config.max_episodes,
        };
        let console = ControlServer::open(&socket, engine, self.library.clone(), about)?;
        Ok((socket, console))
    }

    /// Waits for the reason to end. SIGHUP is handled here and does not end the wait.
    async fn until_left(
        &self,
        engine: &RunningEngine,
        signals: &mut SignalListener,
        console: &mut ControlServer,
    ) -> DaemonExit {
        let shutdown = console.shutdown_requests();
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    SignalAction::Reload => self.reload(),
                    SignalAction::Stop => return DaemonExit::Asked { now: false },
                },
                request = shutdown_requested(Some(shutdown.clone()), ShutdownRequest::Finish) => {
                    return DaemonExit::Asked { now: request == ShutdownRequest::Now };
                }
                why = escalation(engine) => return DaemonExit::Failed(why),
                why = console.failed() => return DaemonExit::Failed(why),
            }
        }
    }

    /// Reads the log level from the daemon's file again. A file with mistakes changes nothing.
    /// Other settings need a restart.
    fn reload(&self) {
        let Some(path) = &self.config_file else {
            tracing::warn!("nothing to reload, because the daemon was started without --config");
            return;
        };
        let loaded = config::load_daemon(path).map_err(Error::from);
        let set = loaded.and_then(|file| {
            let level = file.config.log.level;
            // Logged before and after the change, because either level may hide one of the two
            // lines.
            tracing::info!(level, "the level of logs changes");
            self.logging.set(&level)?;
            tracing::info!(level, "the level of logs has changed");
            Ok(())
        });
        if let Err(error) = set {
            tracing::error!(why = error.report(), "the configuration was not reloaded");
        }
    }

    /// Shuts the daemon down: drains, shuts the engine down, and closes the control socket last,
    /// because its clients wait for the end.
    async fn leave(
        &self,
        engine: RunningEngine,
        leave: DaemonExit,
        mut signals: SignalListener,
        console: ControlServer,
    ) -> Result<ExitCode> {
        // After a failure there is no grace period: an engine that lacks an actor cannot finish
        // episodes.
        let now = !matches!(leave, DaemonExit::Asked { now: false });
        let grace = if now { Duration::ZERO } else { self.config.drain_timeout };
        tracing::info!(episodes = engine.handle.running(), ?grace, "shutting down");
        let shutdown = Some(console.shutdown_requests());
        let cut = drain_engine(
            &engine,
            grace,
            immediate_shutdown_requested(&mut signals, shutdown),
            |running| {
                tracing::info!(episodes = running, "waiting for running episodes");
            },
        )
        .await;
        let closed = engine.shut_down().await;
        console.close().await;
        closed?;
        tracing::info!(cut, "the daemon has come to rest");
        match leave {
            DaemonExit::Failed(why) => Err(Error::new(Code::Escalated, why)
                .hint("campaigns are resumable; please report the log lines above")),
            DaemonExit::Asked { .. } if cut => Ok(ExitCode::from(CUT_OFF)),
            DaemonExit::Asked { .. } => Ok(ExitCode::SUCCESS),
        }
    }
}

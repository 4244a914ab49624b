//! `synthd image`: builds, pulls, lists, checks and prunes images for container sandboxes. An image
//! is made from packages or from a Dockerfile, or it is pulled from a registry.

mod build;
mod check;
mod list;
mod prune;
mod pull;

pub(super) use pull::PullProgressDisplay as PullShown;

use crate::cli::daemon::signals::SignalListener;
use crate::cli::terminal::output::{eprint_line, stderr_is_terminal};
use crate::error::{Code, Error, Result};
use crate::running_engine::{fault_error, run_in_actor_system};
use crate::sandbox::docker::DockerImages;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};

#[derive(Subcommand)]
pub(super) enum ImageCommand {
    /// Make an image from Debian packages, or from a Dockerfile
    Build(build::ImageBuildArgs),
    /// Pull an image from a registry into the engine
    Pull(pull::ImagePullArgs),
    /// List the engine's images, and show which of them synthd made
    List(list::ImageListArgs),
    /// Try an image as a sandbox
    Check(check::ImageCheckArgs),
    /// Remove old images that synthd made and no container uses
    Prune(prune::ImagePruneArgs),
}

/// Runs one of the subcommands until it is done or a signal comes. After a signal the error is
/// `Interrupted`.
pub(super) fn run(command: ImageCommand) -> Result<ExitCode> {
    run_in_actor_system(async {
        let mut signals = SignalListener::listen()?;
        // A command that is stopped is dropped in the middle of its work; what it holds cleans up
        // when it is dropped.
        tokio::select! {
            done = Box::pin(obey(command)) => done,
            () = signals.wait_for_stop() => Err(Error::new(Code::Interrupted, "stopped in the middle")
                .hint("run the same command again; unfinished parts are removed")),
        }
    })??;
    Ok(ExitCode::SUCCESS)
}

/// Runs the subcommand itself, without regard to signals.
async fn obey(command: ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Build(args) => build::build(args).await,
        ImageCommand::Pull(args) => pull::pull(args).await,
        ImageCommand::List(args) => list::list(&args).await,
        ImageCommand::Check(args) => check::check(args).await,
        ImageCommand::Prune(args) => prune::prune(&args).await,
    }
}

/// Connects to the container engine. The error is `EngineUnavailable`.
async fn connect() -> Result<DockerImages> {
    DockerImages::connect().await.map_err(|fault| no_engine(&fault))
}

/// The error for a host without a usable container engine.
fn no_engine(fault: &Fault) -> Error {
    Error::new(Code::EngineUnavailable, "there is no container engine to use")
        .with_source(fault.message.clone())
        .hint("start an engine, or name one with DOCKER_HOST")
}

/// The error for a failed operation on an image. A refusal is `ImageUnavailable`; other faults have
/// the codes of the table of faults.
fn image_error(fault: Fault) -> Error {
    match fault.kind {
        FaultKind::SandboxRefused => Error::new(Code::ImageUnavailable, "the image cannot be used")
            .with_source(fault.message)
            .hint("`synthd explain SYN-0404` says what an image needs"),
        _ => fault_error(&fault),
    }
}

/// Shows that a tool works: its last line of output, on a terminal. Without a terminal it shows
/// nothing, because the whole output is kept in a file.
struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// A spinner that turns until it is dropped.
    fn start() -> Self {
        let bar = stderr_is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self(bar)
    }

    /// Shows a line of the tool's output in place of the one before.
    fn tell(&self, line: &str) {
        if let Some(bar) = self.0.as_ref().filter(|_| !line.trim().is_empty()) {
            bar.set_message(crate::cli::terminal::terminal_text::escape_controls(line.trim()));
        }
    }

    /// Prints a line that stays, on a terminal and in a log.
    fn announce(&self, line: &str) {
        match &self.0 {
            Some(bar) => bar.println(line),
            None => eprint_line(line),
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

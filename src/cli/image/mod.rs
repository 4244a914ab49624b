//! `synthd image`: images for sandboxes in containers, made of packages or a Dockerfile
//! whose content is known, or pulled from a registry.

mod build;
mod check;
mod list;
mod prune;
mod pull;

pub(super) use pull::PullProgressDisplay as PullShown;

use crate::cli::output::{eprint_line, stderr_is_terminal};
use crate::cli::signals::SignalListener;
use crate::engine::{fault_error, run_in_actor_system};
use crate::error::{Code, Error, Result};
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

pub(super) fn run(command: ImageCommand) -> Result<ExitCode> {
    run_in_actor_system(async {
        let mut signals = SignalListener::listen()?;
        // What is dropped in the middle cleans up after itself.
        tokio::select! {
            done = Box::pin(obey(command)) => done,
            () = signals.wait_for_stop() => Err(Error::new(Code::Interrupted, "stopped in the middle")
                .hint("run the same command again; unfinished parts are removed")),
        }
    })??;
    Ok(ExitCode::SUCCESS)
}

async fn obey(command: ImageCommand) -> Result<()> {
    match command {
        ImageCommand::Build(args) => build::build(args).await,
        ImageCommand::Pull(args) => pull::pull(args).await,
        ImageCommand::List(args) => list::list(&args).await,
        ImageCommand::Check(args) => check::check(args).await,
        ImageCommand::Prune(args) => prune::prune(&args).await,
    }
}

async fn connect() -> Result<DockerImages> {
    DockerImages::connect().await.map_err(|fault| no_engine(&fault))
}

fn no_engine(fault: &Fault) -> Error {
    Error::new(Code::EngineUnavailable, "there is no container engine to use")
        .with_source(fault.message.clone())
        .hint("start an engine, or name one with DOCKER_HOST")
}

fn image_error(fault: Fault) -> Error {
    match fault.kind {
        FaultKind::SandboxRefused => Error::new(Code::ImageUnavailable, "the image cannot be used")
            .with_source(fault.message)
            .hint("`synthd explain SYN-0404` says what an image needs"),
        _ => fault_error(&fault),
    }
}

/// What a tool says while it works: its last words on a terminal, and elsewhere nothing,
/// since all of it is kept in a file.
struct Spinner(Option<ProgressBar>);

impl Spinner {
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

    fn tell(&self, line: &str) {
        if let Some(bar) = self.0.as_ref().filter(|_| !line.trim().is_empty()) {
            bar.set_message(crate::cli::terminal_text::escape_controls(line.trim()));
        }
    }

    /// For what a log should have too, once.
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

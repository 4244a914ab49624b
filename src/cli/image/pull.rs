//! `synthd image pull`, and the display of a pull's progress, which `synthd run` uses too.

use super::{connect, image_error};
use crate::cli::terminal::output::{eprint_line, print_json, print_line, stderr_is_terminal};
use crate::error::Result;
use crate::sandbox::docker::PullProgress;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two lines of progress without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

#[derive(Args)]
#[command(
    after_help = "The command uses the credentials of `docker login` or `podman login`. A campaign pulls images \
by itself if its [sandbox] has pull = \"missing\" or \"always\".

Examples:
  synthd image pull python:3.13-slim
  synthd image pull registry.example/team/tools@sha256:<digest>"
)]
pub(in crate::cli) struct ImagePullArgs {
    /// The image, by name and tag or digest
    image: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Pulls an image with the credentials of the user's container tools. The digest in the answer is
/// the one that a campaign is pinned to.
pub(super) async fn pull(args: ImagePullArgs) -> Result<()> {
    let images = connect().await?;
    let shown = PullProgressDisplay::new();
    let pulled = images.pull(&args.image, &|pulled| shown.show(pulled)).await;
    drop(shown);
    pulled.map_err(image_error)?;
    let digest = images.digest(&args.image).await.map_err(image_error)?;
    if args.json {
        return print_json(&json!({ "image": args.image, "id": digest }));
    }
    print_line(&format!("{} is there; try it: synthd image check {}", args.image, args.image));
    Ok(())
}

/// The progress of a pull: a bar on a terminal, a line every few seconds elsewhere.
pub(in crate::cli) struct PullProgressDisplay {
    bar: Option<ProgressBar>,
    /// When the last line was printed.
    last: Mutex<Option<Instant>>,
}

impl PullProgressDisplay {
    /// A display with a bar if stderr is a terminal. The bar is removed when the display is
    /// dropped.
    pub(in crate::cli) fn new() -> Self {
        Self { bar: stderr_is_terminal().then(bar), last: Mutex::new(None) }
    }

    /// Shows how many bytes have arrived.
    pub(in crate::cli) fn show(&self, pulled: &PullProgress) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(pulled.of);
                bar.set_position(pulled.bytes);
                bar.set_message(format!("pulling {}", pulled.reference));
            }
            None => self.show_line(pulled),
        }
    }

    /// Prints a line, unless one was printed a moment ago.
    fn show_line(&self, pulled: &PullProgress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            *last = Some(Instant::now());
            eprint_line(&pulled.to_string());
        }
    }
}

impl Drop for PullProgressDisplay {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar that counts bytes.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes} {elapsed} {wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

//! `synthd image check`.

use super::image_error;
use crate::cli::doctor::{guest_dir, this_executable, tools};
use crate::cli::output::{say, say_json};
use crate::error::Result;
use crate::sandbox::Backends;
use clap::Args;
use serde_json::json;
use synthd_actors::model::{Backend, Fault, Fingerprint, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image check synthd/base --runtime runsc")]
pub(in crate::cli) struct CheckArgs {
    /// The image, by name and tag
    image: String,
    /// The engine's runtime, if not its default
    #[arg(long)]
    runtime: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn check(args: CheckArgs) -> Result<()> {
    // Without an engine, nothing is wrong with the image.
    super::connect().await?;
    let backend = Backends::new(this_executable()?, &guest_dir());
    let spec = SandboxSpec {
        backend: Backend::Docker,
        image: args.image,
        runtime: args.runtime,
        ..SandboxSpec::default()
    };
    let tried = try_out(&backend, &spec).await;
    let settled = backend.settle().await;
    let (print, tools) = tried.map_err(image_error)?;
    settled.map_err(image_error)?;
    if args.json {
        return say_json(&json!({ "image": print, "tools": tools }));
    }
    say(&format!("{} runs; it has {}", spec.image, tools.join(", ")));
    Ok(())
}

async fn try_out(
    backend: &Backends,
    spec: &SandboxSpec,
) -> std::result::Result<(Fingerprint, Vec<String>), Fault> {
    backend.check(spec).await?;
    let mut sandbox = backend.create(spec).await?;
    let tools = tools(&mut *sandbox).await?;
    Ok((Sandbox::fingerprint(&*sandbox).clone(), tools))
}

//! `synthd image check`: runs a container image once as a sandbox, and shows which tools it has.

use super::image_error;
use crate::cli::doctor::{guest_dir, this_executable, tools};
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::Result;
use crate::sandbox::SandboxBackends;
use clap::Args;
use serde_json::json;
use synthd_actors::model::{BackendKind, Fault, SandboxFingerprint, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image check synthd/base --runtime runsc")]
pub(in crate::cli) struct ImageCheckArgs {
    /// The image, by name and tag
    image: String,
    /// The engine's runtime, if not its default
    #[arg(long)]
    runtime: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Creates a container from the image, lists its tools, and removes the container. `--runtime`
/// tries another runtime of the engine, such as gVisor's `runsc`.
pub(super) async fn check(args: ImageCheckArgs) -> Result<()> {
    // An absent engine is reported as such here, and not as a fault of the image.
    super::connect().await?;
    let backend = SandboxBackends::new(this_executable()?, &guest_dir());
    let spec = SandboxSpec {
        backend: BackendKind::Docker,
        image: args.image,
        runtime: args.runtime,
        ..SandboxSpec::default()
    };
    let tried = try_out(&backend, &spec).await;
    // The container is removed even if the test failed.
    let settled = backend.settle().await;
    let (print, tools) = tried.map_err(image_error)?;
    settled.map_err(image_error)?;
    if args.json {
        return print_json(&json!({ "image": print, "tools": tools }));
    }
    print_line(&format!("{} runs; it has {}", spec.image, tools.join(", ")));
    Ok(())
}

/// Creates a sandbox from the image. Returns its fingerprint and its tools.
async fn try_out(
    backend: &SandboxBackends,
    spec: &SandboxSpec,
) -> std::result::Result<(SandboxFingerprint, Vec<String>), Fault> {
    backend.check(spec).await?;
    let mut sandbox = backend.create(spec).await?;
    let tools = tools(&mut *sandbox).await?;
    Ok((Sandbox::fingerprint(&*sandbox).clone(), tools))
}

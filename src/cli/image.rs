//! `synthd image`: images for sandboxes in containers, made of packages whose content is
//! known.

use super::doctor::{guest_dir, this_executable};
use super::output::{complain, say, say_json, table};
use crate::engine::{fault_error, in_system};
use crate::error::{Code, Error, Result};
use crate::sandbox::Backends;
use crate::sandbox::docker::{Images, MADE_HERE, Recipe};
use clap::{Args, Subcommand};
use serde_json::json;
use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;
use synthd_actors::model::{Backend, Fault, FaultKind, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

#[derive(Subcommand)]
pub(super) enum ImageCommand {
    /// Make an image out of Debian packages
    Build(BuildArgs),
    /// The images the engine has, and which of them were made here
    List(ListArgs),
    /// Try an image as a sandbox
    Check(CheckArgs),
    /// Remove old images that were made here and nobody uses
    Prune(PruneArgs),
}

#[derive(Args)]
#[command(after_help = "The image is tagged by what is in it, and as :latest. The same packages
of the same suite are not built again. Needs mmdebstrap, and no registry.

Examples:
  synthd image build synthd/base --packages python3,git,make
  synthd image build synthd/rust --packages cargo --suite trixie")]
pub(super) struct BuildArgs {
    /// The image's name, without a tag
    name: String,
    /// Debian packages, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    packages: Vec<String>,
    /// The Debian release
    #[arg(long, default_value = "bookworm")]
    suite: String,
    /// Where packages come from, if not the default
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image list")]
pub(super) struct ListArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image check synthd/base --runtime runsc")]
pub(super) struct CheckArgs {
    /// The image, by name and tag
    image: String,
    /// The engine's runtime, if not its default
    #[arg(long)]
    runtime: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  synthd image prune --older-than 30d")]
pub(super) struct PruneArgs {
    /// Images younger than this stay
    #[arg(long, value_name = "AGE", default_value = "30d", value_parser = humantime::parse_duration)]
    older_than: Duration,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ImageCommand) -> Result<ExitCode> {
    in_system(async {
        match command {
            ImageCommand::Build(args) => build(args).await,
            ImageCommand::List(args) => list(&args).await,
            ImageCommand::Check(args) => check(args).await,
            ImageCommand::Prune(args) => prune(&args).await,
        }
    })??;
    Ok(ExitCode::SUCCESS)
}

async fn connect() -> Result<Images> {
    Images::connect().await.map_err(|fault| no_engine(&fault))
}

fn no_engine(fault: &Fault) -> Error {
    Error::new(Code::EngineUnavailable, "there is no container engine to use")
        .because(fault.clone())
        .hint("start one, or name it with DOCKER_HOST")
}

fn image_error(fault: Fault) -> Error {
    match fault.kind {
        FaultKind::SandboxRefused => Error::new(Code::ImageUnavailable, "the image cannot be used")
            .because(fault)
            .hint("docs/errors/SYN-0404.md says what an image needs"),
        _ => fault_error(&fault),
    }
}

async fn build(args: BuildArgs) -> Result<()> {
    let mut packages = args.packages;
    packages.sort();
    packages.dedup();
    check_names(&args.name, &packages)?;
    let recipe = Recipe { name: args.name, suite: args.suite, packages, mirror: args.mirror };
    let reference = recipe.reference();
    let _lock = lock(&reference)?;
    let images = connect().await?;
    let log = guest_dir().join(format!("{}.log", reference.replace(['/', ':'], "-")));
    let known = images.has(&reference).await.map_err(image_error)?;
    if !known {
        complain(&format!("building {reference}; output goes to {}", log.display()));
        images.build(&recipe, &log).await.map_err(image_error)?;
    }
    images.tag_latest(&recipe).await.map_err(image_error)?;
    if args.json {
        return say_json(&json!({ "image": reference, "built": !known, "recipe": recipe.text() }));
    }
    let done = if known { "is there already" } else { "is built" };
    say(&format!("{reference} {done}; try it: synthd image check {reference}"));
    Ok(())
}

/// What would be an option or another list to the tools they are given to.
fn check_names(name: &str, packages: &[String]) -> Result<()> {
    let plain = |text: &str, more: &str| {
        let mut letters = text.chars();
        letters.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    if !plain(name, "-_./") {
        let what = format!("{name:?} cannot be the name of an image");
        return Err(
            Error::new(Code::BadUsage, what).hint("lower-case letters, such as synthd/base")
        );
    }
    match packages.iter().find(|package| !plain(package, "-+.:")) {
        Some(package) => {
            Err(Error::new(Code::BadUsage, format!("{package:?} is no package's name"))
                .hint("Debian packages have names such as python3 or g++"))
        }
        None => Ok(()),
    }
}

/// One build of an image at a time; the second finds it built.
fn lock(reference: &str) -> Result<File> {
    let io = |error: std::io::Error| {
        Error::new(Code::Io, "the lock of a build cannot be taken").because(error)
    };
    std::fs::create_dir_all(guest_dir()).map_err(io)?;
    let path = guest_dir().join(format!("{}.lock", reference.replace(['/', ':'], "-")));
    let file = File::create(path).map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

async fn list(args: &ListArgs) -> Result<()> {
    let found = connect().await?.list().await.map_err(image_error)?;
    if args.json {
        let all: Vec<_> = found
            .iter()
            .map(|image| {
                json!({ "id": image.id, "names": image.repo_tags, "bytes": image.size,
                    "recipe": image.labels.get(MADE_HERE) })
            })
            .collect();
        return say_json(&all);
    }
    let mut rows = table(&["image", "size", "made here of"]);
    for image in &found {
        for name in &image.repo_tags {
            let size = format!("{} MiB", image.size / (1 << 20));
            let recipe = image.labels.get(MADE_HERE).map_or("-", String::as_str);
            rows.add_row([name.as_str(), &size, recipe]);
        }
    }
    if rows.row_count() == 0 {
        say("no images; `synthd image build NAME --packages python3,git` makes one");
    } else {
        say(&rows.to_string());
    }
    Ok(())
}

async fn check(args: CheckArgs) -> Result<()> {
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
) -> Result<(synthd_actors::model::Fingerprint, Vec<String>), Fault> {
    backend.check(spec).await?;
    let mut sandbox = backend.create(spec).await?;
    let tools = super::doctor::tools(&mut *sandbox).await?;
    Ok((Sandbox::fingerprint(&*sandbox).clone(), tools))
}

async fn prune(args: &PruneArgs) -> Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let removed = connect().await?.prune(args.older_than, now).await.map_err(image_error)?;
    if args.json {
        return say_json(&json!({ "removed": removed }));
    }
    removed.iter().for_each(|image| say(&format!("removed {image}")));
    say(&format!("{} images removed", removed.len()));
    Ok(())
}

//! `synthd image build`: builds a container image from Debian packages or from a Dockerfile. The
//! tag of the image is a digest of its recipe, so the same recipe is built only once.

use super::{Spinner, connect, image_error};
use crate::cli::doctor::guest_dir;
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::private_directory::own_directory;
use crate::sandbox::docker::{DebianRecipe, DockerfileRecipe, ImageRecipe};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    override_usage = "synthd image build [OPTIONS] <NAME> --packages <PACKAGES>
       synthd image build [OPTIONS] <NAME> --dockerfile <FILE>",
    after_help = "The image gets two tags: a digest of its sources, and `latest`. If the image \
exists already, only --rebuild builds it again. A build from packages needs mmdebstrap and no \
registry. A file keeps the output of the build, and the error of a failed build names this \
file.

Examples:
  synthd image build synthd/base --packages python3,git,make
  synthd image build synthd/rust --packages cargo --suite trixie
  synthd image build synthd/node --dockerfile images/node/Dockerfile",
    group(clap::ArgGroup::new("recipe").required(true).args(["packages", "dockerfile"]))
)]
pub(in crate::cli) struct ImageBuildArgs {
    /// The image's name, without a tag
    name: String,
    /// Debian packages, separated by commas
    #[arg(long, value_delimiter = ',')]
    packages: Vec<String>,
    /// The Debian release of the packages
    #[arg(long, default_value = "bookworm", conflicts_with = "dockerfile")]
    suite: String,
    /// The mirror of the packages, if not the default
    #[arg(long, value_name = "URL", conflicts_with = "dockerfile")]
    mirror: Option<String>,
    /// A Dockerfile, for the engine's own builder
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,
    /// The directory that the Dockerfile may copy from, if not its own directory
    #[arg(long, value_name = "DIR", requires = "dockerfile")]
    context: Option<PathBuf>,
    /// A variable of the Dockerfile; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "dockerfile")]
    build_arg: Vec<(String, String)>,
    /// The stage of the Dockerfile to stop at
    #[arg(long, value_name = "STAGE", requires = "dockerfile")]
    target: Option<String>,
    /// Build the image even if it is there, because its base may have changed
    #[arg(long)]
    rebuild: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Reads the value of `--build-arg`, which has the form `NAME=VALUE`.
fn variable(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("the form is NAME=VALUE".to_owned()),
    }
}

/// Runs the subcommand: takes the lock, builds the image if it does not exist, and moves the tag
/// `latest` to it.
pub(super) async fn build(args: ImageBuildArgs) -> Result<()> {
    let (rebuild, as_json) = (args.rebuild, args.json);
    let recipe = recipe(args)?;
    let reference = recipe.reference();
    let spinner = Spinner::start();
    let _lock = lock(&reference, &spinner)?;
    let images = connect().await?;
    let log = guest_dir().join(format!("{}.log", reference.replace(['/', ':'], "-")));
    // The lock is held here: if another process built the image in the meantime, this one finds it.
    let known = !rebuild && images.has(&reference).await.map_err(image_error)?;
    if !known {
        spinner.announce(&format!("building {reference}; output goes to {}", log.display()));
        let built = images.build(&recipe, &log, &|line| spinner.tell(line)).await;
        built.map_err(image_error)?;
    }
    images.tag_latest(&recipe).await.map_err(image_error)?;
    drop(spinner);
    if as_json {
        let log = log.exists().then_some(log);
        return print_json(
            &json!({ "image": reference, "built": !known, "recipe": recipe.text(), "log": log }),
        );
    }
    let done = if known { "is there already" } else { "is built" };
    print_line(&format!("{reference} {done}; try it: synthd image check {reference}"));
    Ok(())
}

/// The recipe that the arguments describe. Packages are sorted and each is kept once, so that their
/// order does not change the digest.
fn recipe(args: ImageBuildArgs) -> Result<ImageRecipe> {
    check_name(&args.name)?;
    let Some(file) = args.dockerfile else {
        let mut packages = args.packages;
        packages.sort();
        packages.dedup();
        check_packages(&packages)?;
        let (name, suite, mirror) = (args.name, args.suite, args.mirror);
        return Ok(ImageRecipe::Debian(DebianRecipe { name, suite, packages, mirror }));
    };
    let arguments: BTreeMap<String, String> = args.build_arg.into_iter().collect();
    let read = DockerfileRecipe::read(args.name, &file, args.context, arguments, args.target);
    read.map(ImageRecipe::Dockerfile).map_err(|error| {
        Error::new(Code::Io, "the sources of the image cannot be read")
            .with_source(error)
            .hint("name a Dockerfile that exists, and a directory of sources with --context")
    })
}

/// Whether a text begins with a lower-case letter or a digit and has only these and the characters
/// in `more`.
fn plain(text: &str, more: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
}

/// Checks the names of packages. They are passed to other tools on a command line, so a name must
/// not look like an option or contain a separator.
fn check_packages(packages: &[String]) -> Result<()> {
    match packages.iter().find(|package| !plain(package, "-+.:")) {
        Some(package) => {
            Err(Error::new(Code::BadUsage, format!("{package:?} is not the name of a package"))
                .hint("Debian packages have names such as python3 or g++"))
        }
        None => Ok(()),
    }
}

/// Checks the image's name. It must have no tag, because the digest becomes the tag.
fn check_name(name: &str) -> Result<()> {
    if plain(name, "-_./") {
        return Ok(());
    }
    let what = format!("{name:?} cannot be the name of an image");
    Err(Error::new(Code::BadUsage, what).hint("use lower-case letters, such as synthd/base"))
}

/// Takes the lock for building this image. A second build of the same image waits, and then finds
/// the image built. The lock is released when the file is dropped.
fn lock(reference: &str, spinner: &Spinner) -> Result<File> {
    let io = |error: std::io::Error| {
        Error::new(Code::Io, "the lock for builds cannot be taken").with_source(error)
    };
    own_directory(&guest_dir()).map_err(io)?;
    let path = guest_dir().join(format!("{}.lock", reference.replace(['/', ':'], "-")));
    let file = File::create(path).map_err(io)?;
    if file.try_lock().is_err() {
        spinner.announce(&format!("waiting for another build of {reference}"));
        file.lock().map_err(io)?;
    }
    Ok(file)
}

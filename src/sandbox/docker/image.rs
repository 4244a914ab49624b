//! What a container needs to know about its image: the digest, and the volumes that it declares.
//!
//! A volume of an image would be made by the container engine on its disk, without any limit of
//! size. Each one therefore becomes a work area in memory with a cap, or the image is refused.

use super::engine_faults::refused;
use bollard::models::ImageInspect;
use synthd_actors::model::{Fault, SEALED};

/// Paths at which a sandbox has an area of its own or a file system of the kernel. A volume of an
/// image may be one of them, but must not be below one.
const OURS: [&str; 8] = ["/work", "/tmp", "/home/agent", SEALED, "/run", "/dev", "/proc", "/sys"];
/// The most volumes of an image besides those at [`OURS`]. Each one costs memory.
const MOST_VOLUMES: usize = 8;

/// An image as the container engine had it when it was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerImage {
    /// The id of the image, such as `sha256:9f2c...`. Containers are made from it, not from the
    /// name.
    pub(super) digest: String,
    /// Absolute paths of volumes that the image declares, without those at [`OURS`]; sorted. Each
    /// gets a tmpfs with a cap.
    pub(super) volumes: Vec<String>,
}

impl ContainerImage {
    /// Reads what the container engine says about the image `name`. `engine` is the engine's
    /// architecture.
    ///
    /// Refused are images for another architecture, images with a volume inside an area of the
    /// sandbox (or with a colon in its path, which separates paths later), images with too many
    /// volumes, and images without a digest.
    pub(super) fn read(
        name: &str,
        found: ImageInspect,
        engine: Option<&str>,
    ) -> Result<Self, Fault> {
        let theirs = found.architecture.as_deref().filter(|text| !text.is_empty()).map(machine);
        if let (Some(ours), Some(theirs)) = (engine.map(machine), theirs)
            && ours != theirs
        {
            return Err(refused(format!("image {name} is for {theirs}, the engine runs {ours}")));
        }
        let mut volumes = found.config.and_then(|config| config.volumes).unwrap_or_default();
        volumes.sort_unstable();
        // A volume at exactly such a path needs nothing: the sandbox has an area there already.
        // Only a judge's sandbox has the sealed one.
        volumes.retain(|at| at == SEALED || !OURS.contains(&at.trim_end_matches('/')));
        let within = |at: &str| OURS.iter().any(|ours| at.starts_with(&format!("{ours}/")));
        if let Some(at) = volumes.iter().find(|at| within(at) || at.contains(':')) {
            let why = format!("image {name} has a volume at {at}, where sandboxes have their own");
            return Err(refused(why));
        }
        if volumes.len() > MOST_VOLUMES {
            let count = volumes.len();
            let why = format!("image {name} has {count} volumes, and {MOST_VOLUMES} is the most");
            return Err(refused(why));
        }
        let digest = found.id.ok_or_else(|| refused(format!("image {name} has no digest")))?;
        Ok(Self { digest, volumes })
    }
}

/// One name for each architecture: kernels say `x86_64`, registries say `amd64`.
fn machine(name: &str) -> &str {
    match name {
        "x86_64" | "amd64" => "amd64",
        "aarch64" | "arm64" => "arm64",
        other => other,
    }
}

//! What a container needs to know of its image.

use super::engine_faults::refused;
use bollard::models::ImageInspect;
use synthd_actors::model::Fault;

/// Where every sandbox has an area of its own, or the system has.
const OURS: [&str; 8] =
    ["/work", "/tmp", "/home/agent", "/sealed", "/run", "/dev", "/proc", "/sys"];
/// Volumes of an image that are made room for.
const MOST_VOLUMES: usize = 8;

/// An image as the engine has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerImage {
    pub(super) digest: String,
    /// Where the engine would make volumes on its disk, of no bounded size.
    pub(super) volumes: Vec<String>,
}

impl ContainerImage {
    /// It must be of the engine's kind of machine.
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
        // Each is an area of ours already.
        volumes.retain(|at| !OURS.contains(&at.trim_end_matches('/')));
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

/// One name for the machines that kernels and registries name differently.
fn machine(name: &str) -> &str {
    match name {
        "x86_64" | "amd64" => "amd64",
        "aarch64" | "arm64" => "arm64",
        other => other,
    }
}

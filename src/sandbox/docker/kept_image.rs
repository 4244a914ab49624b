//! Keeps what an agent has left in a container as an image, for the tests of its task.
//!
//! The engine stops all processes of the container while it copies. The image has a label with its
//! owner. When it is dropped, it is removed; if the owner dies before, the next sweep removes it.

use super::engine_faults::{fault, timeout_fault};
use super::images::MADE_HERE;
use super::owner::{CREATION, ContainerOwner, DEADLINE, OWNER};
use bollard::Docker;
use bollard::models::ContainerConfig;
use bollard::query_parameters::{CommitContainerOptions, ListImagesOptions, RemoveImageOptions};
use std::collections::HashMap;
use std::time::Duration;
use synthd_actors::model::Fault;
use synthd_actors::ports::KeptImage;
use synthd_actors::supervisor::spawn;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The label of such images. Its value is the owner.
pub(super) const KEPT_BY: &str = "synthd.kept-by";
/// The value of the label by which `synthd image prune` finds what synthd has made.
const KEPT: &str = "the work of an agent";
/// The time that the engine may take to copy a container. A large one takes minutes.
const COPYING: Duration = Duration::from_secs(10 * 60);
/// The time limit for the removal of an image, and for the list of images.
const REMOVAL: Duration = Duration::from_secs(60);

/// An image of an agent's work.
pub(super) struct AgentImage {
    id: String,
    docker: Docker,
}

impl AgentImage {
    /// Copies the files of a container that runs.
    pub(super) async fn of(docker: &Docker, container: &str) -> Result<Self, Fault> {
        let options = CommitContainerOptions {
            container: Some(container.to_owned()),
            pause: true,
            ..Default::default()
        };
        let config = ContainerConfig { labels: Some(labels()), ..Default::default() };
        let doing = "keep a container as an image";
        let patient = docker.clone().with_timeout(COPYING);
        let kept = timeout(COPYING, patient.commit_container(options, config)).await;
        let kept = kept.map_err(|_| timeout_fault(doing))?;
        let id = kept.map_err(|error| fault(doing, &error))?.id;
        Ok(Self { id, docker: docker.clone() })
    }
}

impl KeptImage for AgentImage {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for AgentImage {
    fn drop(&mut self) {
        let (docker, id) = (self.docker.clone(), std::mem::take(&mut self.id));
        // Without a runtime the process is ending, and a later synthd removes the image.
        if Handle::try_current().is_ok() {
            let removal = spawn("remove kept image", async move { remove(&docker, &id).await });
            drop(removal.detach());
        }
    }
}

/// The labels of the image. Those of its container say whose that was; the image has its own.
fn labels() -> HashMap<String, String> {
    let owner = ContainerOwner::this().label();
    [(MADE_HERE, KEPT), (KEPT_BY, owner.as_str()), (OWNER, ""), (CREATION, ""), (DEADLINE, "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Removes an image. What it is made from stays.
async fn remove(docker: &Docker, id: &str) -> bool {
    let options = RemoveImageOptions { force: true, noprune: true, ..Default::default() };
    match timeout(REMOVAL, docker.remove_image(id, Some(options), None)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::debug!(image = id, %error, "a kept image stays until the next sweep");
            false
        }
        Err(_) => false,
    }
}

/// Removes the kept images of dead owners and returns how many were removed. If the engine does not
/// answer, nothing is removed.
pub(super) async fn sweep_images(docker: &Docker) -> u32 {
    let filters = HashMap::from([("label".to_owned(), vec![KEPT_BY.to_owned()])]);
    let options = ListImagesOptions { all: true, filters: Some(filters), ..Default::default() };
    let Ok(Ok(found)) = timeout(REMOVAL, docker.list_images(Some(options))).await else {
        return 0;
    };
    let mut swept = 0;
    for image in found.iter().filter(|image| is_abandoned(&image.labels)) {
        swept += u32::from(remove(docker, &image.id).await);
    }
    swept
}

/// Whether the owner of a kept image is certainly dead.
fn is_abandoned(labels: &HashMap<String, String>) -> bool {
    let owner = labels.get(KEPT_BY).cloned().unwrap_or_default();
    let owner = ContainerOwner::of(&HashMap::from([(OWNER.to_owned(), owner)]));
    owner.is_some_and(|owner| owner.is_gone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_abandoned_when_its_owner_is_dead() {
        assert!(!is_abandoned(&labels()), "this process lives");
        assert!(!is_abandoned(&HashMap::new()));
        let stranger = HashMap::from([(KEPT_BY.to_owned(), "elsewhere:1:1".to_owned())]);
        assert!(!is_abandoned(&stranger), "nobody knows whether it lives");
        assert_eq!(ContainerOwner::of(&labels()), None, "the image is no container of ours");
    }
}

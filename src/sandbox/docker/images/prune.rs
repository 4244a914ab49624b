//! Finds and removes images that were built here and are no longer wanted: by age and by total
//! size.
//!
//! `synthd image prune` uses it. An image that a container uses, running or not, is never
//! removed. Images without the label [`MADE_HERE`] are not looked at.

use super::{DockerImages, MADE_HERE};
use crate::sandbox::docker::engine_faults::fault;
use crate::sandbox::docker::guest_program;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveImageOptions};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use synthd_actors::model::Fault;

/// Which images may stay. An image goes if it breaks one of the limits that are set.
#[derive(Clone, Copy, Debug)]
pub struct PruneLimit {
    /// Images that are older than this go.
    pub older_than: Option<Duration>,
    /// The most bytes of all images together; the oldest go first. Each image counts in full, as
    /// if no layers were shared.
    pub keep: Option<u64>,
}

impl DockerImages {
    /// The images that the limit does not let stay, oldest first; only those that no container
    /// uses. `now` is Unix time in seconds.
    pub async fn unwanted(&self, limit: PruneLimit, now: i64) -> Result<Vec<ImageSummary>, Fault> {
        let filters = HashMap::from([("label".to_owned(), vec![MADE_HERE.to_owned()])]);
        let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
        let listed = self.docker.list_images(Some(options)).await;
        let ours = listed.map_err(|error| fault("list images", &error))?;
        Ok(choose(ours, &self.used().await?, limit, now))
    }

    /// Ids of the images of all containers, running or not.
    async fn used(&self) -> Result<HashSet<String>, Fault> {
        let options = ListContainersOptions { all: true, ..Default::default() };
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| fault("list containers", &error))?;
        Ok(listed.into_iter().filter_map(|container| container.image_id).collect())
    }

    /// Whether the image was removed. The container engine refuses an image that came into use
    /// meanwhile; it then stays, and the reason is logged.
    pub async fn remove(&self, image: &ImageSummary) -> bool {
        // By its names first, then by its id: an engine does not remove by its id an image with
        // several names.
        let mut gone = false;
        for name in image.repo_tags.iter().chain([&image.id]) {
            let options = None::<RemoveImageOptions>;
            match self.docker.remove_image(name, options, None).await {
                Ok(_) => gone = true,
                Err(bollard::errors::Error::DockerResponseServerError {
                    status_code: 404, ..
                }) => {}
                Err(error) => {
                    tracing::info!(image = name, %error, "an image stays");
                    return false;
                }
            }
        }
        gone
    }

    /// Removes volumes with guests of other synthd versions. Returns how many were removed.
    pub async fn prune_guests(&self) -> Result<usize, Fault> {
        guest_program::prune(&self.docker).await
    }
}

/// Chooses the images that go. It is pure, so it can be tested. Used images count for the total
/// size, but never go.
fn choose(
    mut ours: Vec<ImageSummary>,
    used: &HashSet<String>,
    limit: PruneLimit,
    now: i64,
) -> Vec<ImageSummary> {
    ours.sort_by_key(|image| image.created);
    let size = |image: &ImageSummary| u64::try_from(image.size).unwrap_or(0);
    let mut taken: u64 = ours.iter().map(size).sum();
    let age = |seconds: Duration| i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX);
    let born = limit.older_than.map(|older| now.saturating_sub(age(older)));
    // `taken` is what all images that have not been chosen yet take together.
    ours.retain(|image| {
        let old = born.is_some_and(|born| image.created <= born);
        let much = limit.keep.is_some_and(|keep| taken > keep);
        let goes = (old || much) && !used.contains(&image.id);
        taken -= if goes { size(image) } else { 0 };
        goes
    });
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, created: i64, size: i64) -> ImageSummary {
        ImageSummary { id: id.to_owned(), created, size, ..Default::default() }
    }

    fn chosen(limit: PruneLimit) -> Vec<String> {
        let ours = vec![image("new", 90, 10), image("old", 10, 10), image("used", 5, 10)];
        let used = HashSet::from(["used".to_owned()]);
        choose(ours, &used, limit, 100).into_iter().map(|image| image.id).collect()
    }

    #[test]
    fn the_old_and_what_takes_too_much_room_goes_but_nothing_in_use() {
        let (older_than, keep) = (Some(Duration::from_secs(50)), None);
        assert_eq!(chosen(PruneLimit { older_than, keep }), ["old"]);
        assert_eq!(chosen(PruneLimit { older_than: None, keep: Some(20) }), ["old"]);
        assert_eq!(chosen(PruneLimit { older_than: None, keep: Some(30) }), [""; 0]);
        assert_eq!(chosen(PruneLimit { older_than: None, keep: Some(0) }), ["old", "new"]);
        assert_eq!(chosen(PruneLimit { older_than: None, keep: None }), [""; 0]);
    }
}

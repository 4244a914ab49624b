//! Compares what templates state under `resources` with what the campaign grants. A task that has less
//! than its template states could fail an honest agent, so such a campaign does not begin.

use crate::config::show_bytes;
use crate::error::{Code, Error};
use std::time::Duration;
use synthd_actors::model::CampaignConfig;
use synthd_actors::task::{Catalog, Template};

/// One finding for each value of a selected template that is larger than the campaign's.
pub(super) fn ungranted(catalog: &Catalog, config: &CampaignConfig) -> Vec<Error> {
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    selected.iter().flat_map(|template| of_template(template, config)).collect()
}

/// The findings for one template.
fn of_template(template: &Template, config: &CampaignConfig) -> Vec<Error> {
    let (stated, limits) = (template.resources(), &config.sandbox.limits);
    let size = |key: &str, stated: Option<u64>, granted: u64| {
        let stated = stated.filter(|stated| *stated > granted)?;
        let values = [show_bytes(stated), show_bytes(granted)];
        Some(too_small(template, key, "[sandbox]", key, &values))
    };
    let timeout = config.episode.timeout;
    let time = stated.time.filter(|time| *time > timeout).map(|time| {
        let values = [time, timeout].map(shown);
        too_small(template, "time", "[episode]", "timeout", &values)
    });
    let memory = size("memory", stated.memory_bytes, limits.memory_bytes);
    let disk = size("disk", stated.disk_bytes, limits.disk_bytes);
    [memory, disk, time].into_iter().flatten().collect()
}

/// A time as campaign files have it.
fn shown(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// The finding for one value: what the template states, and what the campaign grants.
fn too_small(
    template: &Template,
    stated_key: &str,
    section: &str,
    key: &str,
    [stated, granted]: &[String; 2],
) -> Error {
    let id = &template.id;
    let what = format!(
        "{id} states {stated_key} {stated}, but the campaign grants {granted} with {section} {key}"
    );
    Error::new(Code::ResourcesTooSmall, what).hint(format!(
        "write {key} = \"{stated}\" under {section}, or leave {id} out with [tasks] exclude"
    ))
}

//! Finds what keeps tasks of containers (`[tasks] harbor` and `swe`) from being played: sandboxes that are
//! no containers, agents that are not in their images, and sources of which nothing can be used.

use crate::error::{Code, Error};
use synthd_actors::agent::ExternalAgent;
use synthd_actors::model::{BackendKind, CampaignConfig};
use synthd_actors::task::Catalog;

/// The most refused tasks that an error lists.
const SHOWN: usize = 20;

/// One finding if tasks are named and none of them can be used. An empty list means that all is well.
pub(super) fn refused_tasks(catalog: &Catalog) -> Vec<Error> {
    let refused: Vec<(&str, &str)> = catalog.refused().collect();
    if refused.is_empty() || catalog.iter().any(|template| template.container().is_some()) {
        return Vec::new();
    }
    let listed: String =
        refused.iter().take(SHOWN).map(|(place, why)| format!("\n  {place}: {why}")).collect();
    let more = match refused.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let what = format!("no task of [tasks] harbor and swe can be used{listed}{more}");
    vec![Error::new(Code::ContainersRefused, what).hint("docs/harbor.md lists what is honoured")]
}

/// One finding for the backend, and one for each external agent. An empty list means that all is well.
pub(super) fn unplayable_containers(catalog: &Catalog, config: &CampaignConfig) -> Vec<Error> {
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    let count = selected.iter().filter(|template| template.container().is_some()).count();
    if count == 0 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if config.sandbox.backend == BackendKind::Namespace {
        let what = format!("{count} tasks bring an image, and the sandboxes are no containers");
        findings.push(Error::new(Code::ContainersUnplayable, what).hint(
            "set backend = \"docker\" and an image under [sandbox]; `synthd doctor` says whether a \
             container engine is here",
        ));
    }
    let external = config.scaffolds.iter().filter(|scaffold| ExternalAgent::is(scaffold));
    findings.extend(external.map(|scaffold| {
        let what = format!("{scaffold} is external and is not in the images of {count} tasks");
        Error::new(Code::ContainersUnplayable, what)
            .hint("use a native scaffold such as minimal for the tasks of [tasks] harbor and swe")
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use synthd_actors::testkit::{FakeJudge, campaign, container_task};

    fn catalog() -> Catalog {
        let judge = Arc::new(FakeJudge::default());
        Catalog::of_containers([container_task("harbor/a", judge)], [])
    }

    fn found(backend: BackendKind, scaffolds: &[&str]) -> Vec<String> {
        let mut config = campaign("c", 1);
        config.tasks.templates = vec!["harbor/**".to_owned()];
        config.sandbox.backend = backend;
        config.scaffolds = scaffolds.iter().map(|name| (*name).to_owned()).collect();
        unplayable_containers(&catalog(), &config).iter().map(Error::report).collect()
    }

    #[test]
    fn a_container_needs_containers_and_a_native_scaffold() {
        assert!(found(BackendKind::Docker, &["minimal"]).is_empty());
        let told = found(BackendKind::Namespace, &["minimal"]);
        assert!(told.len() == 1 && told[0].contains("SYN-0214"), "{told:?}");
        let told = found(BackendKind::Docker, &["minimal", "external/x"]);
        assert!(told.len() == 1 && told[0].contains("external/x"), "{told:?}");
    }

    #[test]
    fn only_a_source_without_any_task_is_an_error() {
        let refused = [("tasks/a".to_owned(), "SYN-0212: it wants a GPU".to_owned())];
        let none = Catalog::of_containers([], refused);
        let told = refused_tasks(&none)[0].report();
        assert!(told.contains("SYN-0215") && told.contains("tasks/a"), "{told}");
        assert!(refused_tasks(&catalog().with(none)).is_empty());
        assert!(refused_tasks(&Catalog::default()).is_empty());
    }
}

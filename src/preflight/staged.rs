//! Finds templates with stages in a campaign with external agents. A program is told its task once,
//! when it starts, so nobody could tell it the next instruction.

use crate::error::{Code, Error};
use synthd_actors::agent::ExternalAgent;
use synthd_actors::model::CampaignConfig;
use synthd_actors::task::Catalog;

/// One finding for each external agent, with the templates that it cannot play. An empty list means
/// that all is well.
pub(super) fn unplayable(catalog: &Catalog, config: &CampaignConfig) -> Vec<Error> {
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    let staged: Vec<&str> = selected
        .iter()
        .filter(|template| !template.stages.is_empty())
        .map(|template| template.id.as_str())
        .collect();
    if staged.is_empty() {
        return Vec::new();
    }
    let external = config.scaffolds.iter().filter(|scaffold| ExternalAgent::is(scaffold));
    external.map(|scaffold| unplayable_by(scaffold, &staged)).collect()
}

/// The finding for one external agent.
fn unplayable_by(scaffold: &str, staged: &[&str]) -> Error {
    let staged = staged.join(", ");
    let what = format!("{scaffold} is external and cannot play templates with stages: {staged}");
    Error::new(Code::StagesUnplayable, what).hint(
        "take these templates out with [tasks] exclude, or use a native scaffold such as minimal",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use synthd_actors::task::TemplateFolder;
    use synthd_actors::testkit::campaign;

    const STAGED: &str = "\
schema: synthd/template@2
id: unit/staged
title: Two
category: unit
difficulty: easy
expected_steps: {min: 2, max: 9}
environment: {}
stages:
  - {name: a, instruction: do a, solution: [{run: a}], verification: {run: a}}
  - {name: b, instruction: do b, solution: [{run: b}], verification: {run: b}}
";

    fn found(scaffolds: &[&str], exclude: &[&str]) -> Vec<String> {
        let folder = Arc::new(TemplateFolder::single(STAGED.as_bytes().to_vec()));
        let catalog = Catalog::read_folders([("unit/staged", folder)]).unwrap();
        let mut config = campaign("c", 1);
        config.tasks.templates = vec!["unit/*".to_owned()];
        config.tasks.exclude = exclude.iter().map(|glob| (*glob).to_owned()).collect();
        config.scaffolds = scaffolds.iter().map(|name| (*name).to_owned()).collect();
        unplayable(&catalog, &config).iter().map(Error::report).collect()
    }

    #[test]
    fn a_template_with_stages_needs_a_native_scaffold() {
        assert!(found(&["minimal"], &[]).is_empty());
        assert!(found(&["minimal", "external/x"], &["unit/staged"]).is_empty());
        let told = found(&["minimal", "external/x"], &[]);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("SYN-0206") && told[0].contains("unit/staged"), "{}", told[0]);
    }
}

//! The shipped rubrics, and those in files.

use crate::config::{ConfigErrors, LoadedRecipe, load_rubric, parse_rubric};
use crate::error::{Code, Error, Result};
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::rubric::Rubric;

/// The shipped rubrics by name.
pub const RUBRICS: [(&str, &str); 5] = [
    ("task-success", include_str!("../../../config/rubrics/task-success.toml")),
    ("reward-hacking", include_str!("../../../config/rubrics/reward-hacking.toml")),
    ("instruction-quality", include_str!("../../../config/rubrics/instruction-quality.toml")),
    ("reasoning-quality", include_str!("../../../config/rubrics/reasoning-quality.toml")),
    ("better-work", include_str!("../../../config/rubrics/better-work.toml")),
];

/// Fails if a rubric of the recipe cannot be used.
pub fn check_rubrics(loaded: &LoadedRecipe) -> Result<()> {
    for stage in &loaded.recipe.stages {
        if let StageSettings::Judge { rubric, .. } = &stage.settings {
            rubric_of(rubric, loaded)?;
        }
    }
    Ok(())
}

/// The rubric that a recipe names: a shipped one, or a file from the recipe's directory whose name ends
/// in `.toml`.
pub(in crate::curation) fn rubric_of(name: &str, loaded: &LoadedRecipe) -> Result<Rubric> {
    let unusable = |errors: ConfigErrors| {
        let what = format!("the rubric {name:?} cannot be used");
        Error::new(Code::RubricUnusable, what)
            .with_source(errors)
            .hint("docs/judges.md explains each key of a rubric")
    };
    if name.ends_with(".toml") {
        return load_rubric(&loaded.place_of(name)).map_err(unusable);
    }
    let Some((_, text)) = RUBRICS.iter().find(|(shipped, _)| *shipped == name) else {
        let names: Vec<&str> = RUBRICS.iter().map(|(name, _)| *name).collect();
        let what = format!("no rubric has the name {name:?}");
        return Err(Error::new(Code::RubricUnusable, what).hint(format!(
            "the shipped ones are {}; the name of a file ends in .toml",
            names.join(", ")
        )));
    };
    parse_rubric(&format!("{name}.toml"), text).map_err(unusable)
}

//! The file of a recipe: what a dataset is made of, and by which stages. `docs/recipes.md` explains
//! each key, and `config/recipes/agents.toml` is a whole recipe.
//!
//! ```toml
//! [recipe]
//! name = "agents"
//! licence = "apache-2.0"
//! [[sources]]
//! campaign = "first"
//! [[stages]]
//! kind = "duplicates"
//! action = "reject"
//! ```

mod behaviour;
mod judging;
mod passages;
mod stages;

use crate::config::campaign::names;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source;
use crate::config::reading::values::{ValueFault, some_text, text, whole};
use crate::config::{ConfigErrors, base_of, parse};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use synthd_actors::curation::{Recipe, RecipeSource};
use synthd_actors::model::CampaignName;

/// A recipe with the text that it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedRecipe {
    pub recipe: Recipe,
    /// The text without a byte-order mark.
    pub source: String,
    pub path: PathBuf,
}

impl LoadedRecipe {
    /// Where a path of the recipe leads: it begins at the directory of its file.
    pub fn place_of(&self, path: &str) -> PathBuf {
        base_of(&self.path).join(path)
    }
}

/// The hint for an empty file.
const NOTHING: &str = "copy `config/recipes/agents.toml`; its comments explain every line";

/// Reads and checks a recipe. Returns every mistake that was found.
pub fn load_recipe(path: &Path) -> Result<LoadedRecipe, ConfigErrors> {
    let text = source::read(path)?;
    parse_recipe(&source::name_of(path), &text)
}

/// Checks the text of a recipe. `name` is what errors call it.
pub fn parse_recipe(name: &str, text: &str) -> Result<LoadedRecipe, ConfigErrors> {
    let recipe = parse(name, text, |root, reader| {
        read(root.unless_empty("nothing is set in this file", NOTHING), reader)
    })?;
    let source = source::strip_bom(text).to_owned();
    Ok(LoadedRecipe { recipe, source, path: PathBuf::from(name) })
}

fn read(mut root: ConfigSection<'_, '_>, reader: &ConfigReader) -> Recipe {
    let mut head = root.required_section("recipe");
    let name = head.required("name", "\"my-dataset\"", text(names::campaign));
    let seed = head.optional("seed", whole(0..=i64::MAX.unsigned_abs()));
    let licence = head.alias("licence", "license");
    let licence = head.optional(licence, text(names::licence));
    head.finish();
    let sources = sources(&mut root, reader);
    let stages = root.sections("stages").into_iter().filter_map(|one| stages::read(one, reader));
    let stages = stages.collect();
    root.finish();
    Recipe {
        name: CampaignName(name.or(String::new())),
        seed: seed.or(0),
        licence: licence.or("other".to_owned()),
        sources,
        stages,
    }
}

/// Reads `[[sources]]`. Two equal ones are a mistake: each row would be there twice.
fn sources(root: &mut ConfigSection<'_, '_>, reader: &ConfigReader) -> Vec<RecipeSource> {
    let mut seen = BTreeSet::new();
    let mut sources = Vec::new();
    for mut section in root.sections("sources") {
        let campaign = section.required("campaign", "\"first\"", text(names::campaign));
        let data_dir = section.optional("data_dir", text(some_text));
        section.finish();
        let RawField::Given(campaign, span) = campaign else { continue };
        let source =
            RecipeSource { campaign: CampaignName(campaign), data_dir: data_dir.into_option() };
        if seen.insert(source.clone()) {
            sources.push(source);
        } else {
            let fault = ValueFault::new(format!(
                "the campaign {:?} is given twice",
                source.campaign.as_str()
            ));
            reader.value(&span, fault.hint("keep one of them"));
        }
    }
    sources
}

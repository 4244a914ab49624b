//! The filters of `synthd template list`.

use crate::error::{Code, Error, Result};
use crate::word_suggestion::one_of;
use clap::Args;
use std::sync::Arc;
use synthd_actors::model::TaskKind;
use synthd_actors::task::{Catalog, Template};

/// Which templates are listed. A template passes every filter that is given.
#[derive(Args)]
pub(super) struct TemplateFilter {
    /// Only templates of this kind, such as `repair` (see docs/skills.md)
    #[arg(long)]
    kind: Option<String>,
    /// Only templates of this category
    #[arg(long)]
    category: Option<String>,
    /// Only templates that need this skill, such as `sql.ddl`
    #[arg(long)]
    skill: Option<String>,
    /// Only templates of this difficulty
    #[arg(long, value_parser = ["easy", "medium", "hard"])]
    difficulty: Option<String>,
}

impl TemplateFilter {
    /// The templates that pass, sorted by id. A word that no template has is an error, because it is
    /// misspelt more often than not.
    pub(super) fn select<'a>(&self, catalog: &'a Catalog) -> Result<Vec<&'a Arc<Template>>> {
        self.check(catalog)?;
        Ok(catalog.iter().filter(|template| self.passes(template)).collect())
    }

    /// Whether a template passes every filter.
    fn passes(&self, template: &Template) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.kind, template.kind.map_or("", TaskKind::as_str))
            && is(&self.category, &template.category)
            && is(&self.difficulty, template.current_difficulty().as_str())
            && self.skill.as_ref().is_none_or(|skill| template.skills.contains(skill))
    }

    /// Refuses a kind that does not exist, and a category or a skill that no template has.
    fn check(&self, catalog: &Catalog) -> Result<()> {
        let kinds = TaskKind::ALL.map(TaskKind::as_str);
        known("kind", self.kind.as_deref(), &kinds)?;
        let categories: Vec<&str> = catalog.iter().map(|t| t.category.as_str()).collect();
        known("category", self.category.as_deref(), &categories)?;
        let skills = catalog.iter().flat_map(|t| &t.skills).map(String::as_str);
        known("skill", self.skill.as_deref(), &skills.collect::<Vec<_>>())
    }
}

/// Refuses a word that is not one of those that are known.
fn known(what: &str, word: Option<&str>, words: &[&str]) -> Result<()> {
    let Some(word) = word.filter(|word| !words.contains(word)) else { return Ok(()) };
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    Err(Error::new(Code::BadUsage, format!("no template has the {what} {word:?}"))
        .hint(one_of(word, &words)))
}

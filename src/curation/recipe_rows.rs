//! The rows of a recipe's sources as one sequence: those of the first source, then those of the next.
//! Their ordinals are counted anew.

use crate::config::{LoadedRecipe, parse_stored_campaign};
use crate::error::{Code, Error, Result};
use crate::running_engine::store_error;
use crate::store::Store;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use synthd_actors::model::{
    CampaignName, CampaignRecord, CampaignState, CurationSource, Fault, RowFormat, RowRecord,
};
use synthd_actors::ports::{Journal, RowPages};

/// The rows of all sources.
pub(super) struct RecipeRows {
    sources: Vec<SourceRows>,
}

/// The rows of one source.
struct SourceRows {
    store: Store,
    campaign: CampaignName,
    identity: String,
    /// The ordinal of its first row in the recipe.
    first: u64,
    /// How many ordinals the plan of the campaign has.
    planned: u64,
    /// How many rows it has that a recipe can look at.
    rows: u64,
    /// The ordinals of rows whose turns were removed by a rule of retention. A recipe cannot look at them.
    without_turns: BTreeSet<u64>,
}

/// What the sources are, taken together.
pub(super) struct SourceFacts {
    pub(super) format: RowFormat,
    pub(super) planned: u64,
    pub(super) faulted: u64,
    /// What people should know before they build.
    pub(super) warnings: Vec<String>,
}

impl RecipeRows {
    /// Opens the stores of all sources for reading. `data_dir` is that of the command. Fails if no source
    /// has a row.
    pub(super) async fn open(
        loaded: &LoadedRecipe,
        data_dir: &Path,
    ) -> Result<(Self, SourceFacts)> {
        let mut facts: Option<SourceFacts> = None;
        let (mut sources, mut splits) = (Vec::new(), None);
        for source in &loaded.recipe.sources {
            let dir = source.data_dir.as_ref().map(|dir| loaded.place_of(dir));
            let dir: PathBuf = dir.unwrap_or_else(|| data_dir.to_owned());
            let store = Store::open_read_only(&dir)?;
            let record = found(&store, &source.campaign, &dir).await?;
            let name = format!("the stored campaign {}", record.name);
            let config = parse_stored_campaign(&name, &record.config)?.config;
            let format = config.kind.row_format();
            let figures = store.figures(&record.name).await.map_err(store_error)?;
            let mine = facts.get_or_insert_with(|| SourceFacts {
                format,
                planned: 0,
                faulted: 0,
                warnings: Vec::new(),
            });
            if mine.format != format {
                let what = format!(
                    "the campaign {} has rows of the format {}, and the first source has {}",
                    record.name,
                    format.as_str(),
                    mine.format.as_str()
                );
                return Err(Error::new(Code::RecipeSources, what)
                    .hint("write a recipe for each format: a dataset has rows of one"));
            }
            if *splits.get_or_insert(config.dataset.splits) != config.dataset.splits {
                let what =
                    format!("the campaign {} has other splits than the first source", record.name);
                return Err(Error::new(Code::RecipeSources, what).hint(
                    "a task would be in two splits; build a dataset for each, or run the campaign with the same splits",
                ));
            }
            if record.state != CampaignState::Complete {
                mine.warnings.push(format!(
                    "the campaign {} is {}: the version has the rows that are there",
                    record.name,
                    record.state.as_str()
                ));
            }
            let without_turns =
                store.rows_without_turns(&record.name).await.map_err(store_error)?;
            if !without_turns.is_empty() {
                mine.warnings.push(format!(
                    "[retention] has removed the turns of {} rows of the campaign {}: the version does \
                     not have them",
                    without_turns.len(),
                    record.name
                ));
            }
            let judged = figures.rows.accepted + figures.rows.rejected;
            let first = mine.planned;
            mine.planned += figures.episodes.planned;
            mine.faulted += figures.episodes.faulted;
            sources.push(SourceRows {
                store,
                campaign: record.name,
                identity: record.identity,
                first,
                planned: figures.episodes.planned,
                rows: judged.saturating_sub(without_turns.len() as u64),
                without_turns,
            });
        }
        let facts = facts.ok_or_else(|| {
            Error::new(Code::RecipeSources, "the recipe has no source").hint("add `[[sources]]`")
        })?;
        if sources.iter().all(|source| source.rows == 0) {
            let what = "no source of the recipe has a judged row yet";
            return Err(Error::new(Code::RecipeSources, what)
                .hint("run the campaigns first; `synthd campaign list` shows their progress"));
        }
        Ok((Self { sources }, facts))
    }

    /// Where the rows come from, for metadata and card.
    pub(super) fn sources(&self) -> Vec<CurationSource> {
        let source = |source: &SourceRows| CurationSource {
            campaign: source.campaign.to_string(),
            identity: source.identity.clone(),
            rows: source.rows,
        };
        self.sources.iter().map(source).collect()
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        self.sources.iter().map(|source| source.rows).sum()
    }
}

impl SourceRows {
    /// At most `limit` rows whose turns are there, after an ordinal of the campaign. Empty at the end only.
    async fn page(
        &self,
        mut after: Option<u64>,
        limit: usize,
    ) -> std::result::Result<Vec<RowRecord>, Fault> {
        loop {
            let mut rows = self.store.rows(&self.campaign, after, limit).await?;
            let Some(last) = rows.last().map(|row| row.ordinal) else { return Ok(rows) };
            rows.retain(|row| !self.without_turns.contains(&row.ordinal));
            if !rows.is_empty() {
                return Ok(rows);
            }
            after = Some(last);
        }
    }
}

/// The campaign in its store. The error lists those that are there.
async fn found(store: &Store, name: &CampaignName, dir: &Path) -> Result<CampaignRecord> {
    if let Some(record) = store.campaign(name).await.map_err(store_error)? {
        return Ok(record);
    }
    let others = store.campaigns().await.map_err(store_error)?;
    let names: Vec<&str> = others.iter().map(|campaign| campaign.name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => "this data directory holds no campaign yet".to_owned(),
        names => format!("this data directory holds {}", names.join(", ")),
    };
    let what = format!("{} has no campaign {:?}", dir.display(), name.as_str());
    Err(Error::new(Code::RecipeSources, what).hint(hint))
}

#[async_trait]
impl RowPages for RecipeRows {
    async fn page(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> std::result::Result<Vec<RowRecord>, Fault> {
        for source in &self.sources {
            let end = source.first + source.planned;
            if after.is_some_and(|after| after + 1 >= end) {
                continue;
            }
            let within = after.and_then(|after| after.checked_sub(source.first));
            let mut rows = source.page(within, limit).await?;
            if !rows.is_empty() {
                rows.iter_mut().for_each(|row| row.ordinal += source.first);
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    async fn recorded_version(&self) -> std::result::Result<u32, Fault> {
        Ok(0)
    }
}

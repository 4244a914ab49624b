//! The measured pass rates that `synthd template list` shows: those of the campaigns in a data directory that tried
//! tasks several times. Only campaigns count whose edition of a template is that of the library.

use crate::error::Result;
use crate::running_engine::{run_in_actor_system, store_error};
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use synthd_actors::policy::{TemplateRate, template_rates};
use synthd_actors::ports::Journal;
use synthd_actors::task::{Catalog, Template};

/// The rates by template, and then by model and scaffold.
#[derive(Default)]
pub(super) struct MeasuredRates(BTreeMap<String, BTreeMap<(String, String), TemplateRate>>);

impl MeasuredRates {
    /// Reads the rates from the store of a data directory.
    pub(super) fn read(data_dir: &Path, catalog: &Catalog) -> Result<Self> {
        let store = Store::open_read_only(data_dir)?;
        run_in_actor_system(Self::of(&store, catalog))?
    }

    async fn of(store: &Store, catalog: &Catalog) -> Result<Self> {
        let mut rates = Self::default();
        for campaign in store.campaigns().await.map_err(store_error)? {
            let editions = store.editions(&campaign.name).await.map_err(store_error)?;
            let todays: BTreeSet<String> = editions
                .into_iter()
                .filter(|edition| {
                    let known = catalog.get(&edition.template);
                    known.is_some_and(|template| template.digest() == edition.digest)
                })
                .map(|edition| edition.template)
                .collect();
            let episodes = store.episodes(&campaign.name).await.map_err(store_error)?;
            for ((template, model, scaffold), rate) in template_rates(&episodes) {
                if todays.contains(&template) {
                    let own = rates.0.entry(template).or_default();
                    let sum = own.entry((model, scaffold)).or_default();
                    *sum = sum.with(rate);
                }
            }
        }
        Ok(rates)
    }

    /// The rate of all models together, such as `0.50 (0.27 to 0.73) of 16`, with tasks that all or no samples
    /// solved; `-` if nothing is known.
    pub(super) fn text(&self, template: &Template) -> String {
        let own = self.0.get(&template.id);
        let all = own.into_iter().flat_map(BTreeMap::values);
        let all = all.fold(TemplateRate::default(), |sum, rate| sum.with(*rate));
        let Some((rate, low, high)) = all.interval() else { return "-".to_owned() };
        let mut text = format!("{rate:.2} ({low:.2} to {high:.2}) of {}", all.tries);
        for (count, how) in [(all.always, "always"), (all.never, "never")] {
            if count > 0 {
                text.push_str(&format!(", {count} {how}"));
            }
        }
        text
    }

    /// The rates of a template by model and scaffold, as JSON.
    pub(super) fn document(&self, template: &Template) -> Value {
        let own = self.0.get(&template.id).into_iter().flatten();
        let one = |((model, scaffold), rate): (&(String, String), &TemplateRate)| {
            let (mean, low, high) = rate.interval().unwrap_or_default();
            json!({
                "model": model, "scaffold": scaffold, "tasks": rate.tasks, "tries": rate.tries,
                "solved": rate.solved, "rate": mean, "low": low, "high": high,
                "always_solved": rate.always, "never_solved": rate.never,
            })
        };
        own.map(one).collect()
    }
}

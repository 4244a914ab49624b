//! What a campaign may cost before it begins: its own tasks, rendered, at its models' prices.

use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use synthd_actors::model::{Assignment, CampaignConfig, Money};
use synthd_actors::policy::{Estimate, episode_estimate, worst_case};
use synthd_actors::scaffold;
use synthd_actors::task::Catalog;

/// A campaign's, by model.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignEstimate {
    pub models: Vec<ModelEstimate>,
    #[serde(flatten)]
    pub total: Sums,
    /// The most that must be held for the dearest first call.
    pub first_call_usd: Money,
    pub budget_usd: Option<Money>,
}

/// One model's share.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEstimate {
    pub model: String,
    pub episodes: u64,
    #[serde(flatten)]
    pub sums: Sums,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sums {
    pub least_usd: Money,
    pub likely_usd: Money,
    pub most_usd: Money,
}

impl From<Estimate> for Sums {
    fn from(estimate: Estimate) -> Self {
        let Estimate { least, likely, most } = estimate;
        Self { least_usd: least, likely_usd: likely, most_usd: most }
    }
}

/// One task of each template stands for all of it.
pub fn campaign(catalog: &Catalog, config: &CampaignConfig) -> Result<CampaignEstimate> {
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    let mut found: BTreeMap<&str, (u64, Estimate)> = BTreeMap::new();
    let mut first_call = Money::ZERO;
    for template in &selected {
        let task = template.task(config.seed, 0).map_err(|error| {
            let what = format!("{}: {}", error.template, error.message);
            Error::new(Code::TemplateInvalid, what)
        })?;
        for name in &config.scaffolds {
            let Some(scaffold) = scaffold::by_name(name) else { continue };
            let opening = scaffold.request(&scaffold.open(&task));
            for model in &config.models {
                let kept = config.sandbox.limits.output_kept;
                let steps = task.expected_steps;
                let one = episode_estimate(&model.price, &opening, steps, &config.episode, kept);
                let known = found.entry(&model.name).or_default();
                *known = (known.0 + 1, known.1.plus(one));
                first_call = first_call.max(model.price.worst(worst_case(&opening)));
            }
        }
    }
    let shares = shares(config);
    let tasks = u64::from(config.tasks.per_template);
    let models: Vec<(String, u64, Estimate)> = found
        .into_iter()
        .map(|(model, (templates, sum))| {
            let (share, of) = shares.get(model).copied().unwrap_or((1, 1));
            let part = |money: Money| {
                let exact = u128::from(money.nanos()) * u128::from(tasks) * u128::from(share);
                Money::from_nanos(u64::try_from(exact.div_ceil(u128::from(of))).unwrap_or(u64::MAX))
            };
            let sum =
                Estimate { least: part(sum.least), likely: part(sum.likely), most: part(sum.most) };
            (model.to_owned(), (templates * tasks * share).div_ceil(of), sum)
        })
        .collect();
    let total = models.iter().fold(Estimate::default(), |sum, (.., one)| sum.plus(*one));
    let told = |(model, episodes, sum): (String, u64, Estimate)| ModelEstimate {
        model,
        episodes,
        sums: sum.into(),
    };
    Ok(CampaignEstimate {
        models: models.into_iter().map(told).collect(),
        total: total.into(),
        first_call_usd: first_call,
        budget_usd: config.budget,
    })
}

/// Each model's part of the tasks.
fn shares(config: &CampaignConfig) -> BTreeMap<&str, (u64, u64)> {
    let weight = |weight: u32| u64::from(weight.max(1));
    let all: u64 = config.models.iter().map(|model| weight(model.weight)).sum();
    let count = config.models.len() as u64;
    let share = |model_weight: u32| match config.assign {
        Assignment::Cross => (1, 1),
        Assignment::RoundRobin => (1, count),
        Assignment::Weighted => (weight(model_weight), all),
    };
    config.models.iter().map(|model| (model.name.as_str(), share(model.weight))).collect()
}

/// A budget that could not do what is asked, whatever happens.
pub fn affordable(estimate: &CampaignEstimate) -> Result<()> {
    let Some(budget) = estimate.budget_usd else { return Ok(()) };
    let first = estimate.first_call_usd;
    if first > budget {
        let what = format!(
            "the budget of ${budget} is less than one call may cost: ${first} are held for the first"
        );
        return Err(Error::new(Code::BudgetTooSmall, what)
            .hint("raise [budget] usd, or choose a cheaper model; `synthd estimate` shows both"));
    }
    let least = estimate.total.least_usd;
    if least > budget {
        let what = format!(
            "the budget of ${budget} is less than the campaign costs at the least: ${least}"
        );
        return Err(Error::new(Code::BudgetTooSmall, what)
            .hint("raise [budget] usd, or plan fewer tasks; `synthd estimate` shows what each model costs"));
    }
    Ok(())
}

//! What a campaign may cost before it begins: its own tasks, rendered, at its models' prices.

use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{CampaignConfig, ModelConfig, Money, SamplePolicy};
use synthd_actors::policy::{
    AssignmentRules, CostEstimate, SampleCounts, TaskProfile, episode_estimate, more_samples,
    shares, worst_case,
};
use synthd_actors::scaffold;
use synthd_actors::task::Catalog;

/// A campaign's, by model.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignEstimate {
    /// All that may be tried. A share of a model is rounded up; this is not their sum.
    #[serde(skip)]
    pub episodes: u64,
    /// Those that are tried in any case.
    #[serde(skip)]
    pub least_episodes: u64,
    pub models: Vec<ModelEstimate>,
    #[serde(flatten)]
    pub total: CostRange,
    /// The most that must be held for the dearest first call.
    pub first_call_usd: Money,
    pub budget_usd: Option<Money>,
    /// The other caps, by what they are of.
    #[serde(skip)]
    caps: Vec<(String, Money, Money)>,
}

/// One model's share.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEstimate {
    pub model: String,
    pub episodes: u64,
    #[serde(flatten)]
    pub sums: CostRange,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostRange {
    pub least_usd: Money,
    pub likely_usd: Money,
    pub most_usd: Money,
}

impl From<CostEstimate> for CostRange {
    fn from(estimate: CostEstimate) -> Self {
        let CostEstimate { least, likely, most } = estimate;
        Self { least_usd: least, likely_usd: likely, most_usd: most }
    }
}

/// Parts of an episode, so that shares add up.
const PARTS: u128 = 1_000_000_000;

#[derive(Default)]
struct ModelTotals {
    first_call: Money,
    parts: u128,
    sum: CostEstimate,
}

/// One task of each template stands for all of it.
pub fn estimate_campaign(catalog: &Catalog, config: &CampaignConfig) -> Result<CampaignEstimate> {
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    let mut found: BTreeMap<&str, ModelTotals> = BTreeMap::new();
    for template in &selected {
        let task = template.task(config.seed, 0).map_err(|error| {
            let what = format!("{}: {}", error.template, error.message);
            Error::new(Code::TemplateInvalid, what)
        })?;
        for name in &config.scaffolds {
            let Some(opening) = scaffold::opening(config, name, &task) else { continue };
            let asked = TaskProfile::of(&task, &opening, name);
            for (model, share, of) in shares(&AssignmentRules::of(config), &asked) {
                let one = one_episode(config, model, &asked);
                let known = found.entry(&model.name).or_default();
                let tasks = u128::from(config.tasks.per_template) * u128::from(share);
                let most = u128::from(config.tasks.samples.most);
                known.parts += tasks * most * PARTS / u128::from(of.max(1));
                known.sum = known.sum.plus(part(sampled(one, &config.tasks.samples), tasks, of));
                known.first_call =
                    known.first_call.max(model.price.worst(worst_case(&asked.opening_for(model))));
            }
        }
    }
    let first_call = found.values().map(|one| one.first_call).max().unwrap_or_default();
    let caps = caps(config, &found, first_call);
    let total = found.values().fold(CostEstimate::default(), |sum, one| sum.plus(one.sum));
    let parts: u128 = found.values().map(|one| one.parts).sum();
    let episodes = u64::try_from(parts.div_ceil(PARTS)).unwrap_or(u64::MAX);
    let SamplePolicy { most, .. } = config.tasks.samples;
    let least = u64::from(more_samples(&config.tasks.samples, SampleCounts::default()));
    let told = |(model, found): (&str, ModelTotals)| ModelEstimate {
        model: model.to_owned(),
        episodes: u64::try_from(found.parts.div_ceil(PARTS)).unwrap_or(u64::MAX),
        sums: found.sum.into(),
    };
    Ok(CampaignEstimate {
        episodes,
        least_episodes: (episodes / u64::from(most.max(1))).saturating_mul(least),
        models: found.into_iter().map(told).collect(),
        total: total.into(),
        first_call_usd: first_call,
        budget_usd: config.budget,
        caps,
    })
}

/// Each with the first call that it must cover.
fn caps(
    config: &CampaignConfig,
    found: &BTreeMap<&str, ModelTotals>,
    first_call: Money,
) -> Vec<(String, Money, Money)> {
    let day = config.day_budget.map(|cap| ("[budget] day_usd".to_owned(), cap, first_call));
    let episode =
        config.episode_budget.map(|cap| ("[budget] episode_usd".to_owned(), cap, first_call));
    let models = config.models.iter().filter_map(|model| {
        let first = found.get(model.name.as_str())?.first_call;
        Some((format!("budget_usd of {}", model.name), model.standing.budget?, first))
    });
    day.into_iter().chain(episode).chain(models).collect()
}

/// At the most it is asked, and all who stand in for it are asked as well.
fn one_episode(
    config: &CampaignConfig,
    model: &ModelConfig,
    asked: &TaskProfile<'_>,
) -> CostEstimate {
    let kept = config.sandbox.limits.output_kept;
    let of = |model: &ModelConfig| {
        let opening = asked.opening_for(model);
        episode_estimate(&model.price, &opening, asked.expected_steps, &config.episode, kept)
    };
    let others: BTreeSet<&String> = model.standing.fallback.all().collect();
    let others = others.into_iter().filter_map(|name| config.model(name));
    let more: Money = others.map(|other| of(other).most).sum();
    let own = of(model);
    CostEstimate { most: own.most.saturating_add(more), ..own }
}

/// All that may be tried, and at the least those that are tried in any case.
fn sampled(one: CostEstimate, samples: &SamplePolicy) -> CostEstimate {
    let least = more_samples(samples, SampleCounts::default());
    let most = one.times(u64::from(samples.most));
    CostEstimate { least: one.times(u64::from(least)).least, ..most }
}

fn part(one: CostEstimate, times: u128, of: u64) -> CostEstimate {
    let part = |money: Money| {
        let exact = u128::from(money.nanos()).saturating_mul(times);
        Money::from_nanos(u64::try_from(exact.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX))
    };
    CostEstimate { least: part(one.least), likely: part(one.likely), most: part(one.most) }
}

/// A budget that could not do what is asked, whatever happens.
pub fn check_affordable(estimate: &CampaignEstimate) -> Result<()> {
    if let Some((whose, cap, first)) = estimate.caps.iter().find(|(_, cap, first)| first > cap) {
        let what = format!("{whose} is ${cap}, but one call holds ${first}");
        return Err(Error::new(Code::BudgetTooSmall, what).hint(
            "raise it, or choose a cheaper model; `synthd estimate` shows the cost of calls",
        ));
    }
    let Some(budget) = estimate.budget_usd else { return Ok(()) };
    let first = estimate.first_call_usd;
    if first > budget {
        let what = format!("the budget is ${budget}, but the first call holds ${first}");
        return Err(Error::new(Code::BudgetTooSmall, what)
            .hint("raise [budget] usd, or choose a cheaper model; `synthd estimate` shows both"));
    }
    let least = estimate.total.least_usd;
    if least > budget {
        let what = format!("the budget is ${budget}, but the campaign costs at least ${least}");
        return Err(Error::new(Code::BudgetTooSmall, what).hint(
            "raise [budget] usd, or plan fewer tasks; `synthd estimate` shows the cost of \
                   each model",
        ));
    }
    Ok(())
}

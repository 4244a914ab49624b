//! What a campaign may cost, computed before it begins and without a model call.
//!
//! One task of each selected template is rendered and turned into the opening request that each
//! scaffold would send. The sizes of these requests and the prices of the models give three sums:
//! the least, the likely and the most. `synthd estimate`, `synthd check`, `run --dry-run` and the
//! preflight use [`estimate_campaign`]. [`check_affordable`] refuses a budget that cannot be
//! enough.

use crate::draw_table::DrawTable;
use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::agent;
use synthd_actors::model::{
    CampaignConfig, DrawRule, ModelConfig, Money, SamplePolicy, Task, WorkName,
};
use synthd_actors::policy::{
    AssignmentRules, CostEstimate, SampleCounts, TaskProfile, able_models, episode_estimate,
    more_samples, shares, worst_case,
};
use synthd_actors::task::{Catalog, Template};
use synthd_actors::work::WorkInputs;
use synthd_actors::work::completion::request;

/// The estimate of a whole campaign, and of each of its models.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignEstimate {
    /// The most episodes that may be tried. The share of each model is rounded up separately, so
    /// this number may be smaller than the sum over the models.
    #[serde(skip)]
    pub episodes: u64,
    /// The episodes that are tried in any case, before sampling may stop early.
    #[serde(skip)]
    pub least_episodes: u64,
    /// One entry for each model that tries at least one task.
    pub models: Vec<ModelEstimate>,
    /// The sums over all models.
    #[serde(flatten)]
    pub total: CostRange,
    /// The hold of the most expensive first call. A budget below this amount starts nothing.
    pub first_call_usd: Money,
    /// `[budget] usd`, if the campaign has it.
    pub budget_usd: Option<Money>,
    /// The other caps: the key in the file, the cap, and the first call that the cap must cover.
    #[serde(skip)]
    caps: Vec<(String, Money, Money)>,
}

/// The part of the estimate that belongs to one model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEstimate {
    pub model: String,
    /// The most episodes that this model tries, rounded up.
    pub episodes: u64,
    #[serde(flatten)]
    pub sums: CostRange,
}

/// Three sums in US dollars, as the JSON output has them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostRange {
    /// The cost if each episode makes one short call and sampling stops as early as it may.
    pub least_usd: Money,
    /// The cost if each episode takes the steps that its template expects.
    pub likely_usd: Money,
    /// The most without failed calls: every attempt uses every turn, each call costs its worst case,
    /// and every fallback model is asked as well. Tries of a call that fail and are charged come on
    /// top.
    pub most_usd: Money,
}

impl From<CostEstimate> for CostRange {
    fn from(estimate: CostEstimate) -> Self {
        let CostEstimate { least, likely, most } = estimate;
        Self { least_usd: least, likely_usd: likely, most_usd: most }
    }
}

/// Parts that an episode is counted in. A model may try a third of the tasks; with parts, three
/// thirds add up to one.
const PARTS: u128 = 1_000_000_000;

/// The sums of one model while the templates are visited.
#[derive(Default)]
struct ModelTotals {
    /// The worst case of the dearest first call so far.
    first_call: Money,
    /// Episodes, counted in billionths (`PARTS`).
    parts: u128,
    /// The cost of all episodes so far.
    sum: CostEstimate,
}

/// The sums of all models, by their names.
type TotalsByModel<'a> = BTreeMap<&'a str, ModelTotals>;

/// Computes the estimate. Task 0 of each template stands for all its tasks, because the tasks of a
/// template differ only in their parameters. Every prompt counts for itself. The error is
/// `TemplateInvalid` if a template cannot make its task.
pub fn estimate_campaign(inputs: &WorkInputs, config: &CampaignConfig) -> Result<CampaignEstimate> {
    let mut found = TotalsByModel::new();
    match config.kind {
        WorkName::Trajectories => add_tasks(&mut found, &inputs.catalog, config)?,
        WorkName::Completions => add_prompts(&mut found, inputs, config),
    }
    Ok(estimate_of(&found, config))
}

/// Adds the tasks of every selected template, with each scaffold.
fn add_tasks<'a>(
    found: &mut TotalsByModel<'a>,
    catalog: &Catalog,
    config: &'a CampaignConfig,
) -> Result<()> {
    let drawn = DrawTable::of(catalog, config).templates;
    let count = drawn.len() as u64;
    for (template, tasks) in drawn.iter().filter(|(_, tasks)| *tasks > 0) {
        let task = first_task(template, config)?;
        if config.tasks.draw.rule == DrawRule::Informative {
            add_choices(found, config, &task, count);
            continue;
        }
        for name in &config.scaffolds {
            // None means that there is no opening to price for this scaffold and task; it adds
            // nothing.
            let Some(opening) = agent::opening(config, name, &task) else { continue };
            let asked = TaskProfile::of(&task, &opening, name);
            add(found, config, &asked, *tasks);
        }
    }
    Ok(())
}

/// Task 0 of a template.
fn first_task(template: &Template, config: &CampaignConfig) -> Result<Task> {
    template.task(config.seed, 0).map_err(|error| {
        let what = format!("{}: {}", error.template, error.message);
        Error::new(Code::TemplateInvalid, what)
    })
}

/// Adds the choices of an informative draw that fall on this task. Which ones they are is not known
/// before: likely all models and all `templates` have as many, at least a model has none, and at most
/// it has all of them with the dearest template.
fn add_choices<'a>(
    found: &mut TotalsByModel<'a>,
    config: &'a CampaignConfig,
    task: &Task,
    templates: u64,
) {
    let samples = &config.tasks.samples;
    let choices = u64::from(config.tasks.draw.count);
    let able = config.models.iter().filter(|model| is_able(config, model));
    let able: Vec<&ModelConfig> = able.collect();
    let pairs = templates * able.len() as u64;
    for model in able {
        let known = found.entry(&model.name).or_default();
        let mut each = CostEstimate::default();
        for name in &config.scaffolds {
            let Some(opening) = agent::opening(config, name, task) else { continue };
            let asked = TaskProfile::of(task, &opening, name);
            each = each.plus(sampled(one_episode(config, model, &asked), samples));
            let first = model.price.worst(worst_case(&asked.opening_for(model)));
            known.first_call = known.first_call.max(first);
            let episodes = u128::from(choices) * u128::from(samples.most);
            known.parts += episodes * PARTS / u128::from(pairs.max(1));
        }
        let likely = part(each, u128::from(choices), pairs).likely;
        known.sum.likely = known.sum.likely.saturating_add(likely);
        known.sum.most = known.sum.most.max(each.times(choices).most);
    }
}

/// Whether an informative draw may choose a model: it is no reserve, and has what is needed.
fn is_able(config: &CampaignConfig, model: &ModelConfig) -> bool {
    able_models(&AssignmentRules::of(config)).contains(&model.name)
}

/// Adds every prompt. An answer is an episode of one turn.
fn add_prompts<'a>(found: &mut TotalsByModel<'a>, inputs: &WorkInputs, config: &'a CampaignConfig) {
    for prompt in inputs.prompts.up_to(config.completions.limit) {
        let opening = request(prompt);
        let asked = TaskProfile::of_prompt(&prompt.id, &opening);
        add(found, config, &asked, 1);
    }
}

/// Adds `tasks` tasks like this one to the models that try them.
fn add<'a>(
    found: &mut TotalsByModel<'a>,
    config: &'a CampaignConfig,
    asked: &TaskProfile<'_>,
    tasks: u32,
) {
    // The model tries `share` of every `of` tasks, each with up to `samples.most` samples.
    for (model, share, of) in shares(&AssignmentRules::of(config), asked) {
        let one = one_episode(config, model, asked);
        let known = found.entry(&model.name).or_default();
        let tasks = u128::from(tasks) * u128::from(share);
        let most = u128::from(config.tasks.samples.most);
        known.parts += tasks * most * PARTS / u128::from(of.max(1));
        known.sum = known.sum.plus(part(sampled(one, &config.tasks.samples), tasks, of));
        known.first_call =
            known.first_call.max(model.price.worst(worst_case(&asked.opening_for(model))));
    }
}

/// The estimate from the sums of all models.
fn estimate_of(found: &TotalsByModel<'_>, config: &CampaignConfig) -> CampaignEstimate {
    let first_call = found.values().map(|one| one.first_call).max().unwrap_or_default();
    let caps = caps(config, found, first_call);
    let mut total = found.values().fold(CostEstimate::default(), |sum, one| sum.plus(one.sum));
    if config.tasks.draw.rule == DrawRule::Informative {
        // All choices may fall on the dearest model, but no choice falls on two.
        total.most = found.values().map(|one| one.sum.most).max().unwrap_or_default();
    }
    let parts: u128 = found.values().map(|one| one.parts).sum();
    let episodes = u64::try_from(parts.div_ceil(PARTS)).unwrap_or(u64::MAX);
    let SamplePolicy { most, .. } = config.tasks.samples;
    let least = u64::from(more_samples(&config.tasks.samples, SampleCounts::default()));
    let told = |(model, found): (&&str, &ModelTotals)| ModelEstimate {
        model: (*model).to_owned(),
        episodes: u64::try_from(found.parts.div_ceil(PARTS)).unwrap_or(u64::MAX),
        sums: found.sum.into(),
    };
    CampaignEstimate {
        episodes,
        least_episodes: (episodes / u64::from(most.max(1))).saturating_mul(least),
        models: found.iter().map(told).collect(),
        total: total.into(),
        first_call_usd: first_call,
        budget_usd: config.budget,
        caps,
    }
}

/// The caps besides `[budget] usd`: per day, per episode and per model. Each comes with the most
/// expensive first call that it must cover.
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
        Some((format!("budget_usd of {}", model.name), model.routing.budget?, first))
    });
    day.into_iter().chain(episode).chain(models).collect()
}

/// The cost of one episode with one model. In the worst case, every fallback model is asked as
/// well, so its worst case is added.
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
    let others: BTreeSet<&String> = model.routing.fallback.all().collect();
    let others = others.into_iter().filter_map(|name| config.model(name));
    let more: Money = others.map(|other| of(other).most).sum();
    let own = of(model);
    CostEstimate { most: own.most.saturating_add(more), ..own }
}

/// The cost of all samples of one task. The most counts every sample that may be taken; the least
/// counts only the samples that are taken in any case.
fn sampled(one: CostEstimate, samples: &SamplePolicy) -> CostEstimate {
    let least = more_samples(samples, SampleCounts::default());
    let most = one.times(u64::from(samples.most));
    CostEstimate { least: one.times(u64::from(least)).least, ..most }
}

/// Multiplies a cost with `times / of`, rounded up to a billionth of a dollar. Sums that are too
/// large stay at the maximum.
fn part(one: CostEstimate, times: u128, of: u64) -> CostEstimate {
    let part = |money: Money| {
        let exact = u128::from(money.nanos()).saturating_mul(times);
        Money::from_nanos(u64::try_from(exact.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX))
    };
    CostEstimate { least: part(one.least), likely: part(one.likely), most: part(one.most) }
}

/// Checks that every cap covers its first call, and that the budget covers the least cost. The
/// error is `BudgetTooSmall` (SYN-0802). Without caps, nothing is refused.
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

//! Decides which models try which task. It is decided when the campaign is planned, only from the
//! task, the campaign's settings and (for round-robin) the number of tasks that were assigned
//! before, so planning again gives the same result. The exception
//! is assignment by least latency: then the plan has the placeholder [`SOONEST`], and the router
//! chooses the model when the episode begins.

use crate::agent::ExternalAgent;
use crate::model::{
    CampaignConfig, ChatRequest, Difficulty, EpisodeLimits, ModelAbility, ModelAssignment,
    ModelConfig, Money, SOONEST, Task, TaskId, digest_of,
};
use crate::policy::{episode_estimate, likely_length};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The part of a campaign on which assignment depends.
pub struct AssignmentRules<'a> {
    /// The rule.
    pub how: ModelAssignment,
    /// All models of the campaign, in the order of the campaign file.
    pub models: &'a [ModelConfig],
    /// The abilities that every model must have.
    pub needs: &'a BTreeSet<ModelAbility>,
    /// The campaign's seed, for the rules that draw a model by weight.
    pub seed: u64,
    /// The limits of an episode, for cost estimates.
    pub limits: &'a EpisodeLimits,
    /// The kept bytes of each output stream, for cost estimates.
    pub output_kept: u32,
}

/// The part of a task on which assignment depends.
pub struct TaskProfile<'a> {
    pub id: &'a TaskId,
    pub difficulty: Difficulty,
    /// The least and the most expected turns, for cost estimates.
    pub expected_steps: (u32, u32),
    /// The first request of the episode, as the scaffold builds it.
    pub opening: &'a ChatRequest,
    /// Whether the scaffold is the engine's own. Then requests get the sampling parameters of the
    /// model. An external agent sets its own parameters.
    pub own: bool,
}

impl<'a> AssignmentRules<'a> {
    /// The rules of a campaign.
    pub fn of(config: &'a CampaignConfig) -> Self {
        Self {
            how: config.assign,
            models: &config.models,
            needs: &config.needs,
            seed: config.seed,
            limits: &config.episode,
            output_kept: config.sandbox.limits.output_kept,
        }
    }
}

impl<'a> TaskProfile<'a> {
    /// The profile of a task that is tried through `scaffold`.
    pub fn of(task: &'a Task, opening: &'a ChatRequest, scaffold: &str) -> Self {
        let (id, difficulty, expected_steps) = (&task.id, task.difficulty, task.expected_steps);
        Self { id, difficulty, expected_steps, opening, own: !ExternalAgent::is(scaffold) }
    }

    /// The profile of a prompt: one turn, asked by the engine itself.
    pub fn of_prompt(id: &'a TaskId, opening: &'a ChatRequest) -> Self {
        let (difficulty, expected_steps) = (Difficulty::Medium, (1, 1));
        Self { id, difficulty, expected_steps, opening, own: true }
    }

    /// The first request as this model would get it.
    pub fn opening_for(&self, model: &ModelConfig) -> Cow<'a, ChatRequest> {
        match self.own && !model.sampling.is_usual() {
            true => Cow::Owned(model.sampling.over(self.opening, 0)),
            false => Cow::Borrowed(self.opening),
        }
    }
}

/// The names of the models that try a task. `turn` is the number of tasks that were assigned
/// before; the round-robin rule uses it. Empty if no model can have the task.
pub fn assign<'a>(by: &AssignmentRules<'a>, task: &TaskProfile<'_>, turn: u64) -> Vec<&'a str> {
    let models = by.able();
    if models.is_empty() {
        return Vec::new();
    }
    let one = match by.how {
        ModelAssignment::Cross => return models.into_iter().map(|m| m.name.as_str()).collect(),
        ModelAssignment::LeastLatency => return vec![SOONEST],
        ModelAssignment::RoundRobin => models.get((turn % models.len() as u64) as usize).copied(),
        ModelAssignment::Weighted => by.drawn(&models, task.id),
        ModelAssignment::Difficulty => by.drawn(&tier(&models, task.difficulty), task.id),
        ModelAssignment::CheapestCapable => by.cheapest(&models, task),
    };
    one.into_iter().map(|model| model.name.as_str()).collect()
}

/// The names of the models that may have tasks at all, in the order of the campaign file.
pub fn able_models(by: &AssignmentRules<'_>) -> Vec<String> {
    by.able().into_iter().map(|model| model.name.clone()).collect()
}

/// The expected share of each model in tasks like this one, for cost estimates: the second number
/// out of the third. For example `(model, 1, 3)` means one of three such tasks.
pub fn shares<'a>(
    by: &AssignmentRules<'a>,
    task: &TaskProfile<'_>,
) -> Vec<(&'a ModelConfig, u64, u64)> {
    let models = by.able();
    let count = models.len() as u64;
    let by_weight = |models: Vec<&'a ModelConfig>| {
        let all: u64 = models.iter().map(|model| weight(model)).sum();
        models.into_iter().map(|model| (model, weight(model), all)).collect()
    };
    match by.how {
        ModelAssignment::Cross => models.into_iter().map(|model| (model, 1, 1)).collect(),
        ModelAssignment::RoundRobin | ModelAssignment::LeastLatency => {
            models.into_iter().map(|model| (model, 1, count)).collect()
        }
        ModelAssignment::Weighted => by_weight(models),
        ModelAssignment::Difficulty => by_weight(tier(&models, task.difficulty)),
        ModelAssignment::CheapestCapable => {
            by.cheapest(&models, task).into_iter().map(|model| (model, 1, 1)).collect()
        }
    }
}

/// The weight of a model, at least one.
fn weight(model: &ModelConfig) -> u64 {
    u64::from(model.weight.max(1))
}

/// The models for a difficulty: those that name this difficulty. If there are none, those that name
/// no difficulty at all.
fn tier<'a>(models: &[&'a ModelConfig], difficulty: Difficulty) -> Vec<&'a ModelConfig> {
    let takes = |model: &&&ModelConfig| model.routing.takes(difficulty);
    let fitting: Vec<&ModelConfig> = models.iter().filter(takes).copied().collect();
    let named = |model: &&&ModelConfig| !model.routing.difficulty.is_empty();
    let named: Vec<&ModelConfig> = fitting.iter().filter(named).copied().collect();
    if named.is_empty() { fitting } else { named }
}

impl<'a> AssignmentRules<'a> {
    /// The models that may have tasks.
    fn able(&self) -> Vec<&'a ModelConfig> {
        self.models.iter().filter(|model| self.may_have(model)).collect()
    }

    /// Whether a model may have tasks: it is not a reserve, and it has the needed abilities.
    fn may_have(&self, model: &ModelConfig) -> bool {
        !model.routing.reserve && model.routing.has(self.needs)
    }

    /// Draws a model by weight. The random number is a hash of the seed and the task. So it is the
    /// same on every machine, and does not depend on what else is planned.
    fn drawn(&self, models: &[&'a ModelConfig], task: &TaskId) -> Option<&'a ModelConfig> {
        let total: u64 = models.iter().map(|model| weight(model)).sum();
        let digest = digest_of(&["assign", &self.seed.to_string(), &task.0]);
        let word = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
        let mut left = word % total.max(1);
        let hit = |model: &&&ModelConfig| {
            let hit = left < weight(model);
            left = left.saturating_sub(weight(model));
            hit
        };
        models.iter().find(hit).or(models.first()).copied()
    }

    /// The model whose episode likely costs least, among those that can read a conversation of the
    /// likely length. If none can, the model that can read the most.
    fn cheapest(
        &self,
        models: &[&'a ModelConfig],
        task: &TaskProfile<'_>,
    ) -> Option<&'a ModelConfig> {
        let length =
            |model: &ModelConfig| likely_length(&task.opening_for(model), task.expected_steps);
        let reads = |model: &ModelConfig| model.context.unwrap_or(u64::MAX);
        let able = models.iter().filter(|model| reads(model) >= length(model));
        let cheapest = able.min_by_key(|model| self.costs(model, task));
        cheapest.or_else(|| models.iter().max_by_key(|model| reads(model))).copied()
    }

    /// The likely cost of an episode with this model.
    fn costs(&self, model: &ModelConfig, task: &TaskProfile<'_>) -> Money {
        let (opening, steps) = (task.opening_for(model), task.expected_steps);
        episode_estimate(&model.price, &opening, steps, self.limits, self.output_kept).likely
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatMessage, ChatRole};
    use crate::testkit::priced;

    fn opening(bytes: usize) -> ChatRequest {
        ChatRequest {
            messages: vec![ChatMessage::text(ChatRole::User, "x".repeat(bytes))],
            tools: Vec::new(),
            max_output_tokens: 1_000,
            settings: Default::default(),
        }
    }

    fn chosen(
        how: ModelAssignment,
        models: &[ModelConfig],
        needs: &[ModelAbility],
        difficulty: Difficulty,
        bytes: usize,
    ) -> Vec<String> {
        let needs = needs.iter().copied().collect();
        let limits = EpisodeLimits::default();
        let by = AssignmentRules {
            how,
            models,
            needs: &needs,
            seed: 1,
            limits: &limits,
            output_kept: 0,
        };
        let (id, opening) = (TaskId("a@1".to_owned()), opening(bytes));
        let task = TaskProfile {
            id: &id,
            difficulty,
            expected_steps: (1, 1),
            opening: &opening,
            own: true,
        };
        assign(&by, &task, 0).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_cheapest_that_can_read_it_has_it() {
        let models = [
            ModelConfig { context: Some(100_000), ..priced("p/large", 30) },
            ModelConfig { context: Some(2_000), ..priced("p/small", 10) },
            ModelConfig { context: Some(50_000), ..priced("p/middle", 20) },
        ];
        let of = |bytes| {
            chosen(ModelAssignment::CheapestCapable, &models, &[], Difficulty::Easy, bytes)
                .join(" ")
        };
        assert_eq!(of(400), "p/small");
        assert_eq!(of(40_000), "p/middle");
        assert_eq!(of(360_000), "p/large");
        assert_eq!(of(4_000_000), "p/large", "none reads it: the one that reads the most");
    }

    #[test]
    fn what_a_model_cannot_do_it_is_not_asked() {
        let mut models = [priced("p/blind", 1), priced("p/sees", 9), priced("p/reserve", 1)];
        models[1].routing.abilities = Some([ModelAbility::Vision, ModelAbility::Tools].into());
        models[2].routing.reserve = true;
        let sees = |how| chosen(how, &models, &[ModelAbility::Vision], Difficulty::Easy, 10);
        for how in
            [ModelAssignment::Cross, ModelAssignment::RoundRobin, ModelAssignment::CheapestCapable]
        {
            assert_eq!(sees(how), ["p/sees"], "{how:?}");
        }
        let all =
            chosen(ModelAssignment::Cross, &models, &[ModelAbility::Tools], Difficulty::Easy, 10);
        assert_eq!(all, ["p/blind", "p/sees"], "a reserve is assigned nothing");
        let none = chosen(
            ModelAssignment::Cross,
            &models,
            &[ModelAbility::Reasoning],
            Difficulty::Easy,
            10,
        );
        assert!(none.is_empty());
    }

    #[test]
    fn tasks_go_to_those_who_take_them() {
        let mut models = [priced("p/cheap", 1), priced("p/any", 2), priced("p/strong", 9)];
        models[0].routing.difficulty = vec![Difficulty::Easy];
        models[2].routing.difficulty = vec![Difficulty::Hard];
        let of = |difficulty| chosen(ModelAssignment::Difficulty, &models, &[], difficulty, 10);
        assert_eq!(of(Difficulty::Easy), ["p/cheap"]);
        assert_eq!(of(Difficulty::Medium), ["p/any"]);
        assert_eq!(of(Difficulty::Hard), ["p/strong"]);
    }
}

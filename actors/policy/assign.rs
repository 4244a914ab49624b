//! Which models try which task. Decided when the campaign is planned, by what is known of the
//! task and of the models, so that a plan can be repeated; whichever answers soonest is known
//! only when an episode begins, and is chosen then.

use crate::model::{
    CampaignConfig, ChatRequest, Difficulty, EpisodeLimits, ModelAbility, ModelAssignment,
    ModelConfig, Money, SOONEST, Task, TaskId, digest_of,
};
use crate::policy::{episode_estimate, likely_length};
use crate::scaffold::ExternalScaffold;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What a choice goes by.
pub struct AssignmentRules<'a> {
    pub how: ModelAssignment,
    pub models: &'a [ModelConfig],
    pub needs: &'a BTreeSet<ModelAbility>,
    pub seed: u64,
    pub limits: &'a EpisodeLimits,
    pub output_kept: u32,
}

/// A task as far as models are chosen by it.
pub struct TaskProfile<'a> {
    pub id: &'a TaskId,
    pub difficulty: Difficulty,
    pub expected_steps: (u32, u32),
    pub opening: &'a ChatRequest,
    /// By a scaffold of the engine's own, which asks each model in the model's way.
    pub own: bool,
}

impl<'a> AssignmentRules<'a> {
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
    pub fn of(task: &'a Task, opening: &'a ChatRequest, scaffold: &str) -> Self {
        let (id, difficulty, expected_steps) = (&task.id, task.difficulty, task.expected_steps);
        Self { id, difficulty, expected_steps, opening, own: !ExternalScaffold::is(scaffold) }
    }

    /// The request that a model would be asked first.
    pub fn opening_for(&self, model: &ModelConfig) -> Cow<'a, ChatRequest> {
        match self.own && !model.sampling.is_usual() {
            true => Cow::Owned(model.sampling.over(self.opening, 0)),
            false => Cow::Borrowed(self.opening),
        }
    }
}

/// The names of the models for a task that nobody was chosen for yet; `turn` counts such tasks.
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

/// Who has which part of the tasks that are like this one: so many of so many.
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

fn weight(model: &ModelConfig) -> u64 {
    u64::from(model.weight.max(1))
}

/// Those that name the difficulty, else those that name none.
fn tier<'a>(models: &[&'a ModelConfig], difficulty: Difficulty) -> Vec<&'a ModelConfig> {
    let takes = |model: &&&ModelConfig| model.standing.takes(difficulty);
    let fitting: Vec<&ModelConfig> = models.iter().filter(takes).copied().collect();
    let named = |model: &&&ModelConfig| !model.standing.difficulty.is_empty();
    let named: Vec<&ModelConfig> = fitting.iter().filter(named).copied().collect();
    if named.is_empty() { fitting } else { named }
}

impl<'a> AssignmentRules<'a> {
    fn able(&self) -> Vec<&'a ModelConfig> {
        self.models.iter().filter(|model| self.may_have(model)).collect()
    }

    fn may_have(&self, model: &ModelConfig) -> bool {
        !model.standing.reserve && model.standing.has(self.needs)
    }

    /// Drawn by hash of the task: the same on every machine, whatever else is planned.
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

    /// By what an episode likely costs. Where none reads as much as it likely becomes, the one
    /// that reads the most.
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
        models[1].standing.abilities = Some([ModelAbility::Vision, ModelAbility::Tools].into());
        models[2].standing.reserve = true;
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
        models[0].standing.difficulty = vec![Difficulty::Easy];
        models[2].standing.difficulty = vec![Difficulty::Hard];
        let of = |difficulty| chosen(ModelAssignment::Difficulty, &models, &[], difficulty, 10);
        assert_eq!(of(Difficulty::Easy), ["p/cheap"]);
        assert_eq!(of(Difficulty::Medium), ["p/any"]);
        assert_eq!(of(Difficulty::Hard), ["p/strong"]);
    }
}

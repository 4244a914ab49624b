//! The plan of completions: every prompt, by the models that are assigned to it, in all samples.
//!
//! A prompt is known by its digest. So the plan grows when lines are added to the files, and every
//! other completion keeps its id and its place.

use super::CompletionWork;
use crate::model::{
    ChatRequest, EpisodeId, EpisodeRecord, ModelAssignment, PlannedEpisode, Prompt, TaskId,
    USUAL_OUTPUT_TOKENS,
};
use crate::policy::{AssignmentRules, SampleTracker, TaskProfile, assign};
use crate::work::CampaignPlan;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What stands for a scaffold in the plan of a completion: there is none.
const NO_SCAFFOLD: &str = "none";

impl CompletionWork {
    /// The prompts that the campaign asks for now.
    pub fn wanted_prompts(&self) -> impl Iterator<Item = &Arc<Prompt>> {
        self.prompts.up_to(self.config.completions.limit)
    }

    /// Every completion that is not in `known`, numbered behind the known ones. A prompt for which
    /// a model was chosen keeps that model.
    pub(super) fn plan_prompts(
        &self,
        known: &[EpisodeRecord],
        wanted: &dyn Fn() -> bool,
    ) -> CampaignPlan {
        let taken: HashSet<&EpisodeId> = known.iter().map(|record| &record.plan.id).collect();
        let mut chosen: HashMap<&TaskId, &str> =
            known.iter().map(|record| (&record.plan.task, record.plan.model.as_str())).collect();
        // A model that is not configured any more leaves its prompt to be assigned anew.
        chosen.retain(|_, model| self.config.may_answer(model));
        let samples = SampleTracker::of(known);
        let mut turn = chosen.len() as u64;
        let mut plan = CampaignPlan::default();
        for prompt in self.wanted_prompts().take_while(|_| wanted()) {
            let choice = chosen.get(&prompt.id).copied();
            turn += u64::from(choice.is_none());
            let completions = self.completions_of(prompt, choice, turn, &samples);
            plan.episodes.extend(completions.into_iter().filter(|one| !taken.contains(&one.id)));
            plan.tasks.insert(prompt.id.clone());
        }
        let first = known.iter().map(|record| record.plan.ordinal + 1).max().unwrap_or(0);
        for (ordinal, planned) in (first..).zip(&mut plan.episodes) {
            planned.ordinal = ordinal;
        }
        plan
    }

    /// The completions of one prompt: its models × samples. The caller sets their ordinals.
    fn completions_of(
        &self,
        prompt: &Arc<Prompt>,
        chosen: Option<&str>,
        turn: u64,
        samples: &SampleTracker,
    ) -> Vec<PlannedEpisode> {
        let config = &self.config;
        let chosen = chosen.filter(|_| config.assign != ModelAssignment::Cross);
        let models = match chosen {
            Some(model) => vec![model],
            None => self.assigned(prompt, turn.saturating_sub(1)),
        };
        let planned = |model: &str, sample: u32| PlannedEpisode {
            id: EpisodeId::of_completion(&config.name, &prompt.id, model, sample),
            campaign: config.name.clone(),
            ordinal: 0,
            task: prompt.id.clone(),
            template: prompt.source.clone(),
            index: prompt.index,
            category: String::new(),
            difficulty: String::new(),
            model: model.to_owned(),
            scaffold: NO_SCAFFOLD.to_owned(),
            reason: None,
        };
        let of_model = |model: &str| {
            let trial = (prompt.id.clone(), model.to_owned(), NO_SCAFFOLD.to_owned());
            let numbers = samples.wanted(&trial, &config.tasks.samples);
            numbers.map(|sample| planned(model, sample)).collect::<Vec<_>>()
        };
        models.into_iter().flat_map(of_model).collect()
    }

    /// The models for a prompt to which none was assigned yet. `turn` counts the prompts before it.
    fn assigned(&self, prompt: &Prompt, turn: u64) -> Vec<&str> {
        let opening = request(prompt);
        let profile = TaskProfile::of_prompt(&prompt.id, &opening);
        assign(&AssignmentRules::of(&self.config), &profile, turn)
    }
}

/// The request with which a prompt is asked, before the sampling parameters of its model.
pub fn request(prompt: &Prompt) -> ChatRequest {
    ChatRequest {
        messages: prompt.messages.clone(),
        tools: Vec::new(),
        max_output_tokens: USUAL_OUTPUT_TOKENS,
        settings: Default::default(),
    }
}

//! A campaign as the engine runs it: validated, without options that mean "unset".

use super::sandbox::BASE_IMAGE;
use super::{
    AgentProgram, CampaignName, ChatRequest, ModelAbility, ModelPrice, ModelRouting, Money,
    PromptOverrides, SOONEST, SamplingParams, SandboxSpec, SpendingCaps, digest_of,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a campaign wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignConfig {
    pub name: CampaignName,
    pub seed: u64,
    pub tasks: TaskSelection,
    pub models: Vec<ModelConfig>,
    pub assign: ModelAssignment,
    /// What a model must be able to do, to be assigned anything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<ModelAbility>,
    pub scaffolds: Vec<String>,
    /// Programs behind scaffolds named `external/<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, AgentProgram>,
    /// Texts of its own around tasks, by scaffold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prompts: BTreeMap<String, PromptOverrides>,
    /// Name of the sandbox backend.
    pub backend: String,
    /// What tasks whose image is `base` run in.
    pub sandbox: SandboxSpec,
    /// What the other images that templates name stand for here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// What those images stood for when the campaign began, by their own names. Found out
    /// anew by every process.
    #[serde(skip)]
    pub digests: BTreeMap<String, String>,
    /// The digest of the table of prices it was read with.
    pub price_table: Option<String>,
    /// When images are brought from their registries; it says nothing of what they are.
    #[serde(default, skip_serializing_if = "ImagePullPolicy::is_never")]
    pub pull: ImagePullPolicy,
    pub episode: EpisodeLimits,
    /// Episodes at once.
    pub concurrency: usize,
    /// No cap where absent; unpriced models are free then and refused otherwise.
    pub budget: Option<Money>,
    /// A day's, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_budget: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode_budget: Option<Money>,
    pub quality: QualityPolicy,
    pub dataset: DatasetConfig,
}

/// When an image is brought from its registry, before a campaign begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePullPolicy {
    /// What is not on the engine stops the campaign. A name that somebody else owns in a
    /// registry is never fetched by mistake.
    #[default]
    Never,
    Missing,
    Always,
}

impl ImagePullPolicy {
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// Which templates, and how many tasks of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSelection {
    /// Globs over template ids.
    pub templates: Vec<String>,
    pub exclude: Vec<String>,
    /// Directories with templates of its own. Where they are says nothing of what is in them.
    #[serde(skip)]
    pub template_dirs: Vec<PathBuf>,
    pub per_template: u32,
    #[serde(default, skip_serializing_if = "SamplePolicy::is_one")]
    pub samples: SamplePolicy,
}

/// How often each task is tried by each model and scaffold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplePolicy {
    pub most: u32,
    /// No further one once so many have solved the task.
    pub stop_after_solved: Option<u32>,
    /// No further one once the interval of the pass rate is as narrow, in thousandths.
    pub pass_rate_width: Option<u32>,
}

impl Default for SamplePolicy {
    fn default() -> Self {
        Self { most: 1, stop_after_solved: None, pass_rate_width: None }
    }
}

impl SamplePolicy {
    fn is_one(&self) -> bool {
        *self == Self::default()
    }

    /// Whether fewer than the most may do.
    pub fn may_end_early(&self) -> bool {
        self.stop_after_solved.is_some() || self.pass_rate_width.is_some()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `<provider>/<model>`, for example `scripted/oracle`.
    pub name: String,
    pub price: ModelPrice,
    pub weight: u32,
    /// Calls at once.
    pub concurrency: usize,
    pub requests_per_minute: Option<u32>,
    /// Tokens that it reads and writes together at most, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Whose recorded calls answer for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<ReplaySource>,
    /// Where it is asked; none for models of the engine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ProviderEndpoint>,
    /// What it is asked for, how often, and who is asked instead.
    #[serde(default, skip_serializing_if = "ModelRouting::is_usual")]
    pub standing: ModelRouting,
    /// How scaffolds of the engine's own ask it.
    #[serde(default, skip_serializing_if = "SamplingParams::is_usual")]
    pub sampling: SamplingParams,
    /// The seed of sample 0 where tasks are tried several times and nothing is said of a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_seed: Option<u64>,
}

/// A campaign whose calls are answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySource {
    pub data_dir: String,
    pub campaign: CampaignName,
}

/// A provider as one campaign reaches it. The key itself is never part of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderEndpoint {
    /// What it speaks, by name.
    pub dialect: String,
    pub base_url: String,
    /// The environment variable that holds the key, where one is needed.
    pub key_env: Option<String>,
    /// Those of further keys, each with limits of its own at the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_keys: Vec<String>,
    /// Calls at once with each key, whatever the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// The proxy that requests go through; the environment's is never used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

impl ProviderEndpoint {
    pub fn new(dialect: &str, base_url: impl Into<String>, key_env: Option<String>) -> Self {
        let (dialect, base_url) = (dialect.to_owned(), base_url.into());
        let more_keys = Vec::new();
        Self { dialect, base_url, key_env, more_keys, concurrency: None, proxy: None }
    }

    /// The same with each of its keys alone.
    fn with_each_key(&self) -> Vec<Self> {
        let keys = self.key_env.iter().chain(&self.more_keys);
        let alone = |key: Option<&String>| Self {
            key_env: key.cloned(),
            more_keys: Vec::new(),
            ..self.clone()
        };
        let all: Vec<Self> = keys.map(|key| alone(Some(key))).collect();
        if all.is_empty() { vec![alone(None)] } else { all }
    }
}

impl ModelConfig {
    /// The same with each of its keys alone.
    pub fn with_each_key(&self) -> Vec<Self> {
        let endpoints = match &self.endpoint {
            Some(endpoint) => endpoint.with_each_key().into_iter().map(Some).collect(),
            None => vec![None],
        };
        endpoints.into_iter().map(|endpoint| Self { endpoint, ..self.clone() }).collect()
    }

    /// A scaffold's request as this model is asked it for a sample.
    pub fn asked(&self, request: &Arc<ChatRequest>, sample: u32) -> Arc<ChatRequest> {
        match (self.sampling.seed, self.sample_seed) {
            (None, seed @ Some(_)) => {
                SamplingParams { seed, ..self.sampling.clone() }.asked(request, sample)
            }
            _ => self.sampling.asked(request, sample),
        }
    }

    pub fn provider(&self) -> &str {
        self.name.split_once('/').map_or("", |(provider, _)| provider)
    }
}

/// Which models try a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelAssignment {
    /// Every model tries every task.
    #[default]
    Cross,
    /// Models take turns over the tasks.
    RoundRobin,
    /// Models are drawn by weight, from the campaign's seed.
    Weighted,
    /// The cheapest of those that can do the task.
    CheapestCapable,
    /// One of those that take tasks as difficult.
    Difficulty,
    /// Whichever answers soonest when the episode begins.
    LeastLatency,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeLimits {
    pub max_turns: u32,
    /// Wall time of the agent's turns, model calls included.
    pub timeout: Duration,
    /// Unreadable replies in a row that end an episode.
    pub malformed_in_a_row: u32,
    /// Attempts in all; only infrastructure faults lead to another.
    pub attempts: u32,
}

impl Default for EpisodeLimits {
    fn default() -> Self {
        Self {
            max_turns: 40,
            timeout: Duration::from_secs(1_800),
            malformed_in_a_row: 3,
            attempts: 3,
        }
    }
}

/// What a quality stage does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageAction {
    Reject,
    Label,
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityPolicy {
    /// Steps or arguments that break the row's own rules.
    pub format: StageAction,
    /// A sealed canary or sealed content in what the agent saw or wrote.
    pub leak: StageAction,
    /// Commands that reach for the sealed files.
    pub tampering: StageAction,
    /// The same action three times in a row or more.
    pub loops: StageAction,
    /// Episodes cut by a limit.
    pub truncation: StageAction,
    /// Rows equal to an earlier one.
    pub duplicates: StageAction,
    /// Episodes that did not solve their task.
    pub unresolved: StageAction,
    /// Repeats of one action that make a loop.
    pub loop_length: u32,
}

impl Default for QualityPolicy {
    fn default() -> Self {
        Self {
            format: StageAction::Reject,
            leak: StageAction::Reject,
            tampering: StageAction::Reject,
            loops: StageAction::Label,
            truncation: StageAction::Label,
            duplicates: StageAction::Reject,
            unresolved: StageAction::Label,
            loop_length: 3,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetConfig {
    /// Shares of train, validation and test in percent.
    pub splits: [u32; 3],
    pub licence: String,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self { splits: [80, 10, 10], licence: "other".to_owned() }
    }
}

impl CampaignConfig {
    /// What must not change under a campaign's name, because rows made before and after
    /// would not be comparable. The plan may grow and the budget, concurrency, prices and
    /// model list may change.
    pub fn identity(&self) -> String {
        digest_of(&["campaign-identity", &self.fixed().to_string()])
    }

    /// The settings that the identity is made of.
    pub fn fixed(&self) -> serde_json::Value {
        let mut fixed = serde_json::json!({
            "seed": self.seed,
            "backend": self.backend,
            "sandbox": self.sandbox,
            "episode": self.episode,
            "quality": self.quality,
            "splits": self.dataset.splits,
        });
        if !self.agents.is_empty() {
            fixed["agents"] = serde_json::json!(self.agents);
        }
        if !self.images.is_empty() {
            fixed["images"] = serde_json::json!(self.images);
        }
        if !self.prompts.is_empty() {
            fixed["prompts"] = serde_json::json!(self.prompts);
        }
        let said = |model: &&ModelConfig| !model.sampling.is_usual();
        let sampling: BTreeMap<&str, &SamplingParams> =
            self.models.iter().filter(said).map(|m| (m.name.as_str(), &m.sampling)).collect();
        if !sampling.is_empty() {
            fixed["sampling"] = serde_json::json!(sampling);
        }
        fixed
    }

    /// What may be spent.
    pub fn caps(&self) -> SpendingCaps {
        let (campaign, day, episode) = (self.budget, self.day_budget, self.episode_budget);
        SpendingCaps { campaign, day, episode, models: BTreeMap::new() }.with(&self.models)
    }

    pub fn model(&self, name: &str) -> Option<&ModelConfig> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Whether an episode planned for this model can be run as things are configured now.
    pub fn may_answer(&self, planned: &str) -> bool {
        planned == SOONEST && self.assign == ModelAssignment::LeastLatency
            || self.model(planned).is_some()
    }

    /// The sandbox for tasks with that image; none where it stands for nothing here.
    pub fn sandbox_for(&self, image: &str) -> Option<SandboxSpec> {
        let own = self.sandbox.image.clone();
        let image = if image == BASE_IMAGE { own } else { self.images.get(image)?.clone() };
        let digest = self.digests.get(&image).cloned();
        Some(SandboxSpec { image, digest, ..self.sandbox.clone() })
    }
}

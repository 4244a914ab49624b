//! The configuration of a campaign as the engine runs it. `src/config/` reads and validates the
//! campaign file and builds a [`CampaignConfig`]; defaults are filled in already. The planner, the
//! router, the sandbox pool and quality read it.
//!
//! Some settings must not change while rows are collected under one name. They form the identity of
//! the campaign ([`CampaignConfig::identity`]). These types are serialized into the identity, so a
//! new field is left out while it has its default.

use super::sandbox::BASE_IMAGE;
use super::{
    AgentProgram, CampaignName, ChatRequest, CompletionSettings, DiversityFloor, ModelAbility,
    ModelPrice, ModelRouting, Money, PromptOverrides, RetentionRules, SOONEST, SamplingParams,
    SandboxSpec, SpendingCaps, Task, TaskDraw, WorkName, digest_of,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A whole campaign: what is tried, by which models, in which sandboxes, within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignConfig {
    pub name: CampaignName,
    /// What kind of work it is.
    #[serde(default, skip_serializing_if = "WorkName::is_usual")]
    pub kind: WorkName,
    /// The prompts, for completions. Unused by other kinds.
    #[serde(default)]
    pub completions: CompletionSettings,
    /// The seed from which all tasks and random choices are derived.
    pub seed: u64,
    /// Which templates are used, and how many tasks of each.
    pub tasks: TaskSelection,
    pub models: Vec<ModelConfig>,
    /// The rule that says which models try a task.
    pub assign: ModelAssignment,
    /// The abilities that a model must have. A model that lacks one gets no task.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<ModelAbility>,
    /// Names of scaffolds. Every task is tried with each of them.
    pub scaffolds: Vec<String>,
    /// The agent programs for scaffolds named `external/NAME`, by `NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, AgentProgram>,
    /// Prompt texts that replace those of a scaffold, by the scaffold's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prompts: BTreeMap<String, PromptOverrides>,
    /// The name of the sandbox backend: `namespace` or `docker`.
    pub backend: String,
    /// The specification of sandboxes. Its image is for tasks whose image is `base`.
    pub sandbox: SandboxSpec,
    /// The images for tasks of templates that name another image than `base`: from the template's
    /// name to the real image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// The digests of these images when the campaign began, by the real image's name. Every process
    /// finds them out again, so they are not serialized.
    #[serde(skip)]
    pub digests: BTreeMap<String, String>,
    /// The digest of the price table that gave the models' prices.
    pub price_table: Option<String>,
    /// When images are pulled from their registries. It is not part of the identity.
    #[serde(default, skip_serializing_if = "ImagePullPolicy::is_never")]
    pub pull: ImagePullPolicy,
    /// The limits of each episode.
    pub episode: EpisodeLimits,
    /// The most episodes that run at the same time.
    pub concurrency: usize,
    /// The most that the campaign may spend; none means no cap. With a budget, a model without a
    /// price is refused; without a budget, such a model counts as free.
    pub budget: Option<Money>,
    /// The most that may be spent on one UTC day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_budget: Option<Money>,
    /// The most that one episode may spend over all its attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode_budget: Option<Money>,
    pub quality: QualityPolicy,
    pub dataset: DatasetConfig,
    /// The floor of the newest episodes' diversity. It changes no row, so it is not part of the identity.
    #[serde(skip)]
    pub diversity: Option<DiversityFloor>,
    /// How long the record is kept. It changes no row, so it is not part of the identity.
    #[serde(skip)]
    pub retention: RetentionRules,
}

/// When a container image is pulled from its registry, before a campaign begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePullPolicy {
    /// Images are never pulled, and a missing image stops the campaign. So an image whose name
    /// belongs to someone else in a registry is never fetched by mistake.
    #[default]
    Never,
    /// Images that the container engine does not have are pulled.
    Missing,
    /// Every image is pulled, in case the registry has a newer one.
    Always,
}

impl ImagePullPolicy {
    /// Whether it is the default, which is left out of the serialized campaign.
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// Which templates are used, and how many tasks of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSelection {
    /// Globs over template ids, such as `debugging/*`.
    pub templates: Vec<String>,
    /// Globs over template ids. A template that matches one is left out.
    pub exclude: Vec<String>,
    /// Directories with the user's own templates. Paths say nothing about contents, so they are not
    /// serialized and are not part of the identity.
    #[serde(skip)]
    pub template_dirs: Vec<PathBuf>,
    /// The number of tasks of each template. It has no meaning for a draw.
    pub per_template: u32,
    /// How tasks are chosen.
    #[serde(default, skip_serializing_if = "TaskDraw::is_each")]
    pub draw: TaskDraw,
    /// How often each task is tried.
    #[serde(default, skip_serializing_if = "SamplePolicy::is_one")]
    pub samples: SamplePolicy,
}

impl TaskSelection {
    /// How many tasks one template may have at most.
    pub fn most_of_template(&self) -> u32 {
        if self.draw.is_each() { self.per_template } else { self.draw.count }
    }

    /// How many tasks there are with so many templates.
    pub fn tasks_of(&self, templates: u64) -> u64 {
        match self.draw.is_each() {
            true => templates.saturating_mul(u64::from(self.per_template)),
            false => u64::from(self.draw.count),
        }
    }
}

/// How many samples of a task each pair of model and scaffold makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplePolicy {
    /// The most samples.
    pub most: u32,
    /// No further sample is started when this many samples have solved the task.
    pub stop_after_solved: Option<u32>,
    /// No further sample is started when the confidence interval of the pass rate is at most this
    /// wide, in thousandths.
    pub pass_rate_width: Option<u32>,
}

impl Default for SamplePolicy {
    fn default() -> Self {
        Self { most: 1, stop_after_solved: None, pass_rate_width: None }
    }
}

impl SamplePolicy {
    /// Whether each task is tried once, which is the default.
    fn is_one(&self) -> bool {
        *self == Self::default()
    }

    /// Whether fewer samples than `most` may be enough.
    pub fn may_end_early(&self) -> bool {
        self.stop_after_solved.is_some() || self.pass_rate_width.is_some()
    }
}

/// One model of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `PROVIDER/MODEL`, for example `scripted/oracle`.
    pub name: String,
    /// What the model costs; all rates are zero for a free model.
    pub price: ModelPrice,
    /// The share of tasks that the model gets under weighted assignment, relative to the other
    /// models. Zero counts as one.
    pub weight: u32,
    /// The most calls at the same time with each key.
    pub concurrency: usize,
    /// The most requests a minute with each key.
    pub requests_per_minute: Option<u32>,
    /// The most tokens that input and output may have together, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// The recorded campaign whose calls answer instead of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<ReplaySource>,
    /// Where the model is reached; none for the engine's own models, such as scripted ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ProviderEndpoint>,
    /// Abilities, limits, budget and fallbacks of the model.
    /// Stored campaigns, and their identities, have it under its older name.
    #[serde(rename = "standing", default, skip_serializing_if = "ModelRouting::is_usual")]
    pub routing: ModelRouting,
    /// The sampling parameters for the engine's own scaffolds.
    #[serde(default, skip_serializing_if = "SamplingParams::is_usual")]
    pub sampling: SamplingParams,
    /// The seed of sample 0 if tasks are tried several times and the campaign names no seed for the
    /// model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_seed: Option<u64>,
}

/// A recorded campaign whose calls answer again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySource {
    /// The data directory with its store.
    pub data_dir: String,
    pub campaign: CampaignName,
}

/// How a campaign reaches a provider. API keys are never part of a campaign; it only names the
/// environment variables that hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderEndpoint {
    /// The name of the wire format or dialect, such as `openai` or `anthropic`.
    pub dialect: String,
    /// The address of the API, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The environment variable with the API key; none if the provider needs no key.
    pub key_env: Option<String>,
    /// The environment variables of further keys. Each key has its own limits at the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_keys: Vec<String>,
    /// The most calls at the same time with each key, over all models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// The HTTP proxy for requests to this provider. Proxy settings in the environment are never
    /// used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

impl ProviderEndpoint {
    /// An endpoint with at most one key, without a proxy or a limit of calls.
    pub fn new(dialect: &str, base_url: impl Into<String>, key_env: Option<String>) -> Self {
        let (dialect, base_url) = (dialect.to_owned(), base_url.into());
        let more_keys = Vec::new();
        Self { dialect, base_url, key_env, more_keys, concurrency: None, proxy: None }
    }

    /// One endpoint for each key. An endpoint without keys gives one endpoint.
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
    /// One copy of the model for each key of its endpoint. Each copy has one key, or none.
    pub fn with_each_key(&self) -> Vec<Self> {
        let endpoints = match &self.endpoint {
            Some(endpoint) => endpoint.with_each_key().into_iter().map(Some).collect(),
            None => vec![None],
        };
        endpoints.into_iter().map(|endpoint| Self { endpoint, ..self.clone() }).collect()
    }

    /// The request that this model is sent for a scaffold's `request` and a sample number: the
    /// request with the sampling parameters of the model. `sample_seed` is used only if the
    /// parameters have no seed.
    pub fn asked(&self, request: &Arc<ChatRequest>, sample: u32) -> Arc<ChatRequest> {
        match (self.sampling.seed, self.sample_seed) {
            (None, seed @ Some(_)) => {
                SamplingParams { seed, ..self.sampling.clone() }.asked(request, sample)
            }
            _ => self.sampling.asked(request, sample),
        }
    }

    /// The part of the name before the slash; empty if there is no slash.
    pub fn provider(&self) -> &str {
        self.name.split_once('/').map_or("", |(provider, _)| provider)
    }
}

/// The rule that says which models try a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelAssignment {
    /// Every model tries every task.
    #[default]
    Cross,
    /// The models take the tasks in turn.
    RoundRobin,
    /// The model is drawn by weight, deterministically from the campaign's seed.
    Weighted,
    /// The cheapest model that can do the task.
    CheapestCapable,
    /// One of the models that take tasks of this difficulty.
    Difficulty,
    /// The model that answers fastest when the episode begins.
    LeastLatency,
}

/// Limits of one episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeLimits {
    /// The most turns of an agent.
    pub max_turns: u32,
    /// The time of an agent: its model calls and its commands. Waiting for money, limits, sandboxes
    /// or the store does not count.
    pub timeout: Duration,
    /// The episode ends after this many unreadable replies in a row.
    pub malformed_in_a_row: u32,
    /// The most attempts that count. Only faults lead to another attempt, and
    /// `FaultPolicy::costs_attempt` says which of them count.
    pub attempts: u32,
    /// Whose final workspaces are kept. It changes no row, so it is not part of the identity.
    #[serde(skip)]
    pub keep_workspaces: WorkspaceKeeping,
}

/// Which final workspaces are kept, so that they can be judged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkspaceKeeping {
    /// Those of all episodes with a verdict.
    All,
    /// Those of solved episodes.
    #[default]
    Solved,
    /// None.
    Nothing,
}

impl WorkspaceKeeping {
    /// Whether a workspace is kept. `solved` is the verdict on it.
    pub fn keeps(self, solved: bool) -> bool {
        match self {
            Self::All => true,
            Self::Solved => solved,
            Self::Nothing => false,
        }
    }
}

impl Default for EpisodeLimits {
    fn default() -> Self {
        Self {
            max_turns: 40,
            timeout: Duration::from_secs(1_800),
            malformed_in_a_row: 3,
            attempts: 3,
            keep_workspaces: WorkspaceKeeping::default(),
        }
    }
}

/// What happens to a row in which a quality stage finds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageAction {
    /// The row is not in the dataset.
    Reject,
    /// The row is in the dataset, with a label.
    Label,
    /// The finding is ignored.
    Off,
}

/// What each quality stage does with its findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityPolicy {
    /// Steps or arguments that break the rules of the row format.
    pub format: StageAction,
    /// A sealed canary or sealed content in what the agent saw or wrote.
    pub leak: StageAction,
    /// Commands that try to reach the sealed files.
    pub tampering: StageAction,
    /// The same action `loop_length` times in a row or more.
    pub loops: StageAction,
    /// Episodes that a limit ended.
    pub truncation: StageAction,
    /// Rows that are equal to an earlier row.
    pub duplicates: StageAction,
    /// Episodes that did not solve their task.
    pub unresolved: StageAction,
    /// Answers in which the model declined. Only completions have this stage.
    #[serde(default = "label", skip_serializing_if = "is_label")]
    pub refusal: StageAction,
    /// How many equal actions in a row are a loop.
    pub loop_length: u32,
}

/// The default of a stage that labels.
fn label() -> StageAction {
    StageAction::Label
}

/// For serde: a stage that old campaigns do not have is left out while it has its default.
fn is_label(action: &StageAction) -> bool {
    *action == StageAction::Label
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
            refusal: StageAction::Label,
            loop_length: 3,
        }
    }
}

/// Settings of the published dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetConfig {
    /// The shares of train, validation and test, in percent. They add up to 100.
    pub splits: [u32; 3],
    /// The licence in the dataset's metadata and card.
    pub licence: String,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self { splits: [80, 10, 10], licence: "other".to_owned() }
    }
}

impl CampaignConfig {
    /// The digest of what must not change under the name of a campaign: rows made before and after
    /// such a change would not be comparable. The plan may grow, and the budget, the concurrency,
    /// the prices and the list of models may change. The sampling parameters of a model must not
    /// change either, see [`super::CampaignRecord::has_settings_of`].
    pub fn identity(&self) -> String {
        self.digest_with(|_| false)
    }

    /// The digest of the identity's settings and of the sampling parameters of all models. Dataset
    /// versions carry it, and older versions of synthd stored it as the identity.
    pub fn settings_digest(&self) -> String {
        self.digest_with(|_| true)
    }

    /// The digest of the identity's settings and of the sampling parameters of the models for which
    /// `counts` is true. Models without sampling parameters are left out.
    pub(super) fn digest_with(&self, counts: impl Fn(&ModelConfig) -> bool) -> String {
        let mut fixed = self.fixed();
        let said = |model: &&ModelConfig| !model.sampling.is_usual() && counts(model);
        let sampling: BTreeMap<&str, &SamplingParams> =
            self.models.iter().filter(said).map(|m| (m.name.as_str(), &m.sampling)).collect();
        if !sampling.is_empty() {
            fixed["sampling"] = serde_json::json!(sampling);
        }
        digest_of(&["campaign-identity", &fixed.to_string()])
    }

    /// The sampling parameters of each model as JSON text, such as `{"temperature":0.5}`, by the
    /// model's name. It is text, so that a stored number compares as it was written.
    pub fn sampling(&self) -> BTreeMap<String, String> {
        let text = |model: &ModelConfig| serde_json::json!(model.sampling).to_string();
        self.models.iter().map(|model| (model.name.clone(), text(model))).collect()
    }

    /// The settings from which the identity is made, as JSON. Optional settings are left out if
    /// they are not used, so that old campaigns keep their identity.
    pub fn fixed(&self) -> serde_json::Value {
        let mut fixed = match self.kind {
            WorkName::Trajectories => serde_json::json!({
                "seed": self.seed,
                "backend": self.backend,
                "sandbox": self.sandbox,
                "episode": self.episode,
                "quality": self.quality,
                "splits": self.dataset.splits,
            }),
            // Completions have no sandbox, and the time of a call changes no row.
            WorkName::Completions => serde_json::json!({
                "kind": self.kind,
                "seed": self.seed,
                "completions": self.completions,
                "quality": self.quality,
                "splits": self.dataset.splits,
            }),
        };
        if !self.agents.is_empty() {
            fixed["agents"] = serde_json::json!(self.agents);
        }
        if !self.images.is_empty() {
            fixed["images"] = serde_json::json!(self.images);
        }
        if !self.prompts.is_empty() {
            fixed["prompts"] = serde_json::json!(self.prompts);
        }
        fixed
    }

    /// The caps of the ledger: those of the campaign and those of its models.
    pub fn caps(&self) -> SpendingCaps {
        let (campaign, day, episode) = (self.budget, self.day_budget, self.episode_budget);
        SpendingCaps { campaign, day, episode, models: BTreeMap::new() }.with(&self.models)
    }

    /// The model with this name; none if the campaign does not have it.
    pub fn model(&self, name: &str) -> Option<&ModelConfig> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Whether an episode that was planned for this model can run with the present configuration.
    /// The model may have been removed from the campaign since the episode was planned.
    pub fn may_answer(&self, planned: &str) -> bool {
        planned == SOONEST && self.assign == ModelAssignment::LeastLatency
            || self.model(planned).is_some()
    }

    /// The specification of the sandbox for tasks with this image. None if the campaign does not
    /// say what the image is.
    pub fn sandbox_for(&self, image: &str) -> Option<SandboxSpec> {
        let own = self.sandbox.image.clone();
        let image = if image == BASE_IMAGE { own } else { self.images.get(image)?.clone() };
        let digest = self.digests.get(&image).cloned();
        Some(SandboxSpec { image, digest, ..self.sandbox.clone() })
    }

    /// The specification of the sandbox for a task. A task of a container brings its image; for others,
    /// see [`Self::sandbox_for`].
    pub fn sandbox_of(&self, task: &Task) -> Option<SandboxSpec> {
        match &task.container {
            Some(container) => Some(container.sandbox(&self.sandbox)),
            None => self.sandbox_for(&task.image),
        }
    }
}

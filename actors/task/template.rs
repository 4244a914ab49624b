//! The format of templates: the types mirror the YAML exactly. `template_rules.rs` checks the rules that
//! types cannot express. The texts in a template are not rendered here; `task_builder.rs` renders them
//! for each task.
//!
//! The doc comments of the types that derive `JsonSchema` are the descriptions in the schema that
//! `synthd template schema` prints. So they are part of the output.

use super::case_task::CaseTaskBuilder;
use super::container_task::ContainerTask;
use super::draw;
use super::pack_names;
use super::pack_spec::PackSpec;
use super::pack_task::PackTaskBuilder;
use super::params::OrderedParams;
use super::resource_spec::ResourceSpec;
use super::service_spec::ServiceSpec;
use super::skills;
use super::task_builder::TaskBuilder;
use super::template_error::{TemplateError, TemplateProblem};
use super::template_folder::TemplateFolder;
use super::template_rules;
use super::yaml;
use crate::model::{
    BASE_IMAGE, Difficulty, FinalNewline, JudgePlace, Task, TaskKind, TaskResources, digest_of,
};
use crate::pack::{EmptyShelf, PackHandle, PackRunner, PackShelf};
use crate::supervisor::assert_may_block;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The `schema` of templates in one file.
pub const TEMPLATE_SCHEMA: &str = "synthd/template@1";
/// The `schema` of templates in a folder, which have more keys.
pub const FOLDER_SCHEMA: &str = "synthd/template@2";
/// The wording of the instruction that says everything. Each template with wordings has it.
pub(super) const COMPLETE: &str = "complete";
/// The most mistakes of one template that are listed.
const MAX_MISTAKES: usize = 50;

/// A template as written.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `synthd/template@1`, or `synthd/template@2` for a template with a folder.
    pub schema: String,
    /// The path under the templates directory, without `.yaml` or `/template.yaml`.
    pub id: String,
    pub title: String,
    pub category: String,
    /// What the tasks ask for. Campaigns draw by it.
    pub kind: Option<TaskKind>,
    /// Two to four skills that the tasks need, such as `sql.ddl`. docs/skills.md lists them.
    #[serde(default)]
    pub skills: Vec<String>,
    pub difficulty: Difficulty,
    pub expected_steps: StepRange,
    /// Programs that must be on PATH inside the sandbox.
    #[serde(default)]
    pub requires: Vec<String>,
    #[serde(default)]
    pub parameters: OrderedParams,
    /// Places with a right and several wrong texts (@2).
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    pub environment: EnvironmentSpec,
    /// Processes that run beside the agent, in the order of their start (@2).
    #[serde(default)]
    pub services: Vec<ServiceSpec>,
    pub resources: Option<ResourceSpec>,
    /// A pack that gives the tasks, instead of everything else that says what a task has (@2).
    pub from_pack: Option<PackSpec>,
    /// Required, unless there are `stages` or `from_pack`.
    pub instruction: Option<InstructionSpec>,
    /// The oracle: one entry is one turn. Required, unless there are `stages`.
    pub solution: Option<Vec<MoveSpec>>,
    /// Other honest solutions, which must pass as well (@2).
    #[serde(default)]
    pub alternatives: Vec<SolutionSpec>,
    /// Required, unless there are `stages`.
    pub verification: Option<VerificationSpec>,
    /// Two to eight instructions, one after the other in one workspace, instead of `instruction`,
    /// `solution`, `alternatives` and `verification` (@2).
    #[serde(default)]
    pub stages: Vec<StageSpec>,
    /// What a calibration has found out. None until somebody has calibrated this edition of it.
    #[serde(skip)]
    #[schemars(skip)]
    pub measured: Option<MeasuredDifficulty>,
    /// What it was read from, for its files and for the places of errors.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) folder: Arc<TemplateFolder>,
    /// The pack of `from_pack`.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) pack: Option<PackHandle>,
    /// The only task, if it is one of a container. No file has such a template.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) fixed: Option<ContainerTask>,
}

/// What the agent is told: one text, or a map of wordings, one of which is drawn (@2).
#[derive(Clone, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(untagged, rename = "Instruction")]
pub enum InstructionSpec {
    Text(String),
    /// `complete` and at least one other wording, by their names.
    Wordings(BTreeMap<String, String>),
}

/// One of several instructions of a template, with its own solution and verification (@2).
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct StageSpec {
    /// Unique in the template. It stands before the names of the stage's checks.
    pub name: String,
    #[schemars(with = "InstructionSpec")]
    pub instruction: Option<InstructionSpec>,
    /// The oracle's moves of this stage. It submits after them.
    #[schemars(with = "Vec<MoveSpec>")]
    pub solution: Option<Vec<MoveSpec>>,
    /// Other honest solutions of this stage. The oracle plays the other stages.
    #[serde(default)]
    pub alternatives: Vec<SolutionSpec>,
    #[schemars(with = "VerificationSpec")]
    pub verification: Option<VerificationSpec>,
    /// The share in the score, relative to the other stages.
    #[serde(default = "one")]
    pub weight: f64,
    /// The stage is given up after so many turns of the agent.
    pub turns: Option<u32>,
}

/// A named place in a file of the workspace with a right and several wrong texts (@2).
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fault")]
pub struct FaultSpec {
    /// `{{ fault.NAME }}` in a file of the environment is the wrong text that was drawn.
    pub name: String,
    /// The file with the fault, relative to the workspace.
    pub file: String,
    /// The text directly before the place, if the wrong or the right text alone is not unique.
    #[serde(default)]
    pub at: String,
    pub right: String,
    /// The wrong texts by the names of their variants.
    pub wrong: BTreeMap<String, String>,
}

/// What a calibration has found out of a template. It stands in place of what the template declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredDifficulty {
    /// The day, such as `2026-11-30`.
    pub date: String,
    pub difficulty: Difficulty,
    /// The turns of those who solve it. None if nobody did.
    pub expected_steps: Option<StepRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Range")]
pub struct StepRange {
    pub min: u32,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Logical image name; each backend maps it.
    #[serde(default = "base_image")]
    pub image: String,
    /// Laid into the workspace before the first turn.
    #[serde(default)]
    pub files: Vec<FileTemplate>,
    /// Commands run in the workspace after the files are laid.
    #[serde(default)]
    pub setup: Vec<String>,
}

/// A file: `path` with `content` or `from`. Or all files of a directory (@2): `tree`.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTemplate {
    pub path: Option<String>,
    pub content: Option<String>,
    /// A file of the template's folder, instead of `content` (@2).
    pub from: Option<String>,
    /// Whether the file `from` is laid as it is, without rendering (@2).
    #[serde(default)]
    pub raw: bool,
    /// A directory of the template's folder. Every file below it is laid; a name that ends in `.j2`
    /// is rendered and loses the ending (@2).
    pub tree: Option<String>,
    /// The directory below which `tree` is laid (@2).
    pub to: Option<String>,
    /// Octal permissions; the default is 0644. The files of a `tree` have their own.
    pub mode: Option<String>,
}

/// One move: at most a thought, and exactly one of `run`, `edit` and `write`.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveSpec {
    #[serde(default)]
    pub think: String,
    pub run: Option<String>,
    pub edit: Option<EditSpec>,
    pub write: Option<WriteSpec>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditSpec {
    pub path: Option<String>,
    pub search: Option<String>,
    pub replace: Option<String>,
    /// The name of a fault that the edit repairs, instead of the other keys (@2).
    pub fault: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteSpec {
    pub path: String,
    pub content: Option<String>,
    /// A file of the template's folder, instead of `content` (@2).
    pub from: Option<String>,
    /// Whether the file `from` is written as it is, without rendering (@2).
    #[serde(default)]
    pub raw: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationSpec {
    /// `apart`: checks run in a sandbox of their own and reach the workspace's programs only through
    /// `/sealed/lib/judged`. `shared`, the default of @1: checks and workspace share one sandbox. The
    /// judge of @2 is always apart.
    pub judge: Option<JudgePlace>,
    /// Seconds each check may take.
    #[serde(default = "check_timeout")]
    pub timeout_seconds: u32,
    /// Sealed: exist only in the verifying sandbox, under `/sealed`.
    #[serde(default)]
    pub files: Vec<FileTemplate>,
    /// Short for one check named `verified`.
    pub run: Option<String>,
    #[serde(default)]
    pub checks: Vec<CheckSpec>,
    #[serde(default)]
    pub milestones: Vec<CheckSpec>,
    #[serde(default)]
    pub cheats: Vec<SolutionSpec>,
}

/// A check or a milestone: `run`, or exactly one of the comparisons that the engine makes (@2).
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    pub name: String,
    #[serde(default = "one")]
    pub weight: f64,
    /// A command that must exit with 0.
    pub run: Option<String>,
    /// The line of the command's output that decides, `ok PART` or `not ok PART: why`. Checks with the
    /// same command share one run of it (@2).
    pub part: Option<String>,
    /// A file of the agent's equals a sealed file (@2).
    pub same: Option<SameSpec>,
    /// Globs: the files of the environment that match are as they were, and no others match (@2).
    pub unchanged: Option<Vec<String>>,
    /// Globs that must match nothing (@2).
    pub absent: Option<Vec<String>>,
    /// Globs each of which must match a file (@2).
    pub present: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Same")]
pub struct SameSpec {
    /// The file of the agent's, relative to the workspace.
    pub path: String,
    /// The sealed file, relative to `/sealed`.
    #[serde(rename = "as")]
    pub sealed: String,
    /// `any`: a newline at the end may be there or not.
    #[serde(default)]
    pub trailing_newline: FinalNewline,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionSpec {
    pub name: String,
    pub steps: Vec<MoveSpec>,
}

fn base_image() -> String {
    BASE_IMAGE.to_owned()
}

/// The default of `verification.timeout_seconds`.
fn check_timeout() -> u32 {
    60
}

/// The default of the `weight` of a check and of a stage.
fn one() -> f64 {
    1.0
}

impl<'de> Deserialize<'de> for InstructionSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An untagged enum would lose the place of an error.
        struct TextOrWordings;
        impl<'de> Visitor<'de> for TextOrWordings {
            type Value = InstructionSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a map of wordings")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(InstructionSpec::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map))
                    .map(InstructionSpec::Wordings)
            }
        }
        deserializer.deserialize_any(TextOrWordings)
    }
}

impl StageSpec {
    /// The stage as a part of its template.
    fn part(&self, at: usize) -> TemplatePart<'_> {
        TemplatePart {
            stage: Some((at, self)),
            instruction: self.instruction.as_ref(),
            solution: self.solution.as_deref(),
            alternatives: &self.alternatives,
            verification: self.verification.as_ref(),
        }
    }
}

impl InstructionSpec {
    /// The texts with their fields and their names; a single text has no name. The complete wording
    /// comes first.
    pub(super) fn texts(&self) -> Vec<(String, Option<&str>, &str)> {
        let wordings = match self {
            Self::Text(text) => return vec![("instruction".to_owned(), None, text.as_str())],
            Self::Wordings(wordings) => wordings,
        };
        let mut texts: Vec<_> = wordings
            .iter()
            .map(|(name, text)| (format!("instruction.{name}"), Some(name.as_str()), text.as_str()))
            .collect();
        texts.sort_by_key(|(_, name, _)| *name != Some(COMPLETE));
        texts
    }
}

/// A part of a template that has an instruction: one of its stages, or all of a template without
/// stages. A key is none if it is missing.
#[derive(Clone, Debug)]
pub struct TemplatePart<'a> {
    /// The stage with its number; none for all of a template.
    pub stage: Option<(usize, &'a StageSpec)>,
    pub instruction: Option<&'a InstructionSpec>,
    pub solution: Option<&'a [MoveSpec]>,
    pub alternatives: &'a [SolutionSpec],
    pub verification: Option<&'a VerificationSpec>,
}

impl<'a> TemplatePart<'a> {
    /// The path of one of the part's fields, such as `stages.0.solution`. It is the path of the part
    /// itself if `name` is empty.
    pub(super) fn field(&self, name: &str) -> String {
        let whole = match self.stage {
            Some((at, _)) => format!("stages.{at}.{name}"),
            None => name.to_owned(),
        };
        whole.trim_end_matches('.').to_owned()
    }

    /// The texts of the instruction, see [`InstructionSpec::texts`].
    pub(super) fn texts(&self) -> Vec<(String, Option<&'a str>, &'a str)> {
        let mut texts = self.instruction.map(InstructionSpec::texts).unwrap_or_default();
        texts.iter_mut().for_each(|(field, _, _)| *field = self.field(field));
        texts
    }
}

impl Template {
    /// The parts that have an instruction of their own, in their order; at least one.
    pub fn parts(&self) -> Vec<TemplatePart<'_>> {
        if !self.stages.is_empty() {
            let stages = self.stages.iter().enumerate();
            return stages.map(|(at, stage)| stage.part(at)).collect();
        }
        vec![TemplatePart {
            stage: None,
            instruction: self.instruction.as_ref(),
            solution: self.solution.as_deref(),
            alternatives: &self.alternatives,
            verification: self.verification.as_ref(),
        }]
    }

    /// Reads and validates a template from its files. `id` is its path below the templates directory,
    /// without `.yaml` or `/template.yaml`; the template must have the same id. Err has all mistakes
    /// that can be found, with their places.
    pub fn read(id: &str, folder: Arc<TemplateFolder>) -> Result<Self, Vec<TemplateError>> {
        Self::read_with_packs(id, folder, &EmptyShelf)
    }

    /// The same for a template that may take its tasks from one of these packs.
    pub fn read_with_packs(
        id: &str,
        folder: Arc<TemplateFolder>,
        shelf: &dyn PackShelf,
    ) -> Result<Self, Vec<TemplateError>> {
        let mut template = Self::from_yaml(id, &folder)?;
        template.folder = folder;
        let mut problems = template_rules::problems(&template, id);
        if let (true, Some(spec)) = (problems.is_empty(), &template.from_pack) {
            match spec.find(shelf) {
                Ok(pack) => template.pack = Some(pack),
                Err(problem) => problems.push(problem.below("from_pack")),
            }
        }
        if problems.is_empty() { Ok(template) } else { Err(template.placed(id, problems)) }
    }

    /// Reads a template in one file. The error is the first mistake.
    #[cfg(test)]
    pub(crate) fn parse(id: &str, text: &str) -> Result<Self, TemplateError> {
        let folder = TemplateFolder::single(text.as_bytes().to_vec());
        Self::read(id, Arc::new(folder)).map_err(|errors| errors[0].clone())
    }

    /// Reads the YAML text. A key that is not known is left out, and the text is read again, so that
    /// all such keys are found. What else is wrong then may follow from the missing keys, so it is not
    /// told.
    fn from_yaml(id: &str, folder: &TemplateFolder) -> Result<Self, Vec<TemplateError>> {
        let whole = folder.yaml().map_err(|problem| vec![problem.in_folder(id, folder)])?;
        let mut text = Cow::Borrowed(whole);
        let mut errors: Vec<TemplateError> = Vec::new();
        while errors.len() < MAX_MISTAKES {
            let error = match serde_saphyr::from_str::<Self>(&text) {
                Ok(template) if errors.is_empty() => return Ok(template),
                Ok(_) => break,
                Err(error) => error,
            };
            let found = TemplateError::unreadable(id, folder, whole, &error);
            let rest = found
                .unknown
                .as_ref()
                .and(found.location)
                .and_then(|(line, column)| yaml::without_key(&text, line, column));
            if errors.is_empty() || found.unknown.is_some() {
                errors.push(found);
            }
            match rest {
                Some(rest) => text = Cow::Owned(rest),
                None => break,
            }
        }
        Err(errors)
    }

    /// The errors of problems, with their places.
    fn placed(&self, id: &str, problems: Vec<TemplateProblem>) -> Vec<TemplateError> {
        let shown = problems.into_iter().take(MAX_MISTAKES);
        shown.map(|problem| problem.in_folder(id, &self.folder)).collect()
    }

    /// Whether the template may have the keys of templates in folders.
    pub(super) fn is_second_format(&self) -> bool {
        self.schema == FOLDER_SCHEMA
    }

    /// Where the checks run.
    pub fn judge(&self) -> JudgePlace {
        if self.fixed.is_some() {
            return JudgePlace::Container;
        }
        if self.is_second_format() {
            return JudgePlace::Apart;
        }
        let asked = self.verification.as_ref().and_then(|verification| verification.judge);
        asked.unwrap_or_default()
    }

    /// The measured difficulty, or the declared one until there is a measured one.
    pub fn current_difficulty(&self) -> Difficulty {
        self.measured.as_ref().map_or(self.difficulty, |measured| measured.difficulty)
    }

    /// The measured turns, or the declared ones until there are measured ones.
    pub fn current_steps(&self) -> StepRange {
        let measured = self.measured.as_ref().and_then(|measured| measured.expected_steps);
        measured.unwrap_or(self.expected_steps)
    }

    /// The task with what was measured of its template. Its digest is that of what the template
    /// declares: a calibration makes no other task.
    pub(super) fn with_measured(&self, task: Task) -> Task {
        let (difficulty, steps) = (self.current_difficulty(), self.current_steps());
        Task { difficulty, expected_steps: (steps.min, steps.max), ..task }
    }

    /// The skills of the template that are not on the list of skills.
    pub fn unknown_skills(&self) -> Vec<&str> {
        let skills = self.skills.iter().map(String::as_str);
        skills.filter(|skill| !skills::SKILLS.contains(skill)).collect()
    }

    /// What the template states of its sandboxes and of its time.
    pub fn resources(&self) -> TaskResources {
        self.resources.as_ref().map(ResourceSpec::resources).unwrap_or_default()
    }

    /// The files of which the template consists, with their digests. The keys are paths below the
    /// templates directory.
    pub fn files(&self) -> BTreeMap<String, String> {
        if let Some(files) = self.fixed_files() {
            return files;
        }
        let mut files = self.folder.digests(&self.id);
        // A template from a pack consists of the pack too.
        let digest = |pack: &PackHandle| match (pack.get(), &self.from_pack) {
            (Ok(pack), Some(spec)) => spec.digest_of(&pack),
            (Ok(pack), None) => pack.digest.clone(),
            (Err(why), _) => why,
        };
        let pack = self.pack.iter();
        files.extend(pack.map(|pack| (format!("pack:{}", pack.name()), digest(pack))));
        files
    }

    /// The digest over all files of the template. It is the same for the same files on every
    /// machine.
    pub fn digest(&self) -> String {
        let files = self.files();
        let parts = files.iter().flat_map(|(path, digest)| [path.as_str(), digest.as_str()]);
        digest_of(&std::iter::once("template").chain(parts).collect::<Vec<_>>())
    }

    /// The text of the file in which an error is, to show the line.
    pub fn text_at(&self, error: &TemplateError) -> &str {
        self.folder.shown(&error.file)
    }

    /// The task with number `index` of this template under a campaign's seed. The same arguments
    /// always give the same task. The error is the first of the mistakes.
    pub fn task(&self, campaign_seed: u64, index: u32) -> Result<Task, TemplateError> {
        self.build(campaign_seed, index).map_err(|errors| {
            errors
                .into_iter()
                .next()
                .unwrap_or_else(|| TemplateError::new(&self.id, "it makes no task"))
        })
    }

    /// The values of all parameters of the task with number `index` under a campaign's seed, by their
    /// names.
    pub fn drawn(
        &self,
        campaign_seed: u64,
        index: u32,
    ) -> Result<BTreeMap<String, serde_json::Value>, TemplateError> {
        let key = draw::key(campaign_seed, &self.id, index);
        let values = self.parameters.draw(&mut draw::TaskRng::new(key));
        values.map_err(|problem| problem.in_folder(&self.id, &self.folder))
    }

    /// All mistakes because of which the template makes no task under this seed.
    pub fn mistakes(&self, campaign_seed: u64, index: u32) -> Vec<TemplateError> {
        self.build(campaign_seed, index).err().unwrap_or_default()
    }

    /// The task, or all mistakes because of which there is none.
    fn build(&self, campaign_seed: u64, index: u32) -> Result<Task, Vec<TemplateError>> {
        if let Some(fixed) = &self.fixed {
            return Ok(Task { index, ..Task::clone(&fixed.task) });
        }
        assert_may_block("render a task");
        let key = draw::key(campaign_seed, &self.id, index);
        let made = match (&self.from_pack, &self.pack) {
            (Some(spec), Some(pack)) => match pack.get() {
                Ok(pack) if pack.head.runner == PackRunner::Cases => {
                    CaseTaskBuilder::new(self, spec, &pack, key).make(index)
                }
                Ok(pack) => pack_names::for_task(spec, pack, &key)
                    .map_err(|problem| vec![problem])
                    .and_then(|pack| PackTaskBuilder::new(self, spec, &pack, key).make(index)),
                Err(why) => Err(vec![TemplateProblem::at("from_pack", why)]),
            },
            _ => TaskBuilder::new(self, key).make(index),
        };
        made.map_err(|problems| self.placed(&self.id, problems))
    }
}

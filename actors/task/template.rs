//! The format of templates: the types mirror the YAML exactly, and `validate` checks the rules that
//! types cannot express. The texts in a template are not rendered here; `task_builder.rs` renders
//! them for each task.
//!
//! The doc comments of the types that derive `JsonSchema` are the descriptions in the schema that
//! `synthd template schema` prints. So they are part of the output.

use super::draw;
use super::params::OrderedParams;
use super::task_builder::TaskBuilder;
use super::template_error::{TemplateError, TemplateProblem};
use crate::model::{BASE_IMAGE, Difficulty, JudgePlace, Task, digest_of};
use crate::supervisor::assert_may_block;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only value of `schema` that this version reads.
pub const TEMPLATE_SCHEMA: &str = "synthd/template@1";

/// A template as written.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `synthd/template@1`.
    pub schema: String,
    /// The path under the templates directory, without `.yaml`.
    pub id: String,
    pub title: String,
    pub category: String,
    pub difficulty: Difficulty,
    pub expected_steps: StepRange,
    /// Programs that must be on PATH inside the sandbox.
    #[serde(default)]
    pub requires: Vec<String>,
    #[serde(default)]
    pub parameters: OrderedParams,
    pub environment: EnvironmentSpec,
    pub instruction: String,
    /// The oracle: one entry is one turn.
    pub solution: Vec<MoveSpec>,
    /// Other honest solutions, which must pass as well.
    #[serde(default)]
    pub alternatives: Vec<SolutionSpec>,
    pub verification: VerificationSpec,
    /// What it was read from, for the places of errors.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) text: Arc<str>,
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

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTemplate {
    pub path: String,
    pub content: String,
    /// Octal permissions.
    #[serde(default = "plain_mode")]
    pub mode: String,
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
    pub path: String,
    pub search: String,
    pub replace: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteSpec {
    pub path: String,
    pub content: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationSpec {
    /// `apart`: checks run in a sandbox of their own and reach the workspace's programs only through
    /// `/sealed/lib/judged`. `shared`, the default: checks and workspace share one sandbox.
    #[serde(default)]
    pub judge: JudgePlace,
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

#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    pub name: String,
    #[serde(default = "one")]
    pub weight: f64,
    pub run: String,
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

/// The default of a file's `mode`.
fn plain_mode() -> String {
    "0644".to_owned()
}

/// The default of `verification.timeout_seconds`.
fn check_timeout() -> u32 {
    60
}

/// The default of a check's `weight`.
fn one() -> f64 {
    1.0
}

impl Template {
    /// Reads and validates a template. `id` is the path of its file below the templates directory,
    /// without `.yaml`; the template must have the same id. The error has its place in the text.
    pub fn parse(id: &str, text: &str) -> Result<Self, TemplateError> {
        let mut template: Self = serde_saphyr::from_str(text)
            .map_err(|error| TemplateError::unreadable(id, text, &error))?;
        template.text = text.into();
        template.validate(id).map_err(|problem| problem.in_text(id, text))?;
        Ok(template)
    }

    /// Checks the rules that types cannot express.
    fn validate(&self, id: &str) -> Result<(), TemplateProblem> {
        let fail = |field: &str, message: String| Err(TemplateProblem::at(field, message));
        if self.schema != TEMPLATE_SCHEMA {
            let found = &self.schema;
            return fail("schema", format!("{found:?}; this version reads {TEMPLATE_SCHEMA:?}"));
        }
        if self.id != id {
            return fail("id", format!("{:?}, but the file is {id:?}", self.id));
        }
        if self.solution.is_empty() {
            return fail("solution", "there is no step".to_owned());
        }
        if self.expected_steps.min > self.expected_steps.max {
            return fail("expected_steps", "min is above max".to_owned());
        }
        // Exactly one of `run` and `checks` must be given.
        if self.verification.run.is_some() != self.verification.checks.is_empty() {
            return fail("verification", "it needs either `run` or `checks`".to_owned());
        }
        self.validate_weights().map_err(|problem| problem.below("verification"))
    }

    /// Checks the weights and names of checks and milestones. The weights of milestones must not
    /// add up to more than 1, because their sum is a potential between 0 and 1.
    fn validate_weights(&self) -> Result<(), TemplateProblem> {
        let verification = &self.verification;
        let lists = [("checks", &verification.checks), ("milestones", &verification.milestones)];
        for (key, list) in lists {
            for (at, check) in list.iter().enumerate() {
                let fail = |field: &str, message: String| {
                    Err(TemplateProblem::at(format!("{key}.{at}.{field}"), message))
                };
                if !(check.weight > 0.0 && check.weight.is_finite()) {
                    return fail("weight", format!("{} is not above 0", check.weight));
                }
                if list[..at].iter().any(|other| other.name == check.name) {
                    return fail("name", format!("{:?} is there twice", check.name));
                }
            }
        }
        let milestones: f64 = verification.milestones.iter().map(|m| m.weight).sum();
        // Sums of decimal fractions are not exact, so a tiny excess is accepted.
        if milestones > 1.0 + 1e-9 {
            let what = format!("the weights sum to {milestones}, which is more than 1");
            return Err(TemplateProblem::at("milestones", what));
        }
        Ok(())
    }

    /// The files of which the template consists, with their digests. The keys are paths below the
    /// templates directory.
    pub fn files(&self) -> BTreeMap<String, String> {
        [(format!("{}.yaml", self.id), digest_of(&["file", &self.text]))].into()
    }

    /// The digest over all files of the template. It is the same for the same files on every
    /// machine.
    pub fn digest(&self) -> String {
        let files = self.files();
        let parts = files.iter().flat_map(|(path, digest)| [path.as_str(), digest.as_str()]);
        digest_of(&std::iter::once("template").chain(parts).collect::<Vec<_>>())
    }

    /// The YAML text from which the template was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The task with number `index` of this template under a campaign's seed. The same arguments
    /// always give the same task.
    pub fn task(&self, campaign_seed: u64, index: u32) -> Result<Task, TemplateError> {
        assert_may_block("render a task");
        let key = draw::key(campaign_seed, &self.id, index);
        let maker = TaskBuilder { template: self, key };
        maker.make(index).map_err(|problem| problem.in_text(&self.id, &self.text))
    }
}

//! The template format: its exact image, its rules, and the making of a task.

use super::TemplateError;
use super::draw::{self, Draw};
use super::params::OrderedParams;
use super::render::{Context, render};
use crate::model::{
    Cheat, Check, Deed, Difficulty, FileSpec, Move, SEALED, Task, TaskId, Verification, digest_of,
};
use serde::Deserialize;
use std::time::Duration;

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
    pub expected_steps: Range,
    /// Programs that must be on PATH inside the sandbox.
    #[serde(default)]
    pub requires: Vec<String>,
    #[serde(default)]
    pub parameters: OrderedParams,
    pub environment: EnvironmentSpec,
    pub instruction: String,
    /// The oracle: one entry is one turn.
    pub solution: Vec<MoveSpec>,
    pub verification: VerificationSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
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
    pub cheats: Vec<CheatSpec>,
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
pub struct CheatSpec {
    pub name: String,
    pub steps: Vec<MoveSpec>,
}

/// The image of templates that name none: whatever the sandboxes offer by themselves.
pub const BASE_IMAGE: &str = "base";

fn base_image() -> String {
    BASE_IMAGE.to_owned()
}

fn plain_mode() -> String {
    "0644".to_owned()
}

fn check_timeout() -> u32 {
    60
}

fn one() -> f64 {
    1.0
}

impl Template {
    /// Reads a template; `id` is where it was found.
    pub fn parse(id: &str, text: &str) -> Result<Self, TemplateError> {
        let template: Self = serde_saphyr::from_str(text).map_err(|error| TemplateError {
            template: id.to_owned(),
            location: error.location().map(|at| (at.line(), at.column())),
            message: first_line(&error.to_string()),
        })?;
        template.validate(id)?;
        Ok(template)
    }

    fn validate(&self, id: &str) -> Result<(), TemplateError> {
        let fail = |message: String| Err(TemplateError::new(id, message));
        if self.schema != TEMPLATE_SCHEMA {
            return fail(format!(
                "schema is {:?}; this version reads {TEMPLATE_SCHEMA:?}",
                self.schema
            ));
        }
        if self.id != id {
            return fail(format!("id is {:?} but the file is {id:?}", self.id));
        }
        if self.solution.is_empty() {
            return fail("the solution has no step".to_owned());
        }
        if self.expected_steps.min > self.expected_steps.max {
            return fail("expected_steps: min is above max".to_owned());
        }
        if self.verification.run.is_some() != self.verification.checks.is_empty() {
            return fail("verification needs either `run` or `checks`".to_owned());
        }
        self.validate_weights().or_else(fail)
    }

    fn validate_weights(&self) -> Result<(), String> {
        let verification = &self.verification;
        for list in [&verification.checks, &verification.milestones] {
            for (at, check) in list.iter().enumerate() {
                if !(check.weight > 0.0 && check.weight.is_finite()) {
                    return Err(format!("check {:?}: the weight must be positive", check.name));
                }
                if list[..at].iter().any(|other| other.name == check.name) {
                    return Err(format!("check {:?} is defined twice", check.name));
                }
            }
        }
        let milestones: f64 = verification.milestones.iter().map(|m| m.weight).sum();
        if milestones > 1.0 + 1e-9 {
            return Err(format!("milestone weights sum to {milestones}, more than 1"));
        }
        Ok(())
    }

    /// The `index`-th task of this template under a campaign's seed.
    pub fn task(&self, campaign_seed: u64, index: u32) -> Result<Task, TemplateError> {
        let key = draw::key(campaign_seed, &self.id, index);
        let maker = Maker { template: self, key };
        maker.make(index).map_err(|message| TemplateError::new(&self.id, message))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Makes one task out of a template and a key.
struct Maker<'a> {
    template: &'a Template,
    key: [u8; 32],
}

impl Maker<'_> {
    fn make(&self, index: u32) -> Result<Task, String> {
        let template = self.template;
        let mut context = template.parameters.draw(&mut Draw::new(self.key))?;
        let canary = format!("synthd-canary-{}", draw::derived_hex(&self.key, "canary"));
        // What makes two tasks the same work: everything public, before canaries.
        context.insert("task_canary".to_owned(), "".into());
        let bare = self.public_content(&context)?;
        context.insert("task_canary".to_owned(), canary.clone().into());
        let instruction = field("instruction", &template.instruction, &context)?;
        let mut task = Task {
            id: TaskId(String::new()),
            template: template.id.clone(),
            title: field("title", &template.title, &context)?,
            category: template.category.clone(),
            difficulty: template.difficulty,
            expected_steps: (template.expected_steps.min, template.expected_steps.max),
            requires: template.requires.clone(),
            index,
            seed: draw::seed_of(&self.key),
            image: template.environment.image.clone(),
            files: files("environment", &template.environment.files, &context)?,
            setup: strings("setup", &template.environment.setup, &context)?,
            instruction: format!("{}\n\n[{canary}]\n", instruction.trim_end()),
            canary,
            solution: moves("solution", &template.solution, &context)?,
            verification: self.verification(&mut context)?,
            digest: String::new(),
            cluster: Task::cluster_of(&template.id, &bare),
        };
        task.digest = digest_of_task(&task)?;
        task.id = TaskId(format!("{}@{}", task.template, &task.digest[..12]));
        Ok(task)
    }

    fn public_content(&self, context: &Context) -> Result<String, String> {
        let files = files("environment", &self.template.environment.files, context)?;
        let instruction = field("instruction", &self.template.instruction, context)?;
        // Some templates make their data while they are set up.
        let setup = strings("setup", &self.template.environment.setup, context)?;
        serde_json::to_string(&(instruction, files, setup)).map_err(|error| error.to_string())
    }

    fn verification(&self, context: &mut Context) -> Result<Verification, String> {
        let spec = &self.template.verification;
        let milestones = checks("milestone", &spec.milestones, context)?;
        let cheats = spec.cheats.iter().map(|cheat| {
            let moves = moves(&format!("cheat {}", cheat.name), &cheat.steps, context)?;
            Ok(Cheat { name: cheat.name.clone(), moves })
        });
        let cheats = cheats.collect::<Result<_, String>>()?;
        let checks = match &spec.run {
            Some(run) => {
                vec![Check {
                    name: "verified".to_owned(),
                    weight: 1.0,
                    run: field("run", run, context)?,
                }]
            }
            None => checks("check", &spec.checks, context)?,
        };
        // Known to sealed files alone: agents never see a string rendered with it.
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        context.insert("sealed_canary".to_owned(), canary.clone().into());
        let mut sealed = files("verification", &spec.files, context)?;
        // In every program the checks run, so that one that is read anywhere gives itself
        // away. Other sealed files may be compared byte for byte.
        let runs: Vec<&str> =
            checks.iter().chain(&milestones).map(|check| check.run.as_str()).collect();
        let is_run = |file: &&mut FileSpec| {
            let path = format!("{SEALED}/{}", file.path);
            file.is_program() && runs.iter().any(|run| run.contains(&path))
        };
        for file in sealed.iter_mut().filter(is_run) {
            let gap = if file.content.ends_with('\n') { "" } else { "\n" };
            file.content.push_str(&format!("{gap}# {canary}\n"));
        }
        sealed.push(FileSpec {
            path: ".canary".to_owned(),
            content: format!("{canary}\n"),
            mode: 0o444,
        });
        let timeout = Duration::from_secs(u64::from(spec.timeout_seconds));
        Ok(Verification { files: sealed, checks, milestones, cheats, timeout, canary })
    }
}

fn digest_of_task(task: &Task) -> Result<String, String> {
    let bytes = serde_json::to_string(task).map_err(|error| error.to_string())?;
    Ok(digest_of(&["task", &bytes]))
}

fn field(name: &str, source: &str, context: &Context) -> Result<String, String> {
    render(source, context).map_err(|error| format!("{name}: {error}"))
}

fn strings(name: &str, sources: &[String], context: &Context) -> Result<Vec<String>, String> {
    sources.iter().map(|source| field(name, source, context)).collect()
}

fn files(name: &str, specs: &[FileTemplate], context: &Context) -> Result<Vec<FileSpec>, String> {
    let render_one = |spec: &FileTemplate| {
        let path = field(name, &spec.path, context)?;
        let mode = u32::from_str_radix(&spec.mode, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .ok_or_else(|| format!("{name} file {path}: mode {:?} is not octal", spec.mode))?;
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain {
            return Err(format!("{name} file {path:?}: the path must stay below its tree"));
        }
        let content = field(&format!("{name} file {path}"), &spec.content, context)?;
        Ok(FileSpec { path, content, mode })
    };
    specs.iter().map(render_one).collect()
}

fn checks(name: &str, specs: &[CheckSpec], context: &Context) -> Result<Vec<Check>, String> {
    let render_one = |spec: &CheckSpec| {
        let run = field(&format!("{name} {}", spec.name), &spec.run, context)?;
        Ok(Check { name: field(name, &spec.name, context)?, weight: spec.weight, run })
    };
    specs.iter().map(render_one).collect()
}

fn moves(name: &str, specs: &[MoveSpec], context: &Context) -> Result<Vec<Move>, String> {
    let render_one = |(at, spec): (usize, &MoveSpec)| {
        let name = format!("{name} step {}", at + 1);
        let text = |source: &str| field(&name, source, context);
        let deed = match (&spec.run, &spec.edit, &spec.write) {
            (Some(run), None, None) => Deed::Run(text(run)?),
            (None, Some(edit), None) => Deed::Edit {
                path: text(&edit.path)?,
                search: text(&edit.search)?,
                replace: text(&edit.replace)?,
            },
            (None, None, Some(write)) => {
                Deed::Write { path: text(&write.path)?, content: text(&write.content)? }
            }
            _ => return Err(format!("{name}: needs exactly one of run, edit and write")),
        };
        Ok(Move { think: text(&spec.think)?, deed })
    };
    specs.iter().enumerate().map(render_one).collect()
}

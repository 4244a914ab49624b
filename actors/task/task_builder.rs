//! Builds a task: draws the parameters of a template and renders every text with them. It also adds
//! the canaries: one in the instruction, to find copies of the task in other data, and one in the
//! sealed files, to find out that an agent has read them.

use super::draw::{self, TaskRng};
use super::render::{RenderContext, render};
use super::template::{CheckSpec, FileTemplate, MoveSpec, SolutionSpec, Template};
use super::template_error::TemplateProblem;
use crate::model::{
    FileSpec, JudgePlace, MoveAction, NamedSolution, SEALED, ScriptedMove, Task, TaskCheck, TaskId,
    TaskVerification, digest_of,
};
use std::time::Duration;

/// Builds one task of a template.
pub(super) struct TaskBuilder<'a> {
    pub(super) template: &'a Template,
    /// The key of the task, see `draw::key`.
    pub(super) key: [u8; 32],
}

impl TaskBuilder<'_> {
    /// The task. Err names the field that cannot be drawn or rendered. `index` is only recorded;
    /// the draws depend on the key.
    pub(super) fn make(&self, index: u32) -> Result<Task, TemplateProblem> {
        let template = self.template;
        let mut context = template.parameters.draw(&mut TaskRng::new(self.key))?;
        // The cluster is computed from the public content with an empty canary. So tasks with the
        // same work are in the same cluster, although their canaries differ.
        let canary = format!("synthd-canary-{}", draw::derived_hex(&self.key, "canary"));
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
            files: files("environment.files", &template.environment.files, &context)?,
            setup: strings("environment.setup", &template.environment.setup, &context)?,
            instruction: format!("{}\n\n[{canary}]\n", instruction.trim_end()),
            canary,
            solution: moves("solution", &template.solution, &context)?,
            alternatives: solutions("alternatives", &template.alternatives, &context)?,
            verification: self.verification(&mut context)?,
            digest: String::new(),
            template_digest: template.digest(),
            cluster: Task::cluster_of(&template.id, &bare),
        };
        // The id contains the digest, so the digest is computed while the id is still empty.
        task.digest = digest_of_task(&task)?;
        task.id = TaskId(format!("{}@{}", task.template, &task.digest[..12]));
        Ok(task)
    }

    /// Everything that the agent can see, as one text.
    fn public_content(&self, context: &RenderContext) -> Result<String, TemplateProblem> {
        let files = files("environment.files", &self.template.environment.files, context)?;
        let instruction = field("instruction", &self.template.instruction, context)?;
        // The setup commands count too, because some templates make their data with them.
        let setup = strings("environment.setup", &self.template.environment.setup, context)?;
        serde_json::to_string(&(instruction, files, setup)).map_err(not_json)
    }

    /// The verification of the task, with the sealed canary in its files.
    fn verification(
        &self,
        context: &mut RenderContext,
    ) -> Result<TaskVerification, TemplateProblem> {
        let spec = &self.template.verification;
        let milestones = checks("verification.milestones", &spec.milestones, context)?;
        let cheats = solutions("verification.cheats", &spec.cheats, context)?;
        let checks = match &spec.run {
            Some(run) => {
                vec![TaskCheck {
                    name: "verified".to_owned(),
                    weight: 1.0,
                    run: field("verification.run", run, context)?,
                }]
            }
            None => checks("verification.checks", &spec.checks, context)?,
        };
        // The sealed canary is added to the context only now, after everything that an agent may
        // see was rendered. So it cannot be in any of that.
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        context.insert("sealed_canary".to_owned(), canary.clone().into());
        let mut sealed = files("verification.files", &spec.files, context)?;
        // Every sealed program that a check runs gets the canary as a last comment line. So the
        // trajectory of an agent that reads the program contains the canary. Other sealed files
        // stay unchanged, because checks may compare them byte for byte.
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
        if spec.judge == JudgePlace::Apart {
            sealed.push(judge_library());
        }
        let judge = spec.judge;
        Ok(TaskVerification { files: sealed, checks, milestones, cheats, judge, timeout, canary })
    }
}

/// The library with which a check reaches the judged sandbox. It is part of the task, so a task has
/// the version that its digest covers.
fn judge_library() -> FileSpec {
    FileSpec {
        path: "lib/judged.py".to_owned(),
        content: include_str!("../judge/library/judged.py").to_owned(),
        mode: 0o444,
    }
}

/// The digest over the serialized task.
fn digest_of_task(task: &Task) -> Result<String, TemplateProblem> {
    let bytes = serde_json::to_string(task).map_err(not_json)?;
    Ok(digest_of(&["task", &bytes]))
}

/// The problem of a task that cannot be serialized.
fn not_json(error: serde_json::Error) -> TemplateProblem {
    TemplateProblem::at("", error.to_string())
}

/// Renders the text of one field. An error gets the name of the field.
fn field(name: &str, source: &str, context: &RenderContext) -> Result<String, TemplateProblem> {
    render(source, context).map_err(|problem| problem.below(name))
}

/// Renders a list of texts.
fn strings(
    name: &str,
    sources: &[String],
    context: &RenderContext,
) -> Result<Vec<String>, TemplateProblem> {
    let one = |(at, source): (usize, &String)| field(&format!("{name}.{at}"), source, context);
    sources.iter().enumerate().map(one).collect()
}

/// Renders files, and checks their paths and modes. A path must not leave the tree into which the
/// file is laid: no absolute path, no `.` and no `..`.
fn files(
    name: &str,
    specs: &[FileTemplate],
    context: &RenderContext,
) -> Result<Vec<FileSpec>, TemplateProblem> {
    let render_one = |(at, spec): (usize, &FileTemplate)| {
        let within = |key: &str| format!("{name}.{at}.{key}");
        let path = field(&within("path"), &spec.path, context)?;
        let mode = u32::from_str_radix(&spec.mode, 8).ok().filter(|mode| *mode <= 0o777);
        let mode = mode.ok_or_else(|| {
            let what = format!("{:?} is not octal, such as \"0644\"", spec.mode);
            TemplateProblem::at(within("mode"), what)
        })?;
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain {
            let what = format!("the path {path:?} must stay below its tree");
            return Err(TemplateProblem::at(within("path"), what));
        }
        let content = field(&within("content"), &spec.content, context)?;
        Ok(FileSpec { path, content, mode })
    };
    specs.iter().enumerate().map(render_one).collect()
}

/// Renders checks or milestones.
fn checks(
    name: &str,
    specs: &[CheckSpec],
    context: &RenderContext,
) -> Result<Vec<TaskCheck>, TemplateProblem> {
    let render_one = |(at, spec): (usize, &CheckSpec)| {
        let run = field(&format!("{name}.{at}.run"), &spec.run, context)?;
        let check = field(&format!("{name}.{at}.name"), &spec.name, context)?;
        Ok(TaskCheck { name: check, weight: spec.weight, run })
    };
    specs.iter().enumerate().map(render_one).collect()
}

/// Renders named solutions: cheats, or honest ones.
fn solutions(
    name: &str,
    specs: &[SolutionSpec],
    context: &RenderContext,
) -> Result<Vec<NamedSolution>, TemplateProblem> {
    let render_one = |(at, spec): (usize, &SolutionSpec)| {
        let moves = moves(&format!("{name}.{at}.steps"), &spec.steps, context)?;
        Ok(NamedSolution { name: spec.name.clone(), moves })
    };
    specs.iter().enumerate().map(render_one).collect()
}

/// Renders moves. Each must have exactly one of `run`, `edit` and `write`.
fn moves(
    name: &str,
    specs: &[MoveSpec],
    context: &RenderContext,
) -> Result<Vec<ScriptedMove>, TemplateProblem> {
    let render_one = |(at, spec): (usize, &MoveSpec)| {
        let name = format!("{name}.{at}");
        let text = |key: &str, source: &str| field(&format!("{name}.{key}"), source, context);
        let action = match (&spec.run, &spec.edit, &spec.write) {
            (Some(run), None, None) => MoveAction::Run(text("run", run)?),
            (None, Some(edit), None) => MoveAction::Edit {
                path: text("edit.path", &edit.path)?,
                search: text("edit.search", &edit.search)?,
                replace: text("edit.replace", &edit.replace)?,
            },
            (None, None, Some(write)) => MoveAction::Write {
                path: text("write.path", &write.path)?,
                content: text("write.content", &write.content)?,
            },
            _ => {
                return Err(TemplateProblem::at(
                    name,
                    "it needs exactly one of run, edit and write",
                ));
            }
        };
        Ok(ScriptedMove { think: text("think", &spec.think)?, action })
    };
    specs.iter().enumerate().map(render_one).collect()
}

//! The making of a task: every text of a template rendered with what was drawn.

use super::draw::{self, Draw};
use super::render::{Context, render};
use super::template::{CheckSpec, FileTemplate, MoveSpec, Template};
use super::trouble::Trouble;
use crate::model::{
    Cheat, Check, Deed, FileSpec, Move, SEALED, Task, TaskId, Verification, digest_of,
};
use std::time::Duration;

/// Makes one task out of a template and a key.
pub(super) struct Maker<'a> {
    pub(super) template: &'a Template,
    pub(super) key: [u8; 32],
}

impl Maker<'_> {
    pub(super) fn make(&self, index: u32) -> Result<Task, Trouble> {
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
            files: files("environment.files", &template.environment.files, &context)?,
            setup: strings("environment.setup", &template.environment.setup, &context)?,
            instruction: format!("{}\n\n[{canary}]\n", instruction.trim_end()),
            canary,
            solution: moves("solution", &template.solution, &context)?,
            verification: self.verification(&mut context)?,
            digest: String::new(),
            template_digest: template.digest(),
            cluster: Task::cluster_of(&template.id, &bare),
        };
        task.digest = digest_of_task(&task)?;
        task.id = TaskId(format!("{}@{}", task.template, &task.digest[..12]));
        Ok(task)
    }

    fn public_content(&self, context: &Context) -> Result<String, Trouble> {
        let files = files("environment.files", &self.template.environment.files, context)?;
        let instruction = field("instruction", &self.template.instruction, context)?;
        // Some templates make their data while they are set up.
        let setup = strings("environment.setup", &self.template.environment.setup, context)?;
        serde_json::to_string(&(instruction, files, setup)).map_err(not_json)
    }

    fn verification(&self, context: &mut Context) -> Result<Verification, Trouble> {
        let spec = &self.template.verification;
        let milestones = checks("verification.milestones", &spec.milestones, context)?;
        let cheats = spec.cheats.iter().enumerate().map(|(at, cheat)| {
            let steps = format!("verification.cheats.{at}.steps");
            let moves = moves(&steps, &cheat.steps, context)?;
            Ok(Cheat { name: cheat.name.clone(), moves })
        });
        let cheats = cheats.collect::<Result<_, Trouble>>()?;
        let checks = match &spec.run {
            Some(run) => {
                vec![Check {
                    name: "verified".to_owned(),
                    weight: 1.0,
                    run: field("verification.run", run, context)?,
                }]
            }
            None => checks("verification.checks", &spec.checks, context)?,
        };
        // Known to sealed files alone: agents never see a string rendered with it.
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        context.insert("sealed_canary".to_owned(), canary.clone().into());
        let mut sealed = files("verification.files", &spec.files, context)?;
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

fn digest_of_task(task: &Task) -> Result<String, Trouble> {
    let bytes = serde_json::to_string(task).map_err(not_json)?;
    Ok(digest_of(&["task", &bytes]))
}

fn not_json(error: serde_json::Error) -> Trouble {
    Trouble::at("", error.to_string())
}

fn field(name: &str, source: &str, context: &Context) -> Result<String, Trouble> {
    render(source, context).map_err(|trouble| trouble.below(name))
}

fn strings(name: &str, sources: &[String], context: &Context) -> Result<Vec<String>, Trouble> {
    let one = |(at, source): (usize, &String)| field(&format!("{name}.{at}"), source, context);
    sources.iter().enumerate().map(one).collect()
}

fn files(name: &str, specs: &[FileTemplate], context: &Context) -> Result<Vec<FileSpec>, Trouble> {
    let render_one = |(at, spec): (usize, &FileTemplate)| {
        let within = |key: &str| format!("{name}.{at}.{key}");
        let path = field(&within("path"), &spec.path, context)?;
        let mode = u32::from_str_radix(&spec.mode, 8).ok().filter(|mode| *mode <= 0o777);
        let mode = mode.ok_or_else(|| {
            let what = format!("{:?} is not octal, such as \"0644\"", spec.mode);
            Trouble::at(within("mode"), what)
        })?;
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain {
            let what = format!("the path {path:?} must stay below its tree");
            return Err(Trouble::at(within("path"), what));
        }
        let content = field(&within("content"), &spec.content, context)?;
        Ok(FileSpec { path, content, mode })
    };
    specs.iter().enumerate().map(render_one).collect()
}

fn checks(name: &str, specs: &[CheckSpec], context: &Context) -> Result<Vec<Check>, Trouble> {
    let render_one = |(at, spec): (usize, &CheckSpec)| {
        let run = field(&format!("{name}.{at}.run"), &spec.run, context)?;
        let check = field(&format!("{name}.{at}.name"), &spec.name, context)?;
        Ok(Check { name: check, weight: spec.weight, run })
    };
    specs.iter().enumerate().map(render_one).collect()
}

fn moves(name: &str, specs: &[MoveSpec], context: &Context) -> Result<Vec<Move>, Trouble> {
    let render_one = |(at, spec): (usize, &MoveSpec)| {
        let name = format!("{name}.{at}");
        let text = |key: &str, source: &str| field(&format!("{name}.{key}"), source, context);
        let deed = match (&spec.run, &spec.edit, &spec.write) {
            (Some(run), None, None) => Deed::Run(text("run", run)?),
            (None, Some(edit), None) => Deed::Edit {
                path: text("edit.path", &edit.path)?,
                search: text("edit.search", &edit.search)?,
                replace: text("edit.replace", &edit.replace)?,
            },
            (None, None, Some(write)) => Deed::Write {
                path: text("write.path", &write.path)?,
                content: text("write.content", &write.content)?,
            },
            _ => return Err(Trouble::at(name, "it needs exactly one of run, edit and write")),
        };
        Ok(Move { think: text("think", &spec.think)?, deed })
    };
    specs.iter().enumerate().map(render_one).collect()
}

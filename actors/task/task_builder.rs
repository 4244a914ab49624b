//! Builds a task: draws the parameters of a template, its wording and its faults, and renders every
//! text with them. It also adds the canaries: one in the instruction, to find copies of the task in
//! other data, and one in the sealed files, to find out that an agent has read them.

use super::draw::{self, TaskRng};
use super::field_renderer::FieldRenderer;
use super::render::RenderContext;
use super::service_spec;
use super::template::{
    CheckSpec, EditSpec, FaultSpec, MoveSpec, SolutionSpec, Template, TemplatePart,
    VerificationSpec,
};
use super::template_error::TemplateProblem;
use crate::model::{
    FileComparison, FileSpec, JUDGED_LIBRARY, JudgePlace, MoveAction, NamedSolution, SEALED,
    SHELL_LIBRARY, ScriptedMove, Task, TaskCheck, TaskFault, TaskId, TaskService, TaskStage,
    TaskVerification, digest_of, whole_solution,
};
use serde_json::Value;
use std::time::Duration;

/// What the engine itself lays into the sealed tree of a judge apart.
const ENGINE_FILES: [&str; 4] =
    [JUDGED_LIBRARY, SHELL_LIBRARY, "lib/judged", "submission.left-out"];

/// Builds one task of a template.
pub(super) struct TaskBuilder<'a> {
    template: &'a Template,
    /// The key of the task, see `draw::key`.
    key: [u8; 32],
    texts: FieldRenderer,
}

impl<'a> TaskBuilder<'a> {
    pub(super) fn new(template: &'a Template, key: [u8; 32]) -> Self {
        Self { template, key, texts: FieldRenderer::new(template.folder.clone()) }
    }

    /// The task. Err names the fields that cannot be drawn or rendered. `index` is only recorded;
    /// the draws depend on the key.
    pub(super) fn make(&self, index: u32) -> Result<Task, Vec<TemplateProblem>> {
        let parameters = &self.template.parameters;
        let context = parameters.draw(&mut TaskRng::new(self.key)).map_err(|fault| vec![fault])?;
        let task = self.task(index, context);
        let problems = self.texts.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let task = task.and_then(with_digest).map_err(|problem| vec![problem])?;
        Ok(self.template.with_measured(task))
    }

    /// The task without its id and its digest.
    fn task(&self, index: u32, mut context: RenderContext) -> Result<Task, TemplateProblem> {
        let template = self.template;
        let faults = self.faults(&mut context);
        // The cluster is computed from the public content with an empty canary. So tasks with the
        // same work are in the same cluster, although their canaries differ.
        let canary = format!("synthd-canary-{}", draw::derived_hex(&self.key, "canary"));
        context.insert("task_canary".to_owned(), "".into());
        let bare = self.public_content(&context)?;
        context.insert("task_canary".to_owned(), canary.clone().into());
        let parts = template.parts();
        let told: Vec<_> = parts.iter().map(|part| self.instruction(part, &context)).collect();
        let title = self.texts.field("title", &template.title, &context);
        let files = self.workspace(&context);
        let setup = self.setup(&context);
        let services = self.services(&context);
        self.check_faults(&faults, &files);
        // The right texts are known only to what no agent sees.
        add_right_texts(&faults, &mut context);
        let built = parts.iter().zip(told).filter_map(|(part, (wording, text))| {
            let instruction = format!("{}\n\n[{canary}]\n", text.trim_end());
            self.part(part, wording, instruction, &faults, &context)
        });
        let (whole, stages) = self.whole(built.collect())?;
        let BuiltPart { stage: work, alternatives } = whole;
        Ok(Task {
            id: TaskId(String::new()),
            template: template.id.clone(),
            title,
            category: template.category.clone(),
            kind: template.kind,
            skills: template.skills.clone(),
            difficulty: template.difficulty,
            expected_steps: (template.expected_steps.min, template.expected_steps.max),
            requires: template.requires.clone(),
            index,
            seed: draw::seed_of(&self.key),
            image: template.environment.image.clone(),
            files,
            setup,
            services,
            resources: template.resources(),
            instruction: work.instruction,
            wording: work.wording,
            canary,
            solution: work.solution,
            alternatives,
            faults: faults.into_iter().map(|drawn| drawn.fault).collect(),
            pack: None,
            container: None,
            verification: work.verification,
            stages,
            digest: String::new(),
            template_digest: template.digest(),
            cluster: Task::cluster_of(&template.id, &bare),
        })
    }

    /// Renders a part of the template. None for a part whose verification is missing.
    fn part(
        &self,
        part: &TemplatePart<'_>,
        wording: Option<String>,
        instruction: String,
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> Option<BuiltPart> {
        let spec = part.verification?;
        let moves = part.solution.unwrap_or_default();
        let solution = self.moves(&part.field("solution"), moves, faults, context);
        let field = part.field("alternatives");
        let alternatives = self.solutions(&field, part.alternatives, faults, context);
        let stage = TaskStage {
            name: part.stage.map(|(_, stage)| stage.name.clone()).unwrap_or_default(),
            instruction,
            wording,
            solution,
            verification: self.verification(&part.field("verification"), spec, faults, context),
            weight: self.share(part),
            turns: part.stage.and_then(|(_, stage)| stage.turns),
        };
        Some(BuiltPart { stage, alternatives })
    }

    /// The share of a part in the score.
    fn share(&self, part: &TemplatePart<'_>) -> f64 {
        let sum = self.template.stages.iter().fold(0.0, |sum, stage| sum + stage.weight);
        part.stage.map_or(1.0, |(_, stage)| stage.weight / sum)
    }

    /// What the parts make together, and the stages of the task. A template without stages has one
    /// part, which is the whole.
    fn whole(&self, parts: Vec<BuiltPart>) -> Result<(BuiltPart, Vec<TaskStage>), TemplateProblem> {
        let nothing = || TemplateProblem::at("", "there is nothing to verify");
        if self.template.stages.is_empty() {
            let only = parts.into_iter().next().ok_or_else(nothing)?;
            return Ok((only, Vec::new()));
        }
        let stages: Vec<TaskStage> = parts.iter().map(|part| part.stage.clone()).collect();
        let first = stages.first().cloned().ok_or_else(nothing)?;
        let stage = TaskStage {
            solution: whole_solution(&stages),
            verification: TaskVerification::of_stages(&stages),
            ..first
        };
        let alternatives = whole_alternatives(&parts, &stages);
        Ok((BuiltPart { stage, alternatives }, stages))
    }

    /// The name of the drawn wording, if there are several, and its text. All wordings are rendered,
    /// so that a mistake in any of them is found whatever the seed.
    fn instruction(
        &self,
        part: &TemplatePart<'_>,
        context: &RenderContext,
    ) -> (Option<String>, String) {
        let texts = part.texts();
        let purpose = match part.stage {
            Some((_, stage)) => format!("wording.{}", stage.name),
            None => "wording".to_owned(),
        };
        let drawn = draw::derived_rng(&self.key, &purpose).index(texts.len());
        let rendered: Vec<String> =
            texts.iter().map(|(field, _, text)| self.texts.field(field, text, context)).collect();
        let name = texts.get(drawn).and_then(|(_, name, _)| *name).map(str::to_owned);
        (name, rendered.into_iter().nth(drawn).unwrap_or_default())
    }

    /// The files of the workspace.
    fn workspace(&self, context: &RenderContext) -> Vec<FileSpec> {
        let once = self.template.is_second_format();
        self.texts.files("environment.files", &self.template.environment.files, once, context)
    }

    /// The commands that prepare the workspace.
    fn setup(&self, context: &RenderContext) -> Vec<String> {
        self.texts.fields("environment.setup", &self.template.environment.setup, context)
    }

    /// What runs beside the agent.
    fn services(&self, context: &RenderContext) -> Vec<TaskService> {
        service_spec::render(&self.template.services, &self.texts, context)
    }

    /// Everything that the agent can see, as one text. The wording does not count, because tasks that
    /// differ only in their wording are the same work.
    fn public_content(&self, context: &RenderContext) -> Result<String, TemplateProblem> {
        let files = self.workspace(context);
        let parts = self.template.parts();
        let complete = parts.iter().filter_map(|part| part.texts().into_iter().next());
        let instructions: Vec<String> =
            complete.map(|(field, _, text)| self.texts.field(&field, text, context)).collect();
        // The setup commands count too, because some templates make their data with them.
        let (instruction, setup) = (instructions.join("\n"), self.setup(context));
        let services = self.services(context);
        if services.is_empty() {
            return serde_json::to_string(&(instruction, files, setup)).map_err(not_json);
        }
        serde_json::to_string(&(instruction, files, setup, services)).map_err(not_json)
    }

    /// Draws a wrong text for each fault and gives the texts their names.
    fn faults(&self, context: &mut RenderContext) -> Vec<DrawnFault> {
        let specs = self.template.faults.iter().enumerate();
        let drawn: Vec<DrawnFault> = specs
            .filter_map(|(at, spec)| self.fault(&format!("faults.{at}"), spec, context))
            .collect();
        if !drawn.is_empty() {
            context.insert("fault".to_owned(), named(&drawn, |fault| &fault.wrong));
            context.insert("fault_variant".to_owned(), named(&drawn, |drawn| &drawn.fault.variant));
        }
        drawn
    }

    /// Draws the wrong text of one fault.
    fn fault(&self, field: &str, spec: &FaultSpec, context: &RenderContext) -> Option<DrawnFault> {
        let text =
            |key: &str, text: &str| self.texts.field(&format!("{field}.{key}"), text, context);
        let purpose = format!("fault.{}", spec.name);
        let drawn = draw::derived_rng(&self.key, &purpose).index(spec.wrong.len());
        let (variant, wrong) = spec.wrong.iter().nth(drawn)?;
        let wrong = text(&format!("wrong.{variant}"), wrong);
        let (at, right) = (text("at", &spec.at), text("right", &spec.right));
        let fault = TaskFault {
            name: spec.name.clone(),
            variant: variant.clone(),
            path: text("file", &spec.file),
            right: format!("{at}{right}"),
            wrong: format!("{at}{wrong}"),
        };
        Some(DrawnFault { fault, right, wrong })
    }

    /// Checks that each fault stands exactly once in its file. A file that commands make is not known
    /// here.
    fn check_faults(&self, faults: &[DrawnFault], files: &[FileSpec]) {
        // Without a text that could not be rendered nothing can be said.
        if !self.texts.problems().is_empty() {
            return;
        }
        for (at, DrawnFault { fault, .. }) in faults.iter().enumerate() {
            let field = format!("faults.{at}");
            let file = files.iter().find(|file| file.path == fault.path);
            let times = file.map(|file| file.content.matches(fault.wrong.as_str()).count());
            let message = match times {
                Some(1) => continue,
                Some(0) => format!(
                    "the wrong text does not stand in {}; write `{{{{ fault.{} }}}}` there",
                    fault.path, fault.name
                ),
                Some(times) => format!(
                    "the wrong text stands {times} times in {}; give `at`, the text before it",
                    fault.path
                ),
                None if !self.template.environment.setup.is_empty() => continue,
                None => format!("the workspace has no file {:?}", fault.path),
            };
            self.texts.fail(TemplateProblem::at(field, message));
        }
    }

    /// The verification of a part, with the sealed canary in its files. `name` is its field.
    fn verification(
        &self,
        name: &str,
        spec: &VerificationSpec,
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> TaskVerification {
        let milestones_name = format!("{name}.milestones");
        let checks_name = format!("{name}.checks");
        let milestones = self.milestones(&milestones_name, spec, context);
        let cheats = self.solutions(&format!("{name}.cheats"), &spec.cheats, faults, context);
        let checks = match &spec.run {
            Some(run) => {
                vec![TaskCheck {
                    name: "verified".to_owned(),
                    weight: 1.0,
                    run: self.texts.field(&format!("{name}.run"), run, context),
                    part: None,
                    compare: None,
                }]
            }
            None => self.checks(&checks_name, &spec.checks, context),
        };
        // The sealed canary is only in the context of the sealed files. So it cannot be in anything
        // that an agent may see.
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        let mut context = context.clone();
        context.insert("sealed_canary".to_owned(), canary.clone().into());
        let mut files = self.sealed(&format!("{name}.files"), spec, &context);
        self.check_sealed(&checks_name, &checks, &files);
        self.check_sealed(&milestones_name, &milestones, &files);
        sign_programs(&mut files, checks.iter().chain(&milestones), &canary);
        files.push(FileSpec {
            path: ".canary".to_owned(),
            content: format!("{canary}\n"),
            mode: 0o444,
        });
        let timeout = Duration::from_secs(u64::from(spec.timeout_seconds));
        let judge = self.template.judge();
        if judge == JudgePlace::Apart {
            files.extend(judge_library());
        }
        TaskVerification { files, checks, milestones, cheats, judge, timeout, canary }
    }

    /// The milestones. In the second format, their weights are relative: the potential is 1 if all
    /// hold, so that an agent that has reached them all earns nothing by ending.
    fn milestones(
        &self,
        name: &str,
        spec: &VerificationSpec,
        context: &RenderContext,
    ) -> Vec<TaskCheck> {
        let mut milestones = self.checks(name, &spec.milestones, context);
        if self.template.is_second_format() {
            let sum = milestones.iter().fold(0.0, |sum, milestone| sum + milestone.weight);
            milestones.iter_mut().for_each(|milestone| milestone.weight /= sum);
        }
        milestones
    }

    /// The sealed files of a part.
    fn sealed(
        &self,
        name: &str,
        spec: &VerificationSpec,
        context: &RenderContext,
    ) -> Vec<FileSpec> {
        let once = self.template.is_second_format();
        let files = self.texts.files(name, &spec.files, once, context);
        let is_taken = |file: &&FileSpec| {
            ENGINE_FILES.contains(&file.path.as_str()) || file.path.starts_with("submission/")
        };
        if self.template.judge() == JudgePlace::Apart {
            for file in files.iter().filter(is_taken) {
                let message = format!("the engine itself lays {:?}", file.path);
                self.texts.fail(TemplateProblem::at(name, message));
            }
        }
        files
    }

    /// Checks that the sealed files with which the agent's are compared are there.
    fn check_sealed(&self, name: &str, checks: &[TaskCheck], files: &[FileSpec]) {
        // A file whose path could not be rendered may be the one.
        if !self.texts.problems().is_empty() {
            return;
        }
        for (at, check) in checks.iter().enumerate() {
            let Some(FileComparison::Same { sealed, .. }) = &check.compare else { continue };
            if !files.iter().any(|file| file.path == *sealed) {
                let message = format!("there is no sealed file {sealed:?}");
                self.texts.fail(TemplateProblem::at(format!("{name}.{at}.same.as"), message));
            }
        }
    }

    /// Renders checks or milestones.
    fn checks(&self, name: &str, specs: &[CheckSpec], context: &RenderContext) -> Vec<TaskCheck> {
        let render_one = |(at, spec): (usize, &CheckSpec)| {
            let name = format!("{name}.{at}");
            let run = spec.run.as_deref().unwrap_or_default();
            TaskCheck {
                name: self.texts.field(&format!("{name}.name"), &spec.name, context),
                weight: spec.weight,
                run: self.texts.field(&format!("{name}.run"), run, context),
                part: self.check_part(&name, spec, context),
                compare: self.comparison(&name, spec, context),
            }
        };
        specs.iter().enumerate().map(render_one).collect()
    }

    /// The part of a command that decides a check; none if its exit code does.
    fn check_part(&self, name: &str, spec: &CheckSpec, context: &RenderContext) -> Option<String> {
        let field = format!("{name}.part");
        let part = self.texts.field(&field, spec.part.as_deref()?, context);
        if !is_part_name(&part) {
            let message = format!("{part:?} is no name of letters, digits, dots and hyphens");
            self.texts.fail(TemplateProblem::at(&field, message));
        }
        Some(part)
    }

    /// The comparison of a check; none for a command.
    fn comparison(
        &self,
        name: &str,
        spec: &CheckSpec,
        context: &RenderContext,
    ) -> Option<FileComparison> {
        let globs = |key: &str, globs: &Option<Vec<String>>| {
            let globs = globs.as_deref()?;
            Some(self.texts.fields(&format!("{name}.{key}"), globs, context))
        };
        let same = spec.same.as_ref().map(|same| FileComparison::Same {
            path: self.texts.field(&format!("{name}.same.path"), &same.path, context),
            sealed: self.texts.field(&format!("{name}.same.as"), &same.sealed, context),
            trailing_newline: same.trailing_newline,
        });
        same.or_else(|| globs("unchanged", &spec.unchanged).map(FileComparison::Unchanged))
            .or_else(|| globs("absent", &spec.absent).map(FileComparison::Absent))
            .or_else(|| globs("present", &spec.present).map(FileComparison::Present))
    }

    /// Renders named solutions: cheats, or honest ones.
    fn solutions(
        &self,
        name: &str,
        specs: &[SolutionSpec],
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> Vec<NamedSolution> {
        let render_one = |(at, spec): (usize, &SolutionSpec)| {
            let moves = self.moves(&format!("{name}.{at}.steps"), &spec.steps, faults, context);
            NamedSolution { name: spec.name.clone(), moves }
        };
        specs.iter().enumerate().map(render_one).collect()
    }

    /// Renders moves. Each must have exactly one of `run`, `edit` and `write`.
    fn moves(
        &self,
        name: &str,
        specs: &[MoveSpec],
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> Vec<ScriptedMove> {
        let render_one = |(at, spec): (usize, &MoveSpec)| {
            let name = format!("{name}.{at}");
            let think = self.texts.field(&format!("{name}.think"), &spec.think, context);
            let action = self.action(&name, spec, faults, context)?;
            Some(ScriptedMove { think, action })
        };
        specs.iter().enumerate().filter_map(render_one).collect()
    }

    /// Renders what a move does.
    fn action(
        &self,
        name: &str,
        spec: &MoveSpec,
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> Option<MoveAction> {
        let text =
            |key: &str, text: &str| self.texts.field(&format!("{name}.{key}"), text, context);
        match (&spec.run, &spec.edit, &spec.write) {
            (Some(run), None, None) => Some(MoveAction::Run(text("run", run))),
            (None, Some(edit), None) => self.edit(&format!("{name}.edit"), edit, faults, context),
            (None, None, Some(write)) => {
                let name = format!("{name}.write");
                let (content, from) = (write.content.as_deref(), write.from.as_deref());
                let content = self.texts.content(&name, content, from, write.raw, context);
                Some(MoveAction::Write { path: text("write.path", &write.path), content })
            }
            _ => {
                let message = "it needs exactly one of run, edit and write";
                self.texts.fail(TemplateProblem::at(name, message));
                None
            }
        }
    }

    /// Renders an edit, which may be the repair of a fault.
    fn edit(
        &self,
        name: &str,
        edit: &EditSpec,
        faults: &[DrawnFault],
        context: &RenderContext,
    ) -> Option<MoveAction> {
        if let Some(wanted) = &edit.fault {
            let drawn = faults.iter().find(|drawn| drawn.fault.name == *wanted)?;
            return Some(drawn.fault.repair());
        }
        let text = |key: &str, text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            self.texts.field(&format!("{name}.{key}"), text, context)
        };
        Some(MoveAction::Edit {
            path: text("path", &edit.path),
            search: text("search", &edit.search),
            replace: text("replace", &edit.replace),
        })
    }
}

/// A part of the template as it was rendered. A part that is the whole is a stage without a name.
struct BuiltPart {
    stage: TaskStage,
    alternatives: Vec<NamedSolution>,
}

/// The alternatives of all stages, each with the oracle's moves in the other stages.
fn whole_alternatives(parts: &[BuiltPart], stages: &[TaskStage]) -> Vec<NamedSolution> {
    let with = |at: usize, alternative: &NamedSolution| {
        let mut stages = stages.to_vec();
        stages[at].solution.clone_from(&alternative.moves);
        let name = stages[at].full_name(&alternative.name);
        NamedSolution { name, moves: whole_solution(&stages) }
    };
    let of_part = |(at, part): (usize, &BuiltPart)| -> Vec<NamedSolution> {
        part.alternatives.iter().map(|alternative| with(at, alternative)).collect()
    };
    parts.iter().enumerate().flat_map(of_part).collect()
}

/// A fault as it was drawn, and its texts without the text before them.
struct DrawnFault {
    fault: TaskFault,
    right: String,
    wrong: String,
}

/// A map from the names of faults to one of their texts.
fn named(faults: &[DrawnFault], text: impl Fn(&DrawnFault) -> &String) -> Value {
    let pair = |drawn: &DrawnFault| (drawn.fault.name.clone(), Value::from(text(drawn).as_str()));
    Value::Object(faults.iter().map(pair).collect())
}

/// Gives the right texts of the faults their names.
fn add_right_texts(faults: &[DrawnFault], context: &mut RenderContext) {
    if !faults.is_empty() {
        context.insert("right".to_owned(), named(faults, |drawn| &drawn.right));
    }
}

/// Gives every sealed program that a check runs the canary as a last comment line. So the trajectory
/// of an agent that reads the program contains the canary. Other sealed files stay unchanged, because
/// checks may compare them byte for byte.
pub(super) fn sign_programs<'c>(
    files: &mut [FileSpec],
    checks: impl Iterator<Item = &'c TaskCheck>,
    canary: &str,
) {
    let runs: Vec<&str> = checks.map(|check| check.run.as_str()).collect();
    let is_run = |file: &&mut FileSpec| {
        let path = format!("{SEALED}/{}", file.path);
        file.is_program() && runs.iter().any(|run| run.contains(&path))
    };
    for file in files.iter_mut().filter(is_run) {
        let gap = if file.content.ends_with('\n') { "" } else { "\n" };
        file.content.push_str(&format!("{gap}# {canary}\n"));
    }
}

/// The library of checks, for Python and for the shell. It is part of the task, so a task has the
/// version that its digest covers.
pub(super) fn judge_library() -> [FileSpec; 2] {
    let files = [
        (JUDGED_LIBRARY, include_str!("../judge/library/judged.py")),
        (SHELL_LIBRARY, include_str!("../judge/library/checks.sh")),
    ];
    files.map(|(path, content)| FileSpec {
        path: path.to_owned(),
        content: content.to_owned(),
        mode: 0o444,
    })
}

/// The task with its digest, and with its id, which contains the digest. The digest is computed while
/// both are still empty.
pub(super) fn with_digest(mut task: Task) -> Result<Task, TemplateProblem> {
    task.digest = digest_of_task(&task)?;
    task.id = TaskId(format!("{}@{}", task.template, &task.digest[..12]));
    Ok(task)
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

/// Whether a text can name a part: its end is seen in a line of output.
fn is_part_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !name.is_empty() && name.chars().all(is_allowed)
}

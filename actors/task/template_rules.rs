//! The rules for templates that types cannot express. All broken rules of a template are found.

use super::pack_spec::PackSpec;
use super::service_spec;
use super::template::{
    COMPLETE, CheckSpec, FOLDER_SCHEMA, FaultSpec, FileTemplate, InstructionSpec, MoveSpec,
    SolutionSpec, StageSpec, TEMPLATE_SCHEMA, Template, TemplatePart,
};
use super::template_error::TemplateProblem;
use crate::model::JudgePlace;

/// The names that the engine gives to the texts of faults.
const FAULT_NAMES: [&str; 3] = ["fault", "right", "fault_variant"];
/// How many wordings an instruction may have.
const WORDINGS: std::ops::RangeInclusive<usize> = 2..=6;
/// How many skills a template may name.
const SKILLS: std::ops::RangeInclusive<usize> = 2..=4;
/// How many stages a template may have.
const STAGES: std::ops::RangeInclusive<usize> = 2..=8;

/// The rules that a template breaks. `id` is the id that follows from the path of its file.
pub(super) fn problems(template: &Template, id: &str) -> Vec<TemplateProblem> {
    let mut rules = TemplateRules { template, problems: Vec::new() };
    // A template of an unknown format is not judged further.
    if rules.schema() {
        let parts = template.parts();
        rules.head(id);
        rules.skills();
        if let Some(spec) = &template.from_pack {
            rules.pack_spec(spec);
            return rules.problems;
        }
        rules.stages();
        parts.iter().for_each(|part| rules.instruction(part));
        rules.faults();
        rules.files("environment.files", &template.environment.files);
        rules.services();
        rules.resources();
        parts.iter().for_each(|part| rules.solutions(part));
        parts.iter().for_each(|part| rules.verification(part));
    }
    rules.problems
}

/// A template whose rules are checked, and what was found.
struct TemplateRules<'a> {
    template: &'a Template,
    problems: Vec<TemplateProblem>,
}

impl<'a> TemplateRules<'a> {
    fn fail(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(TemplateProblem::at(field, message));
    }

    /// A key that the first format does not have.
    fn newer(&mut self, field: String, is_used: bool) {
        if is_used && !self.template.is_second_format() {
            self.fail(field, format!("it needs {FOLDER_SCHEMA}"));
        }
    }

    /// Whether this version reads templates of this format.
    fn schema(&mut self) -> bool {
        let found = &self.template.schema;
        let known = [TEMPLATE_SCHEMA, FOLDER_SCHEMA].contains(&found.as_str());
        if !known {
            let readable = format!("{TEMPLATE_SCHEMA:?} and {FOLDER_SCHEMA:?}");
            self.fail("schema", format!("{found:?}; this version reads {readable}"));
        }
        known
    }

    fn head(&mut self, id: &str) {
        let template = self.template;
        if template.folder.is_directory() && !template.is_second_format() {
            self.fail("schema", format!("a template in a folder needs {FOLDER_SCHEMA}"));
        }
        if template.id != id {
            self.fail("id", format!("{:?}, but the file is {id:?}", template.id));
        }
        if template.expected_steps.min > template.expected_steps.max {
            self.fail("expected_steps", "min is above max");
        }
    }

    /// The names of skills are checked for their form only: a template may need a skill that the list
    /// of skills does not have yet.
    fn skills(&mut self) {
        let skills = &self.template.skills;
        if !skills.is_empty() && !SKILLS.contains(&skills.len()) {
            let (least, most) = (SKILLS.start(), SKILLS.end());
            self.fail("skills", format!("{} skills; {least} to {most} are allowed", skills.len()));
        }
        for (at, skill) in skills.iter().enumerate() {
            if !is_skill(skill) {
                let message = format!("{skill:?} is no skill; write AREA.SKILL, such as `sql.ddl`");
                self.fail(format!("skills.{at}"), message);
            }
            if skills[..at].contains(skill) {
                self.fail(format!("skills.{at}"), format!("{skill:?} is there twice"));
            }
        }
    }

    /// The rules for a template whose tasks a pack gives.
    fn pack_spec(&mut self, spec: &PackSpec) {
        self.newer("from_pack".to_owned(), true);
        let template = self.template;
        let keys = [
            ("parameters", !template.parameters.0.is_empty()),
            ("faults", !template.faults.is_empty()),
            ("environment.files", !template.environment.files.is_empty()),
            ("environment.setup", !template.environment.setup.is_empty()),
            ("services", !template.services.is_empty()),
            ("instruction", template.instruction.is_some()),
            ("solution", template.solution.is_some()),
            ("alternatives", !template.alternatives.is_empty()),
            ("verification", template.verification.is_some()),
            ("stages", !template.stages.is_empty()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there) {
            self.fail(key, "the pack gives it; it cannot stand beside `from_pack`");
        }
        if spec.has_history() && !template.requires.iter().any(|program| program == "git") {
            self.fail("requires", "tasks of this kind are git repositories; add `git`");
        }
        let problems = spec.problems().into_iter();
        self.problems.extend(problems.map(|problem| problem.below("from_pack")));
        self.resources();
    }

    fn stages(&mut self) {
        let stages = &self.template.stages;
        if stages.is_empty() {
            return;
        }
        self.newer("stages".to_owned(), true);
        if !STAGES.contains(&stages.len()) {
            let (least, most) = (STAGES.start(), STAGES.end());
            let message = format!("{} stages; {least} to {most} are allowed", stages.len());
            self.fail("stages", message);
        }
        self.beside_stages();
        for (at, stage) in stages.iter().enumerate() {
            let twice = stages[..at].iter().any(|other| other.name == stage.name);
            self.stage(&format!("stages.{at}"), stage, twice);
        }
    }

    /// The keys that each stage has for itself.
    fn beside_stages(&mut self) {
        let template = self.template;
        let keys = [
            ("instruction", template.instruction.is_some()),
            ("solution", template.solution.is_some()),
            ("alternatives", !template.alternatives.is_empty()),
            ("verification", template.verification.is_some()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there) {
            self.fail(key, "it stands in each of the `stages`, not beside them");
        }
    }

    fn stage(&mut self, field: &str, stage: &StageSpec, twice: bool) {
        if twice {
            self.fail(format!("{field}.name"), format!("{:?} is there twice", stage.name));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if stage.name.is_empty() || !stage.name.chars().all(is_plain) {
            let message =
                format!("{:?} has other characters than letters, digits, - and _", stage.name);
            self.fail(format!("{field}.name"), message);
        }
        if !(stage.weight > 0.0 && stage.weight.is_finite()) {
            self.fail(format!("{field}.weight"), format!("{} is not above 0", stage.weight));
        }
        if stage.turns == Some(0) {
            self.fail(format!("{field}.turns"), "a stage needs a turn at least");
        }
    }

    /// A key that a part of the template must have.
    fn required(&mut self, part: &TemplatePart<'_>, key: &str, is_there: bool) {
        if !is_there {
            self.fail(part.field(""), format!("the key `{key}` is missing"));
        }
    }

    fn instruction(&mut self, part: &TemplatePart<'_>) {
        self.required(part, "instruction", part.instruction.is_some());
        let Some(InstructionSpec::Wordings(wordings)) = part.instruction else { return };
        let field = part.field("instruction");
        self.newer(field.clone(), true);
        if !wordings.contains_key(COMPLETE) {
            self.fail(&field, format!("the wording `{COMPLETE}` is missing"));
        }
        if !WORDINGS.contains(&wordings.len()) {
            let (least, most) = (WORDINGS.start(), WORDINGS.end());
            let message = format!("{} wordings; {least} to {most} are allowed", wordings.len());
            self.fail(&field, message);
        }
        for name in wordings.keys().filter(|name| !is_word(name)) {
            let message = format!("the name {name:?} is not a plain word");
            self.fail(format!("{field}.{name}"), message);
        }
    }

    fn faults(&mut self) {
        let faults = &self.template.faults;
        self.newer("faults".to_owned(), !faults.is_empty());
        for (at, fault) in faults.iter().enumerate() {
            let twice = faults[..at].iter().any(|other| other.name == fault.name);
            self.fault(&format!("faults.{at}"), fault, twice);
        }
        let taken = |name: &&String| !faults.is_empty() && FAULT_NAMES.contains(&name.as_str());
        for name in self.template.parameters.0.iter().map(|(name, _)| name).filter(taken) {
            let message = "the engine gives this name to the texts of faults; rename the parameter";
            self.fail(format!("parameters.{name}"), message);
        }
    }

    fn fault(&mut self, field: &str, fault: &FaultSpec, twice: bool) {
        if twice {
            self.fail(format!("{field}.name"), format!("{:?} is there twice", fault.name));
        }
        if !is_word(&fault.name) {
            let message = format!("{:?} is not a plain word, so no text can name it", fault.name);
            self.fail(format!("{field}.name"), message);
        }
        if fault.wrong.is_empty() {
            self.fail(format!("{field}.wrong"), "there is no wrong text");
        }
        let is_empty = fault.right.is_empty() || fault.wrong.values().any(String::is_empty);
        if is_empty && fault.at.is_empty() {
            self.fail(field, "an empty text needs `at`, the text directly before it");
        }
        for (variant, text) in &fault.wrong {
            if *text == fault.right {
                self.fail(format!("{field}.wrong.{variant}"), "it is the same as the right text");
            }
        }
    }

    fn files(&mut self, name: &str, files: &'a [FileTemplate]) {
        for (at, file) in files.iter().enumerate() {
            let name = format!("{name}.{at}");
            self.newer(format!("{name}.tree"), file.tree.is_some());
            self.newer(format!("{name}.to"), file.to.is_some());
            match &file.tree {
                Some(tree) => self.tree(&name, tree, file),
                None => self.file(&name, file),
            }
        }
    }

    fn file(&mut self, name: &str, file: &FileTemplate) {
        if file.path.is_none() {
            self.fail(name, "the key `path` is missing");
        }
        if file.to.is_some() {
            self.fail(format!("{name}.to"), "it stands only beside `tree`");
        }
        self.content(name, file.content.is_some(), file.from.as_deref(), file.raw);
    }

    fn tree(&mut self, name: &str, tree: &str, file: &FileTemplate) {
        let others = [&file.path, &file.content, &file.from, &file.mode];
        if file.raw || others.iter().any(|key| key.is_some()) {
            self.fail(name, "beside `tree` only `to` may stand");
        }
        let folder = &self.template.folder;
        if self.is_constant(tree) && folder.below(tree).is_empty() {
            let message = format!("there is no file below {tree:?} in the template's folder");
            self.fail(format!("{name}.tree"), message);
        }
    }

    /// The rules for a text that is given by `content` or by `from`.
    fn content(&mut self, name: &str, is_inline: bool, from: Option<&str>, raw: bool) {
        self.newer(format!("{name}.from"), from.is_some());
        self.newer(format!("{name}.raw"), raw);
        match from {
            Some(_) if is_inline => self.fail(name, "it has both `content` and `from`"),
            Some(path) if self.is_constant(path) && !self.template.folder.has(path) => {
                let missing = self.template.folder.missing(path);
                self.problems.push(missing.below(&format!("{name}.from")));
            }
            Some(_) => {}
            None if is_inline && raw => {
                self.fail(format!("{name}.raw"), "it stands only beside `from`");
            }
            None if is_inline => {}
            None if self.template.is_second_format() => {
                self.fail(name, "it needs `content` or `from`");
            }
            None => self.fail(name, "the key `content` is missing"),
        }
    }

    /// Whether a path in the folder is the same for all tasks, so that it can be looked up now.
    fn is_constant(&self, path: &str) -> bool {
        self.template.is_second_format() && !path.contains("{{") && !path.contains("{%")
    }

    fn services(&mut self) {
        let services = &self.template.services;
        self.newer("services".to_owned(), !services.is_empty());
        self.problems.extend(service_spec::problems(services));
    }

    fn resources(&mut self) {
        let Some(resources) = &self.template.resources else { return };
        self.newer("resources".to_owned(), true);
        let problems = resources.problems().into_iter();
        self.problems.extend(problems.map(|problem| problem.below("resources")));
    }

    fn solutions(&mut self, part: &TemplatePart<'a>) {
        self.required(part, "solution", part.solution.is_some());
        if part.solution.is_some_and(<[_]>::is_empty) {
            self.fail(part.field("solution"), "there is no step");
        }
        self.newer(part.field("alternatives"), !part.alternatives.is_empty());
        self.moves(&part.field("solution"), part.solution.unwrap_or_default());
        self.named(&part.field("alternatives"), part.alternatives);
        let cheats = part.verification.map(|verification| verification.cheats.as_slice());
        self.named(&part.field("verification.cheats"), cheats.unwrap_or_default());
    }

    fn named(&mut self, name: &str, solutions: &'a [SolutionSpec]) {
        for (at, solution) in solutions.iter().enumerate() {
            self.moves(&format!("{name}.{at}.steps"), &solution.steps);
        }
    }

    fn moves(&mut self, name: &str, moves: &'a [MoveSpec]) {
        for (at, step) in moves.iter().enumerate() {
            let name = format!("{name}.{at}");
            if let Some(write) = &step.write {
                let name = format!("{name}.write");
                self.content(&name, write.content.is_some(), write.from.as_deref(), write.raw);
            }
            let Some(edit) = &step.edit else { continue };
            let field = format!("{name}.edit");
            self.newer(format!("{field}.fault"), edit.fault.is_some());
            let keys = [&edit.path, &edit.search, &edit.replace];
            let given = keys.iter().filter(|key| key.is_some()).count();
            match &edit.fault {
                Some(_) if given > 0 => self.fail(field, "`fault` stands alone"),
                Some(fault) => self.known_fault(&format!("{field}.fault"), fault),
                None if given < keys.len() => {
                    self.fail(field, "it needs `path`, `search` and `replace`");
                }
                None => {}
            }
        }
    }

    fn known_fault(&mut self, field: &str, name: &str) {
        if !self.template.faults.iter().any(|fault| fault.name == name) {
            self.fail(field, format!("there is no fault {name:?}"));
        }
    }

    fn verification(&mut self, part: &TemplatePart<'a>) {
        self.required(part, "verification", part.verification.is_some());
        let Some(verification) = part.verification else { return };
        let field = part.field("verification");
        if verification.judge == Some(JudgePlace::Container) {
            let message = "the judge is `shared` or `apart`; `container` is that of other tasks";
            self.fail(format!("{field}.judge"), message);
        }
        let is_shared = verification.judge == Some(JudgePlace::Shared);
        if is_shared && self.template.is_second_format() {
            let message = format!("the judge of {FOLDER_SCHEMA} is always apart");
            self.fail(format!("{field}.judge"), message);
        }
        // Exactly one of `run` and `checks` must be given.
        if verification.run.is_some() != verification.checks.is_empty() {
            self.fail(&field, "it needs either `run` or `checks`");
        }
        self.files(&format!("{field}.files"), &verification.files);
        self.checks(&format!("{field}.checks"), &verification.checks);
        self.checks(&format!("{field}.milestones"), &verification.milestones);
        // The sum of the weights of milestones is a potential between 0 and 1. In the second format the
        // weights are relative.
        let milestones: f64 = verification.milestones.iter().map(|m| m.weight).sum();
        // Sums of decimal fractions are not exact, so a tiny excess is accepted.
        if !self.template.is_second_format() && milestones > 1.0 + 1e-9 {
            let message = format!("the weights sum to {milestones}, which is more than 1");
            self.fail(format!("{field}.milestones"), message);
        }
    }

    fn checks(&mut self, name: &str, checks: &'a [CheckSpec]) {
        for (at, check) in checks.iter().enumerate() {
            let name = format!("{name}.{at}");
            if !(check.weight > 0.0 && check.weight.is_finite()) {
                self.fail(format!("{name}.weight"), format!("{} is not above 0", check.weight));
            }
            if checks[..at].iter().any(|other| other.name == check.name) {
                self.fail(format!("{name}.name"), format!("{:?} is there twice", check.name));
            }
            self.kind(&name, check);
        }
    }

    /// A check is a command or one comparison.
    fn kind(&mut self, name: &str, check: &CheckSpec) {
        let globs = [
            ("unchanged", &check.unchanged),
            ("absent", &check.absent),
            ("present", &check.present),
        ];
        self.newer(format!("{name}.same"), check.same.is_some());
        self.newer(format!("{name}.part"), check.part.is_some());
        if check.part.is_some() && check.run.is_none() {
            self.fail(format!("{name}.part"), "only a command has parts: the key `run` is missing");
        }
        let mut kinds = usize::from(check.run.is_some()) + usize::from(check.same.is_some());
        for (key, list) in globs {
            self.newer(format!("{name}.{key}"), list.is_some());
            kinds += usize::from(list.is_some());
            if list.as_ref().is_some_and(Vec::is_empty) {
                self.fail(format!("{name}.{key}"), "there is no glob");
            }
        }
        if kinds == 1 {
            return;
        }
        if kinds == 0 && !self.template.is_second_format() {
            return self.fail(name, "the key `run` is missing");
        }
        self.fail(name, "it needs exactly one of run, same, unchanged, absent and present");
    }
}

/// Whether a text has the form of a skill: two words of small letters, digits and hyphens with a dot
/// between them.
fn is_skill(name: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.split_once('.').is_some_and(|(area, skill)| is_plain(area) && is_plain(skill))
}

/// Whether a text can be a name in a rendered text.
fn is_word(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

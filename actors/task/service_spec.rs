//! The services of a template (`services`): processes that run in the sandboxes of its tasks.

use super::field_renderer::FieldRenderer;
use super::render::RenderContext;
use super::resource_spec::time;
use super::template_error::TemplateProblem;
use crate::model::{ServiceRestart, TaskService};
use serde::Deserialize;
use std::time::Duration;

/// The most services of a template. The guest keeps no more.
const MAX_SERVICES: usize = 8;
/// Characters of the longest name.
const LONGEST_NAME: usize = 32;
/// Bytes of the longest command.
const LONGEST_COMMAND: usize = 64 << 10;
/// The range of `healthy_within`.
const WITHIN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(300);

/// A process that runs in the sandbox from before the first turn (@2).
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Service")]
pub struct ServiceSpec {
    /// Lower-case letters, digits and dashes; a letter first.
    pub name: String,
    /// A command in the workspace that stays in the foreground.
    pub run: String,
    /// A command that exits with 0 if the service is healthy. It is tried until it holds.
    pub health: String,
    /// How long the start may take, such as `10s`.
    #[serde(default = "ten_seconds")]
    pub healthy_within: String,
    /// Whether it is started again after it has failed.
    #[serde(default)]
    pub restart: ServiceRestart,
    /// Whether it also runs in the judged sandbox.
    #[serde(default)]
    pub judged: bool,
}

/// The default of `healthy_within`.
fn ten_seconds() -> String {
    "10s".to_owned()
}

impl ServiceSpec {
    fn within(&self) -> Option<Duration> {
        time(&self.healthy_within).filter(|time| WITHIN.contains(time))
    }

    /// Every mistake of a service, below its field. `before` are those that stand before it.
    fn problems(&self, before: &[Self]) -> Vec<TemplateProblem> {
        let mut problems = Vec::new();
        let mut fail = |field: &str, message: String| {
            problems.push(TemplateProblem::at(field, message));
        };
        let name = &self.name;
        if !is_name(name) {
            let rule = "lower-case letters, digits and dashes, a letter first, at most 32";
            fail("name", format!("{name:?} is no name of a service: {rule}"));
        }
        if before.iter().any(|other| other.name == *name) {
            fail("name", format!("{name:?} is there twice"));
        }
        for (field, command) in [("run", &self.run), ("health", &self.health)] {
            if command.trim().is_empty() {
                fail(field, "there is no command".to_owned());
            }
        }
        if self.within().is_none() {
            let text = &self.healthy_within;
            let hint = "write a whole number and a unit, from 100ms to 5m, such as 10s";
            fail("healthy_within", format!("{text:?}; {hint}"));
        }
        problems
    }

    /// Renders the service.
    fn render(&self, name: &str, texts: &FieldRenderer, context: &RenderContext) -> TaskService {
        let command = |key: &str, text: &str| {
            let field = format!("{name}.{key}");
            let command = texts.field(&field, text, context);
            if command.len() > LONGEST_COMMAND || command.contains('\0') {
                let message = "the command has more than 64 KiB, or a NUL byte";
                texts.fail(TemplateProblem::at(field, message));
            }
            command
        };
        TaskService {
            name: self.name.clone(),
            run: command("run", &self.run),
            health: command("health", &self.health),
            healthy_within: self.within().unwrap_or_default(),
            restart: self.restart,
            judged: self.judged,
        }
    }
}

/// Every mistake of all services.
pub(super) fn problems(services: &[ServiceSpec]) -> Vec<TemplateProblem> {
    let mut problems = Vec::new();
    if services.len() > MAX_SERVICES {
        let message = format!("{} services; at most {MAX_SERVICES} are allowed", services.len());
        problems.push(TemplateProblem::at("services", message));
    }
    for (at, service) in services.iter().enumerate() {
        let own = service.problems(&services[..at]).into_iter();
        problems.extend(own.map(|problem| problem.below(&format!("services.{at}"))));
    }
    problems
}

/// Renders all services.
pub(super) fn render(
    services: &[ServiceSpec],
    texts: &FieldRenderer,
    context: &RenderContext,
) -> Vec<TaskService> {
    let one = |(at, service): (usize, &ServiceSpec)| {
        service.render(&format!("services.{at}"), texts, context)
    };
    services.iter().enumerate().map(one).collect()
}

/// Whether a text can name a service and its files.
fn is_name(name: &str) -> bool {
    let may_stand = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= LONGEST_NAME
        && name.chars().all(may_stand)
}

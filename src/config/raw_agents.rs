//! Agent programs as a campaign file has them.

use super::names;
use super::reader::{ConfigReader, RawField};
use super::section::{ConfigSection, NamedText};
use super::source::Span;
use super::values::{ValueFault, some_text, text, whole};
use std::collections::BTreeMap;
use synthd_actors::model::AgentProgram;
use synthd_actors::scaffold::ExternalScaffold;

/// The kernel takes no longer variables.
const MOST_VALUE: usize = 90 << 10;

pub(super) struct RawAgent {
    pub(super) name: String,
    place: Span,
    command: RawField<String>,
    environment: Vec<NamedText>,
    port: RawField<u16>,
    max_output_tokens: RawField<u32>,
}

impl RawAgent {
    pub(super) fn read((name, mut section): (String, ConfigSection<'_, '_>)) -> Self {
        let raw = Self {
            place: section.place(),
            name,
            command: section.required(
                "command",
                "\"my-agent --task \\\"$SYNTHD_TASK\\\"\"",
                text(a_command),
            ),
            environment: section.texts("environment"),
            port: section.optional("port", whole(1..=u16::MAX)),
            max_output_tokens: section.optional("max_output_tokens", whole(1..=10_000_000)),
        };
        section.finish();
        raw
    }

    /// As campaigns name what it is.
    pub(super) fn scaffold(&self) -> String {
        format!("{}{}", ExternalScaffold::PREFIX, self.name)
    }

    pub(super) fn check(&self, reader: &ConfigReader) {
        if names::campaign(&self.name).is_err() {
            let what = format!("an agent cannot be named {:?}", self.name);
            let hint = "lower-case letters, digits and hyphens";
            reader.value(&self.place, ValueFault::new(what).hint(hint));
        }
        for entry in &self.environment {
            if let Some(fault) = unfit(&entry.name, &entry.text) {
                reader.value(&entry.span, ValueFault::new(fault));
            }
        }
    }

    pub(super) fn program(self) -> (String, AgentProgram) {
        let variables = self.environment.into_iter().map(|entry| (entry.name, entry.text));
        let program = AgentProgram {
            command: self.command.or(String::new()),
            environment: variables.collect::<BTreeMap<_, _>>(),
            port: self.port.or(AgentProgram::PORT),
            max_output_tokens: self.max_output_tokens.or(AgentProgram::MAX_OUTPUT_TOKENS),
        };
        (self.name, program)
    }
}

/// What cannot be in an environment.
fn unfit(name: &str, value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(plain) {
        return Some(format!("{name:?} is not the name of an environment variable"));
    }
    if value.len() > MOST_VALUE {
        return Some(format!("the value of {name} is longer than {} KiB", MOST_VALUE >> 10));
    }
    value.contains('\0').then(|| format!("the value of {name} holds a NUL"))
}

/// What a shell is given, in as many lines as it takes.
fn a_command(text: &str) -> Result<(), ValueFault> {
    some_text(&text.replace(['\n', '\t'], " "))
}

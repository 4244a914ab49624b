//! `[agents.<name>]`: agent programs, as a campaign file has them. A program runs in the sandbox
//! and calls its model through the agent gateway. Each one is a scaffold with the name
//! `external/<name>`.

use crate::config::campaign::names;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::{ConfigSection, NamedText};
use crate::config::reading::source::Span;
use crate::config::reading::values::{ValueFault, some_text, text, whole};
use std::collections::BTreeMap;
use synthd_actors::agent::ExternalAgent;
use synthd_actors::model::AgentProgram;

/// The most bytes of an environment variable's value. The kernel refuses longer ones.
const MOST_VALUE: usize = 90 << 10;

/// One agent program.
pub(in crate::config) struct RawAgent {
    pub(in crate::config) name: String,
    /// The position of its table.
    place: Span,
    /// What the sandbox's shell runs.
    command: RawField<String>,
    /// Further variables of the program.
    environment: Vec<NamedText>,
    /// The port in the sandbox at which the program reaches its model.
    port: RawField<u16>,
    /// The output cap of calls that set none.
    max_output_tokens: RawField<u32>,
}

impl RawAgent {
    /// Reads one table below `[agents]`.
    pub(in crate::config) fn read((name, mut section): (String, ConfigSection<'_, '_>)) -> Self {
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

    /// The position of the table.
    pub(in crate::config) fn place(&self) -> &Span {
        &self.place
    }

    /// The name of this program among the scaffolds: `external/` and its own name.
    pub(in crate::config) fn scaffold(&self) -> String {
        format!("{}{}", ExternalAgent::PREFIX, self.name)
    }

    /// Reports a name with other characters than lower-case letters, digits and hyphens, and
    /// variables that cannot be in an environment.
    pub(in crate::config) fn check(&self, reader: &ConfigReader) {
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

    /// The program with defaults for the keys that are absent.
    pub(in crate::config) fn program(self) -> (String, AgentProgram) {
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

/// Why an entry cannot be in the environment of a process. None if it can.
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

/// Checks the text of a command. It may have several lines and tabs.
fn a_command(text: &str) -> Result<(), ValueFault> {
    some_text(&text.replace(['\n', '\t'], " "))
}

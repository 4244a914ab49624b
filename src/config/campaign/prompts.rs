//! `[prompts.<scaffold>]`: the campaign's own prompts around its tasks. A file names each prompt by
//! the path of a text file. Before the campaign is checked, sent to the daemon or stored, `inline`
//! puts the texts in place of the paths:
//!
//! ```text
//! system = "prompts/system.md"
//! system = { file = "prompts/system.md", text = "You work in …" }
//! ```
//!
//! So a stored campaign does not depend on files that may change later.

use crate::config::reading::errors::{ConfigErrors, MAX_ERRORS};
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source::{SourceText, Span};
use crate::config::reading::values::{ValueFault, ValueResult};
use crate::error::Code;
use crate::word_suggestion;
use std::path::Path;
use synthd_actors::agent::{PromptKind, variables};
use synthd_actors::model::PromptOverrides;
use toml::de::{DeTable, DeValue};

/// The size limit of one prompt.
const MOST_BYTES: u64 = 256 << 10;
/// The prompts that a scaffold has, by their keys in the file.
const KEYS: [(&str, PromptKind); 2] =
    [("system", PromptKind::System), ("instruction", PromptKind::Instruction)];

/// The text of one prompt, and the path that it came from, for errors.
#[derive(Clone, Debug)]
pub(in crate::config) struct RawPrompt {
    file: String,
    text: String,
}

/// The prompts of one scaffold.
pub(in crate::config) struct RawPrompts {
    pub(in crate::config) scaffold: String,
    /// The position of the table.
    pub(in crate::config) place: Span,
    system: RawField<RawPrompt>,
    instruction: RawField<RawPrompt>,
}

impl RawPrompts {
    /// Reads one table below `[prompts]`.
    pub(in crate::config) fn read(
        (scaffold, mut section): (String, ConfigSection<'_, '_>),
    ) -> Self {
        let raw = Self {
            scaffold,
            place: section.place(),
            system: section.optional("system", prompt),
            instruction: section.optional("instruction", prompt),
        };
        section.finish();
        raw
    }

    /// Reports a scaffold that is not one of the engine's own (an external program has its own
    /// prompts), and prompts with unknown variables.
    pub(in crate::config) fn check(&self, scaffolds: &[&str], reader: &ConfigReader) {
        if !scaffolds.contains(&self.scaffold.as_str()) {
            let fault =
                ValueFault::new(format!("{:?} is not a scaffold of the engine", self.scaffold));
            reader
                .value(&self.place, fault.hint(word_suggestion::one_of(&self.scaffold, scaffolds)));
        }
        for (field, (_, kind)) in [&self.system, &self.instruction].into_iter().zip(KEYS) {
            if let (Some(prompt), Some(place)) = (field.given(), field.span()) {
                prompt.check(kind, place, reader);
            }
        }
    }

    /// The prompts for the campaign, by the scaffold's name.
    pub(in crate::config) fn prompts(self) -> (String, PromptOverrides) {
        let text = |field: RawField<RawPrompt>| field.into_option().map(|prompt| prompt.text);
        let (system, instruction) = (text(self.system), text(self.instruction));
        (self.scaffold, PromptOverrides { system, instruction })
    }
}

impl RawPrompt {
    /// Reports unknown variables such as `{{ nane }}`, and an instruction that does not contain the
    /// task: the model would not know what to do.
    fn check(&self, kind: PromptKind, place: &Span, reader: &ConfigReader) {
        let known: Vec<String> =
            kind.variables().iter().map(|name| format!("{{{{ {name} }}}}")).collect();
        let known = known.join(", ");
        match variables(&self.text, kind) {
            Err(unknown) => {
                let (file, line, name) = (&self.file, unknown.line, &unknown.name);
                let what = format!("{file}:{line}: there is no variable {name:?}");
                reader.value(place, ValueFault::new(what).hint(format!("known here: {known}")));
            }
            Ok(names) => {
                let asks = ["instruction", "builtin"].iter().any(|name| names.contains(name));
                if kind == PromptKind::Instruction && !asks {
                    let what = format!("{}: the text does not contain the task", self.file);
                    let hint = "write {{ instruction }} at the place of the task's own text";
                    reader.value(place, ValueFault::new(what).hint(hint));
                }
            }
        }
    }
}

/// Reads a prompt whose text was put in. A plain path here means that the campaign has no file
/// whose directory could be searched.
fn prompt(value: &DeValue<'_>) -> ValueResult<RawPrompt> {
    let table = match value {
        DeValue::Table(table) => table,
        DeValue::String(path) => {
            let what = format!(
                "{path} is read from the directory of the campaign file, but this \
                                campaign has no file"
            );
            return Err(ValueFault::new(what).hint("run or submit the campaign file"));
        }
        other => return Err(ValueFault::expected("the path of a file", other)),
    };
    let text = |key: &str| match table.get(key).map(|value| value.get_ref()) {
        Some(DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    };
    match (text("file"), text("text"), table.len()) {
        // Exactly the two fields that `inline` writes, so nobody can set other fields by hand.
        (Some(file), Some(text), 2) if !text.trim().is_empty() => Ok(RawPrompt { file, text }),
        (Some(file), Some(_), 2) => Err(ValueFault::new(format!("{file} is empty"))),
        _ => {
            Err(ValueFault::expected("the path of a file", value)
                .hint("such as \"prompts/system.md\""))
        }
    }
}

/// The source with the texts of its prompts in place of their paths. The paths start at the
/// directory of the campaign file. Broken TOML is returned unchanged; its errors are reported when
/// it is parsed. Fails with all prompts that cannot be read.
pub(in crate::config) fn inline(path: &Path, source: &str) -> Result<String, ConfigErrors> {
    let Ok(table) = DeTable::parse(source) else { return Ok(source.to_owned()) };
    let (mut text, mut problems) = (source.to_owned(), Vec::new());
    let mut named = paths(table.get_ref());
    // The last path is replaced first, so that the positions of the others stay valid.
    named.sort_by_key(|(_, span)| std::cmp::Reverse(span.start));
    for (file, span) in named {
        match read(&path.with_file_name("").join(&file)) {
            Ok(found) => {
                let inlined = format!("{{ file = {}, text = {} }}", quoted(&file), quoted(&found));
                text.replace_range(span, &inlined);
            }
            Err(why) => problems.push((span, format!("{file}: {why}"))),
        }
    }
    if problems.is_empty() {
        return Ok(text);
    }
    // The files were read from the last one to the first one.
    problems.reverse();
    let named = SourceText::new(&crate::config::reading::source::name_of(path), source);
    let hint = "a path from the directory of the campaign file, to a text of at most 256 KiB";
    let total = problems.len();
    let errors = problems.into_iter().take(MAX_ERRORS);
    let errors = errors.map(|(span, what)| named.error(&span, what, Some(hint.to_owned())));
    Err(ConfigErrors::new(Code::ConfigInvalid, path, errors.collect(), total))
}

/// The paths of all prompts, with their positions.
fn paths(table: &DeTable<'_>) -> Vec<(String, Span)> {
    let Some(DeValue::Table(prompts)) = table.get("prompts").map(|value| value.get_ref()) else {
        return Vec::new();
    };
    let scaffolds = prompts.iter().filter_map(|(_, value)| match value.get_ref() {
        DeValue::Table(keys) => Some(keys),
        _ => None,
    });
    let named = scaffolds.flat_map(|keys| KEYS.into_iter().filter_map(|(key, _)| keys.get(key)));
    let path = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(path) => Some((path.to_string(), value.span())),
        _ => None,
    };
    named.filter_map(path).collect()
}

/// Reads one prompt. At most one byte more than the limit is read.
fn read(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("longer than 256 KiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

/// A text as a TOML string. JSON has the same form, except for the character U+007F.
pub(in crate::config) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

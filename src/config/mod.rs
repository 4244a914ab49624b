//! Configuration: TOML files become the types that the engine runs on. There are five kinds of
//! files: a campaign, the daemon's own file, a standalone gateway's file, a recipe, and a rubric.
//!
//! ```text
//!  source    text and positions
//!    └─► syntax     TOML, with recovery from errors
//!          └─► raw        every key, with its type and range, read through `section`
//!                └─► validate   the values compared with each other, defaults ─► config
//! ```
//!
//! Mistakes do not stop the reading. They are collected by `reader` and reported all together, in
//! the order of the file, each with its line, a caret and a hint (`errors`, `render`). A value that
//! was wrong is marked (`RawField::Bad`), so that later checks do not complain about it again.
//!
//! Nothing here reads the environment or the network. Only prompts and template directories are
//! read from other files (`prompts`, `prompt_files`, `template_dirs`). API keys come from the environment in `llm`;
//! a file only holds the names of the variables, and error messages never show what could be a key
//! (`key_redaction`).

mod campaign;
mod daemon;
mod gateway;
mod reading;
mod recipe;
mod retention;
mod rubric;

#[cfg(test)]
mod tests;

pub use campaign::names::{
    DIALECTS, EndpointDefaults, KNOWN_PROVIDERS, KnownNames, KnownProvider, OFFER, SCRIPTED_MODELS,
};
pub use campaign::template_dirs::{LibraryProblem, TemplateStore};
pub use daemon::{DaemonConfig, DaemonPoolConfig, LogConfig, LogFormat, load_daemon, parse_daemon};
pub use gateway::{GatewayConfig, ListenAddress, load_gateway, parse_gateway};
pub use reading::errors::{ConfigError, ConfigErrors};
pub(crate) use reading::excerpt::TextDiagnostic;
pub(crate) use reading::units::{show_bytes, size};
pub use recipe::{LoadedRecipe, load_recipe, parse_recipe};
pub use rubric::{load_rubric, parse_rubric};

use crate::error::Code;
use campaign::raw::RawCampaign;
use reading::reader::{ConfigProblem, ConfigReader};
use reading::section::ConfigSection;
use reading::source::SourceText;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::CampaignConfig;
use synthd_actors::task::Catalog;
use synthd_actors::work::WorkInputs;
use synthd_actors::work::completion::PromptSet;
use toml::de::DeTable;

/// A campaign together with the text that it was made from. The store keeps the text, so that
/// everyone can see later what was run.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedCampaign {
    pub config: CampaignConfig,
    /// The text without a byte-order mark, with prompts and whole paths put in.
    pub source: String,
    /// What errors call the file; `<stdin>` for standard input.
    pub path: PathBuf,
    /// The prompts of its files. Only the functions that read other files fill it.
    pub prompts: Arc<PromptSet>,
}

impl LoadedCampaign {
    /// What the tasks of the campaign are made from: these templates, and its own prompts.
    pub fn inputs(&self, catalog: &Arc<Catalog>) -> WorkInputs {
        WorkInputs { catalog: catalog.clone(), prompts: self.prompts.clone() }
    }
}

/// A daemon's configuration and the file that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedDaemon {
    pub config: DaemonConfig,
    pub path: PathBuf,
}

/// Reads and checks a campaign file. Prompts are read, too, but the template directories are not.
/// Returns every mistake that was found.
pub fn load_campaign(path: &Path) -> Result<LoadedCampaign, ConfigErrors> {
    let text = read_text(path)?;
    parse_campaign(&reading::source::name_of(path), &text)
}

/// The same with the templates in its directories, beside those at hand. Every mistake of the
/// file and of the directories is told.
pub fn load_campaign_with<Templates: TemplateStore>(
    library: &Templates,
    path: &Path,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let name = reading::source::name_of(path);
    let text = reading::source::read(path)?;
    let text = reading::source::strip_bom(&text);
    let loaded = whole_text(path, text).and_then(|whole| parse_campaign(&name, &whole));
    let loaded = campaign::prompt_files::read(&name, text, base_of(path), loaded);
    campaign::template_dirs::read(library, &name, text, base_of(path), loaded)
}

/// Reads a campaign's text, with the texts of its prompts put in and with absolute paths of its
/// template directories. The result can be checked in another process, such as the daemon, whose
/// working directory is different.
pub fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    let text = reading::source::read(path)?;
    whole_text(path, reading::source::strip_bom(&text))
}

/// Puts in the prompts first and then the paths. Both are needed before the text leaves the
/// directory of its file.
fn whole_text(path: &Path, text: &str) -> Result<String, ConfigErrors> {
    let text = campaign::prompts::inline(path, text)?;
    campaign::whole_paths::made_whole(path, base_of(path), &text)
}

/// The directory at which relative paths in a campaign file begin. It is the working directory for
/// standard input.
fn base_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Checks the text of a campaign, and reads the templates in its directories.
pub fn parse_campaign_with<Templates: TemplateStore>(
    library: &Templates,
    name: &str,
    text: &str,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let (loaded, text) = (parse_campaign(name, text), reading::source::strip_bom(text));
    let loaded = campaign::prompt_files::read(name, text, Path::new(""), loaded);
    campaign::template_dirs::read(library, name, text, Path::new(""), loaded)
}

/// Checks the text of a campaign. `name` is what errors call the text. All names that this version
/// knows are allowed.
pub fn parse_campaign(name: &str, source: &str) -> Result<LoadedCampaign, ConfigErrors> {
    parse_campaign_for(&campaign::names::known_names(), name, source)
}

/// The same with other known providers, scaffolds and prices than those of this version.
pub fn parse_campaign_for(
    known_names: &KnownNames<'_>,
    name: &str,
    source: &str,
) -> Result<LoadedCampaign, ConfigErrors> {
    let read = |root: ConfigSection<'_, '_>, reader: &ConfigReader| {
        let root = root.unless_empty("nothing is set in this file", NOTHING);
        campaign::validate::campaign(RawCampaign::read(root, known_names), known_names, reader)
    };
    let config = parse(name, source, read)?;
    let source = reading::source::strip_bom(source).to_owned();
    Ok(LoadedCampaign { config, source, path: PathBuf::from(name), prompts: Arc::default() })
}

/// Reads the text of a campaign that the store keeps, for a command that asks no model. Its models
/// need no price, because the price table may be another one today.
pub fn parse_stored_campaign(name: &str, source: &str) -> Result<LoadedCampaign, ConfigErrors> {
    parse_campaign_for(&campaign::names::STORED, name, source)
}

/// The hint for an empty file.
const NOTHING: &str = "copy `config/quickstart.toml`; its comments explain every line";

/// Parses a text with `read` and collects everything that is wrong. This is the common core of all
/// kinds of files.
///
/// The parsing is done on a copy in which broken statements are blanked out, with all positions
/// unchanged. After syntax errors, only those problems of values are reported that stand apart from
/// the broken lines.
fn parse<T>(
    name: &str,
    text: &str,
    read: impl FnOnce(ConfigSection<'_, '_>, &ConfigReader) -> T,
) -> Result<T, ConfigErrors> {
    let path = Path::new(name);
    // A text from another process has not passed the limit in `reading::source::read`.
    if text.len() as u64 > reading::source::MAX_BYTES {
        return Err(reading::source::too_large(path));
    }
    let source = SourceText::new(name, reading::source::strip_bom(text));
    // Statements that hide the rest of the file are blanked out first.
    let (whole, mut problems) = reading::syntax::blank_broken(&source);
    let (table, errors) = DeTable::parse_recoverable(&whole);
    problems.extend(reading::syntax::problems(&source, &errors));
    // The reader runs even after syntax errors, so that all mistakes are reported together.
    let reader = ConfigReader::default();
    let config = read(ConfigSection::root(&reader, table.get_ref()), &reader);
    let (found, _) = reader.finish();
    // Problems of values on lines that were broken may be consequences of the broken syntax.
    let doubt = reading::syntax::UnreliableLines::new(&source, &problems);
    let found = found.into_iter().filter(|problem| doubt.trusts(&source, problem));
    problems.extend(found.collect::<Vec<_>>());
    if problems.is_empty() { Ok(config) } else { Err(told(&source, path, problems)) }
}

/// The problems as errors with positions, in the order of the file. At most `MAX_ERRORS` are kept;
/// the total is counted.
fn told(source: &SourceText<'_>, path: &Path, mut problems: Vec<ConfigProblem>) -> ConfigErrors {
    problems.sort_by_key(|problem| problem.span.start);
    let total = problems.len();
    let shown = problems.into_iter().take(reading::errors::MAX_ERRORS);
    let errors = shown.map(|one| source.error(&one.span, one.message, one.hint)).collect();
    ConfigErrors::new(Code::ConfigInvalid, path, errors, total)
}

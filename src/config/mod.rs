//! Configuration: TOML files turned into the types the engine runs on.
//!
//! `source` (text and places) -> `syntax` (TOML, recovering) -> `raw` (every key, typed and in
//! range, through `section`) -> `validate` (the values held against each other). Mistakes are
//! collected on the way and told all at once, in the order of the file.
//!
//! Nothing here reads the environment. Keys are the only thing taken from it, by what needs them
//! (`llm`).

mod daemon;
mod errors;
mod excerpt;
mod gateway;
mod key_redaction;
mod names;
mod prompts;
mod providers;
mod raw;
mod raw_agents;
mod raw_models;
mod raw_sampling;
mod reader;
mod render;
mod routing;
mod sampling;
mod section;
mod source;
mod syntax;
mod template_dirs;
mod units;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use daemon::{DaemonConfig, DaemonPoolConfig, LogConfig, LogFormat, load_daemon, parse_daemon};
pub use errors::{ConfigError, ConfigErrors};
pub(crate) use excerpt::TextDiagnostic;
pub use gateway::{GatewayConfig, ListenAddress, load_gateway, parse_gateway};
pub use names::{
    DIALECTS, EndpointDefaults, KNOWN_PROVIDERS, KnownNames, KnownProvider, OFFER, SCRIPTED_MODELS,
};
pub use template_dirs::{LibraryProblem, TemplateStore};
pub(crate) use units::size;

use crate::error::Code;
use raw::RawCampaign;
use reader::{ConfigProblem, ConfigReader};
use section::ConfigSection;
use source::SourceText;
use std::path::{Path, PathBuf};
use synthd_actors::model::CampaignConfig;
use toml::de::DeTable;

/// A campaign with the text it was made from, which is kept beside what it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedCampaign {
    pub config: CampaignConfig,
    /// The file without a byte-order mark.
    pub source: String,
    pub path: PathBuf,
}

/// A daemon's configuration and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedDaemon {
    pub config: DaemonConfig,
    pub path: PathBuf,
}

/// Reads and checks a campaign file.
pub fn load_campaign(path: &Path) -> Result<LoadedCampaign, ConfigErrors> {
    let text = read_text(path)?;
    parse_campaign(&source::name_of(path), &text)
}

/// The same with the templates in its directories, beside those at hand. Every mistake of the
/// file and of the directories is told.
pub fn load_campaign_with<Templates: TemplateStore>(
    library: &Templates,
    path: &Path,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let name = source::name_of(path);
    let text = source::read(path)?;
    let text = source::strip_bom(&text);
    let loaded = whole_text(path, text).and_then(|whole| parse_campaign(&name, &whole));
    template_dirs::read(library, &name, text, base_of(path), loaded)
}

/// Reads a campaign's text with those of its prompts and with the whole paths of its
/// directories, for who has it checked elsewhere.
pub fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    let text = source::read(path)?;
    whole_text(path, source::strip_bom(&text))
}

fn whole_text(path: &Path, text: &str) -> Result<String, ConfigErrors> {
    let text = prompts::inline(path, text)?;
    template_dirs::made_whole(path, base_of(path), &text)
}

/// What relative paths in a campaign file start from; the working directory for standard input.
fn base_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Checks the text of a campaign, and reads the templates in its directories.
pub fn parse_campaign_with<Templates: TemplateStore>(
    library: &Templates,
    name: &str,
    text: &str,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let loaded = parse_campaign(name, text);
    template_dirs::read(library, name, source::strip_bom(text), Path::new(""), loaded)
}

/// Checks the text of a campaign; `name` is what errors call it.
pub fn parse_campaign(name: &str, source: &str) -> Result<LoadedCampaign, ConfigErrors> {
    parse_campaign_for(&names::known_names(), name, source)
}

/// The same with other providers and scaffolds than this version's.
pub fn parse_campaign_for(
    offer: &KnownNames<'_>,
    name: &str,
    source: &str,
) -> Result<LoadedCampaign, ConfigErrors> {
    let read = |root: ConfigSection<'_, '_>, reader: &ConfigReader| {
        let root = root.unless_empty("nothing is set in this file", NOTHING);
        validate::campaign(RawCampaign::read(root, offer), offer, reader)
    };
    let config = parse(name, source, read)?;
    let source = source::strip_bom(source).to_owned();
    Ok(LoadedCampaign { config, source, path: PathBuf::from(name) })
}

const NOTHING: &str = "copy `config/quickstart.toml`; its comments explain every line";

/// Runs a reader over a text and collects what is wrong with it.
fn parse<T>(
    name: &str,
    text: &str,
    read: impl FnOnce(ConfigSection<'_, '_>, &ConfigReader) -> T,
) -> Result<T, ConfigErrors> {
    let path = Path::new(name);
    if text.len() as u64 > source::MAX_BYTES {
        return Err(source::too_large(path));
    }
    let source = SourceText::new(name, source::strip_bom(text));
    let (whole, mut problems) = syntax::blank_broken(&source);
    let (table, errors) = DeTable::parse_recoverable(&whole);
    problems.extend(syntax::problems(&source, &errors));
    let reader = ConfigReader::default();
    let config = read(ConfigSection::root(&reader, table.get_ref()), &reader);
    let (found, _) = reader.finish();
    let doubt = syntax::UnreliableLines::new(&source, &problems);
    let found = found.into_iter().filter(|problem| doubt.trusts(&source, problem));
    problems.extend(found.collect::<Vec<_>>());
    if problems.is_empty() { Ok(config) } else { Err(told(&source, path, problems)) }
}

/// Problems in the order of the file, with their places.
fn told(source: &SourceText<'_>, path: &Path, mut problems: Vec<ConfigProblem>) -> ConfigErrors {
    problems.sort_by_key(|problem| problem.span.start);
    let total = problems.len();
    let shown = problems.into_iter().take(errors::MAX_ERRORS);
    let errors = shown.map(|one| source.error(&one.span, one.message, one.hint)).collect();
    ConfigErrors::new(Code::ConfigInvalid, path, errors, total)
}

//! `tasks.template_dirs`: directories with the campaign's own templates. A file names them from its
//! own directory. Before the campaign is sent to the daemon or stored, `made_whole` replaces
//! relative paths by absolute ones, which mean the same in every process.

use crate::config::LoadedCampaign;
use crate::config::campaign::prompts::quoted;
use crate::config::reading::errors::{ConfigError, ConfigErrors};
use crate::config::reading::source::{SourceText, Span, name_of};
use crate::config::reading::values::{ValueFault, ValueResult, some_text};
use crate::error::Code;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Checks that a path is absolute. It runs after `made_whole`, so a relative path here means that
/// the campaign has no file.
pub(in crate::config) fn whole_path(value: &str) -> ValueResult<()> {
    some_text(value)?;
    if value.starts_with('~') {
        let hint = "write the whole path, or a path from the directory of the campaign file";
        return Err(ValueFault::new("`~` is not expanded in files").hint(hint));
    }
    if !Path::new(value).is_absolute() {
        let what = format!(
            "{value} starts at the directory of the campaign file, but this campaign has no file"
        );
        return Err(
            ValueFault::new(what).hint("run or submit the campaign file, or write the whole path")
        );
    }
    Ok(())
}

/// The text with absolute paths in place of the relative ones. `base` is the directory of the file.
/// Fails if a path is not UTF-8 or the working directory is not known.
pub(in crate::config) fn made_whole(
    path: &Path,
    base: &Path,
    text: &str,
) -> Result<String, ConfigErrors> {
    let (mut whole, mut mistakes) = (text.to_owned(), Vec::new());
    // The last path is replaced first, so that the positions of the others stay valid.
    for (directory, span) in named(text).into_iter().rev().filter(|(one, _)| is_relative(one)) {
        let found = std::path::absolute(base.join(&directory)).map_err(|error| error.to_string());
        let found = found.and_then(|found| {
            found
                .into_os_string()
                .into_string()
                .map_err(|_| "its whole path is not UTF-8".to_owned())
        });
        match found {
            Ok(found) => whole.replace_range(span, &quoted(&found)),
            Err(why) => mistakes.push((span, format!("{directory}: {why}"))),
        }
    }
    if mistakes.is_empty() {
        return Ok(whole);
    }
    let source = SourceText::new(&name_of(path), text);
    let told = mistakes.into_iter().rev().map(|(span, what)| source.error(&span, what, hint()));
    let told: Vec<ConfigError> = told.collect();
    let total = told.len();
    Err(ConfigErrors::new(Code::ConfigInvalid, path, told, total))
}

/// What keeps a directory, or a template in it, from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryProblem {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

/// Where the templates of a campaign's own directories go. The library of templates is one.
pub trait TemplateStore: Clone {
    /// Adds the templates below a directory, which people call `shown`. If something is wrong,
    /// nothing is added, and each problem is told.
    fn add(&mut self, directory: &Path, shown: &Path) -> Vec<LibraryProblem>;
}

/// The campaign and the templates in its directories, or all that is wrong with both.
pub(in crate::config) fn read<Templates: TemplateStore>(
    library: &Templates,
    name: &str,
    text: &str,
    base: &Path,
    loaded: Result<LoadedCampaign, ConfigErrors>,
) -> Result<(LoadedCampaign, Templates), ConfigErrors> {
    let mut library = library.clone();
    let source = SourceText::new(name, text);
    let mut mistakes: Vec<ConfigError> = Vec::new();
    for (directory, span) in named(text) {
        // The check of the campaign has already reported such a path.
        if directory.trim().is_empty() || directory.starts_with('~') {
            continue;
        }
        let troubles = library.add(&base.join(&directory), Path::new(&directory));
        mistakes.extend(
            troubles.into_iter().map(|one| source.error(&span, one.what, one.hint.or_else(hint))),
        );
    }
    match loaded {
        Ok(loaded) if mistakes.is_empty() => Ok((loaded, library)),
        // The campaign is valid, but a directory is not.
        Ok(_) => {
            // The mistakes of the directories become the only mistakes of the file.
            let none = ConfigErrors::new(Code::ConfigInvalid, Path::new(name), vec![], 0);
            Err(none.and(mistakes))
        }
        // The file itself cannot be read, so its directories say nothing.
        Err(errors) if errors.code() != Code::ConfigInvalid => Err(errors),
        Err(errors) => Err(errors.and(mistakes)),
    }
}

/// The hint for a directory that has no templates.
fn hint() -> Option<String> {
    let hint = "name a directory with <category>/<name>.yaml in it; a relative path starts at the \
                directory of the campaign file";
    Some(hint.to_owned())
}

/// Whether a path has to be made absolute. Invalid paths stay as they are, so that the error shows
/// what is in the file.
fn is_relative(directory: &str) -> bool {
    let said = !directory.trim().is_empty() && !directory.starts_with('~');
    said && PathBuf::from(directory).is_relative()
}

/// The directories in the text with their positions, in the order of the file. Broken TOML gives
/// none.
fn named(text: &str) -> Vec<(String, Span)> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let Some(DeValue::Table(tasks)) = table.get_ref().get("tasks").map(|value| value.get_ref())
    else {
        return Vec::new();
    };
    let Some(DeValue::Array(list)) = tasks.get("template_dirs").map(|value| value.get_ref()) else {
        return Vec::new();
    };
    let path = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(path) => Some((path.to_string(), value.span())),
        _ => None,
    };
    list.iter().filter_map(path).collect()
}

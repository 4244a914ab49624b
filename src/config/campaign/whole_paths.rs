//! Paths in a campaign file: `tasks.template_dirs`, `tasks.harbor`, `tasks.swe` and
//! `completions.prompts`. A file names them from
//! its own directory. Before the campaign is sent to the daemon or stored, `made_whole` replaces
//! relative paths by absolute ones, which mean the same in every process.

use crate::config::campaign::prompts::quoted;
use crate::config::reading::errors::{ConfigError, ConfigErrors};
use crate::config::reading::source::{SourceText, Span, name_of};
use crate::config::reading::values::{ValueFault, ValueResult, some_text};
use crate::error::Code;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A list of paths in a campaign file: its section, its key, and the hint for a path that cannot be
/// used.
pub(in crate::config) struct PathList {
    section: &'static str,
    key: &'static str,
    pub(in crate::config) hint: &'static str,
}

/// Directories with templates.
pub(in crate::config) const TEMPLATE_DIRS: PathList = PathList {
    section: "tasks",
    key: "template_dirs",
    hint: "name a directory with <category>/<name>.yaml in it; a relative path starts at the \
           directory of the campaign file",
};

/// Directories with task folders of Harbor.
pub(in crate::config) const HARBOR_TASKS: PathList = PathList {
    section: "tasks",
    key: "harbor",
    hint: "name a Harbor task folder, or a directory with such folders below it; a relative path starts \
           at the directory of the campaign file",
};

/// Files with rows in the style of SWE-bench.
pub(in crate::config) const SWE_ROWS: PathList = PathList {
    section: "tasks",
    key: "swe",
    hint: "name a `.jsonl` or `.parquet` file with a task in each row; a relative path starts at the \
           directory of the campaign file",
};

/// Files with prompts.
pub(in crate::config) const PROMPT_FILES: PathList = PathList {
    section: "completions",
    key: "prompts",
    hint: "name a `.jsonl` file with one JSON object a line, or a text with one prompt a line; a \
           relative path starts at the directory of the campaign file",
};

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
    let mut paths: Vec<(String, Span, &str)> = Vec::new();
    for list in [TEMPLATE_DIRS, HARBOR_TASKS, SWE_ROWS, PROMPT_FILES] {
        let found = list.named(text).into_iter().filter(|(one, _)| is_relative(one));
        paths.extend(found.map(|(one, span)| (one, span, list.hint)));
    }
    // The last path is replaced first, so that the positions of the others stay valid.
    paths.sort_by_key(|(_, span, _)| std::cmp::Reverse(span.start));
    for (one, span, hint) in paths {
        match absolute(&base.join(&one)) {
            Ok(found) => whole.replace_range(span, &quoted(&found)),
            Err(why) => mistakes.push((span, format!("{one}: {why}"), hint)),
        }
    }
    if mistakes.is_empty() {
        return Ok(whole);
    }
    let source = SourceText::new(&name_of(path), text);
    let told = mistakes.into_iter().rev();
    let told = told.map(|(span, what, hint)| source.error(&span, what, Some(hint.to_owned())));
    let told: Vec<ConfigError> = told.collect();
    let total = told.len();
    Err(ConfigErrors::new(Code::ConfigInvalid, path, told, total))
}

/// The absolute form of a path, as text.
fn absolute(path: &Path) -> Result<String, String> {
    let found = std::path::absolute(path).map_err(|error| error.to_string())?;
    let text = found.into_os_string().into_string();
    text.map_err(|_| "its whole path is not UTF-8".to_owned())
}

/// Whether a path has to be made absolute. Invalid paths stay as they are, so that the error shows
/// what is in the file.
fn is_relative(path: &str) -> bool {
    let said = !path.trim().is_empty() && !path.starts_with('~');
    said && PathBuf::from(path).is_relative()
}

impl PathList {
    /// The paths of the list with their positions, in the order of the file. Broken TOML gives none.
    pub(in crate::config) fn named(&self, text: &str) -> Vec<(String, Span)> {
        let Ok(table) = DeTable::parse(text) else { return Vec::new() };
        let section = table.get_ref().get(self.section).map(|value| value.get_ref());
        let Some(DeValue::Table(section)) = section else { return Vec::new() };
        let list = section.get(self.key).map(|value| value.get_ref());
        let Some(DeValue::Array(list)) = list else { return Vec::new() };
        let path = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::String(path) => Some((path.to_string(), value.span())),
            _ => None,
        };
        list.iter().filter_map(path).collect()
    }
}

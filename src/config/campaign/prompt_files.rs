//! `completions.prompts`: the files with the prompts of a campaign. They are read when the campaign
//! is checked, run or submitted. A line that is no prompt is a mistake with its file and its number.

use crate::config::LoadedCampaign;
use crate::config::campaign::whole_paths::PROMPT_FILES;
use crate::config::reading::errors::{ConfigError, ConfigErrors};
use crate::config::reading::source::{SourceText, Span, strip_bom};
use crate::error::Code;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::CompletionSettings;
use synthd_actors::work::completion::{PromptFormat, PromptSet, read_prompt};

/// The most bytes of a line. No model reads a longer prompt.
const MOST_LINE: u64 = 16 << 20;
/// The most bytes of all prompts of a campaign. They stay in memory while the campaign runs.
const MOST_BYTES: u64 = 512 << 20;
/// The most wrong lines of a file that are shown.
const MOST_SHOWN: usize = 5;

/// The campaign with its prompts, or all that is wrong with both. A campaign of another kind has no
/// prompts. `base` is where relative paths begin.
pub(in crate::config) fn read(
    name: &str,
    text: &str,
    base: &Path,
    loaded: Result<LoadedCampaign, ConfigErrors>,
) -> Result<LoadedCampaign, ConfigErrors> {
    let loaded = loaded?;
    let settings = &loaded.config.completions;
    let source = SourceText::new(name, text);
    let (mut prompts, mut mistakes) = (PromptSet::default(), Vec::new());
    let mut names = BTreeSet::new();
    for (file, span) in PROMPT_FILES.named(text) {
        // Rows tell a prompt by the name of its file and its line.
        if !names.insert(Path::new(&file).file_name().map(ToOwned::to_owned)) {
            mistakes.push(told(&source, &span, format!("{file}: another file has this name")));
        }
        let found = add_file(&mut prompts, settings, &base.join(&file), &file, MOST_BYTES);
        mistakes.extend(found.into_iter().map(|what| told(&source, &span, what)));
    }
    if mistakes.is_empty() && prompts.is_empty() && !settings.files.is_empty() {
        let spans = PROMPT_FILES.named(text);
        let first = spans.first().map_or(0..0, |(_, span)| span.clone());
        mistakes.push(told(&source, &first, "there is no prompt in these files".to_owned()));
    }
    if mistakes.is_empty() {
        return Ok(LoadedCampaign { prompts: Arc::new(prompts), ..loaded });
    }
    let none = ConfigErrors::new(Code::ConfigInvalid, Path::new(name), vec![], 0);
    Err(none.and(mistakes))
}

/// A mistake at the path of its file.
fn told(source: &SourceText<'_>, span: &Span, what: String) -> ConfigError {
    source.error(span, what, Some(PROMPT_FILES.hint.to_owned()))
}

/// Opens a regular file. Opening a pipe could wait for ever, and a device may never end.
fn open(path: &Path) -> Result<File, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    match found.is_file() {
        true => File::open(path).map_err(|error| error.to_string()),
        false => Err("is no regular file".to_owned()),
    }
}

/// The mistake of the line that makes the prompts too large.
fn too_large(shown: &str, index: u32, most: u64) -> String {
    let line = u64::from(index) + 1;
    format!(
        "{shown}:{line}: the prompts up to here have more than {} MiB; ask fewer with \
         `completions.limit`, or make several campaigns of them",
        most >> 20
    )
}

/// Whether the campaign asks for no further prompt.
fn is_full(prompts: &PromptSet, settings: &CompletionSettings) -> bool {
    settings.limit.is_some_and(|limit| prompts.len() as u64 >= limit)
}

/// Adds the prompts of one file, which people call `shown`. Returns what is wrong with it. All
/// prompts together may have `most` bytes. Prompts behind the limit of the campaign are read as far
/// as there is room: lines may have been added before a prompt that was planned earlier.
fn add_file(
    prompts: &mut PromptSet,
    settings: &CompletionSettings,
    path: &Path,
    shown: &str,
    most: u64,
) -> Vec<String> {
    let file = match open(path) {
        Ok(file) => file,
        Err(why) => return vec![format!("{shown}: {why}")],
    };
    let label = path.file_name().map_or(shown.into(), |name| name.to_string_lossy());
    let format = PromptFormat::of(&label);
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let (mut found, mut wrong) = (Vec::new(), 0_usize);
    for index in 0_u32.. {
        if is_full(prompts, settings) && prompts.bytes() > most {
            break;
        }
        line.clear();
        match reader.by_ref().take(MOST_LINE + 1).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return vec![format!("{shown}: {error}")],
        }
        if line.len() as u64 > MOST_LINE {
            return vec![format!("{shown}:{}: longer than 16 MiB", u64::from(index) + 1)];
        }
        let read = std::str::from_utf8(&line).map_err(|_| "the line is not UTF-8".to_owned());
        // Some editors begin a file with a byte-order mark.
        let read = read.map(|line| if index == 0 { strip_bom(line) } else { line });
        match read.and_then(|line| read_prompt(settings, format, &label, index, line)) {
            Ok(prompt) => prompt.into_iter().for_each(|prompt| prompts.push(prompt)),
            Err(what) => {
                wrong += 1;
                if found.len() < MOST_SHOWN {
                    found.push(format!("{shown}:{}: {what}", u64::from(index) + 1));
                }
            }
        }
        if prompts.bytes() > most && !is_full(prompts, settings) {
            return vec![too_large(shown, index, most)];
        }
    }
    if wrong > found.len() {
        found.push(format!("{shown}: and {} more lines", wrong - found.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".txt").tempfile().unwrap();
        let text: String = (0..count).map(|n| format!("question {n:04}\n")).collect();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn prompts_behind_the_limit_are_read_as_far_as_there_is_room() {
        let (file, mut prompts) = (lines(100), PromptSet::default());
        let settings = CompletionSettings { limit: Some(7), ..CompletionSettings::default() };
        // The ninth prompt is too much.
        let found = add_file(&mut prompts, &settings, file.path(), "q.txt", 8 * 15);
        assert_eq!((found, prompts.len()), (Vec::new(), 9));
    }

    #[test]
    fn prompts_that_are_too_large_together_are_refused() {
        let (file, mut prompts) = (lines(100), PromptSet::default());
        let settings = CompletionSettings::default();
        let found = add_file(&mut prompts, &settings, file.path(), "q.txt", 8 * 15);
        assert_eq!(prompts.len(), 9);
        assert!(
            found[0].starts_with("q.txt:9: the prompts up to here have more than"),
            "{found:?}"
        );
    }
}

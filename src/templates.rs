//! Loads templates: those that are shipped in the binary, and those in the user's directories.
//!
//! A template's id is its path below the directory without the extension: the file
//! `<directory>/git/undo-commit.yaml` has the id `git/undo-commit`. A user's template replaces a
//! shipped one with the same id. Two files of the user's with the same id are an error. The file
//! also shows template errors with path, line and caret.

use crate::config::{LibraryProblem, TemplateStore, TextDiagnostic};
use crate::error::{Code, Error, Result};
use crate::word_suggestion::one_of;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::task::{Catalog, TemplateError, UnknownWord};

/// The shipped templates as pairs of id and YAML text. The build script writes this list.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The most bytes of a template file, 4 MiB. No one writes more by hand.
const MAX_TEMPLATE: u64 = 4 << 20;
/// The most templates whose mistakes are shown; the others are counted.
const MAX_SHOWN: usize = 20;

/// The loaded templates, and the file of each template that comes from a user's directory. A clone
/// shares the templates until `TemplateLibrary::add` changes it. So a daemon can read a campaign
/// with directories of its own, and other campaigns do not see those templates.
#[derive(Clone, Debug, Default)]
pub struct TemplateLibrary {
    /// All templates by their ids.
    pub catalog: Arc<Catalog>,
    /// The files of the user's templates by their ids. Shipped templates are not in it.
    own: BTreeMap<String, PathBuf>,
}

/// The shipped templates, and over them those below `directories`.
pub fn load(directories: &[PathBuf]) -> Result<Arc<Catalog>> {
    Ok(TemplateLibrary::load(directories)?.catalog)
}

impl TemplateLibrary {
    /// Loads the shipped templates and the templates below `directories`. The error is
    /// `TemplateInvalid` and shows the mistakes of up to 20 templates.
    pub fn load(directories: &[PathBuf]) -> Result<Self> {
        let mut sources: Vec<(String, String, Option<PathBuf>)> =
            EMBEDDED.iter().map(|(id, text)| ((*id).into(), (*text).into(), None)).collect();
        for directory in directories {
            read_directory(directory, directory, &mut sources)?;
        }
        let mut own = BTreeMap::new();
        for (id, _, path) in &sources {
            let Some(path) = path else { continue };
            if let Some(first) = other_file(&own, id, path) {
                return Err(Error::new(Code::TemplateInvalid, twice(id, &first, path)).hint(TWICE));
            }
            own.insert(id.clone(), path.clone());
        }
        let pairs = sources.iter().map(|(id, text, _)| (id.as_str(), text.as_str()));
        let catalog = Catalog::read(pairs).map_err(|errors| invalid(&errors, &sources))?;
        Ok(Self { catalog: Arc::new(catalog), own })
    }
}

impl TemplateStore for TemplateLibrary {
    fn add(&mut self, directory: &Path, shown: &Path) -> Vec<LibraryProblem> {
        let (mut sources, mut troubles) = (Vec::new(), Vec::new());
        if let Err(error) = read_directory(directory, directory, &mut sources) {
            return vec![unread(&error)];
        }
        if sources.is_empty() {
            return vec![LibraryProblem {
                what: format!("{} has no template", shown.display()),
                hint: None,
            }];
        }
        let pairs = sources.iter().map(|(id, text, _)| (id.as_str(), text.as_str()));
        let read = Catalog::read(pairs).unwrap_or_else(|errors| {
            troubles.extend(errors.iter().map(|error| broken(error, &sources)));
            Catalog::default()
        });
        for (id, _, path) in &sources {
            let Some(path) = path else { continue };
            if let Some(first) = other_file(&self.own, id, path) {
                let (what, hint) = (twice(id, &first, path), Some(TWICE.to_owned()));
                troubles.push(LibraryProblem { what, hint });
            }
        }
        if troubles.is_empty() {
            self.catalog = Arc::new(self.catalog.with(read));
            self.own.extend(sources.into_iter().filter_map(|(id, _, path)| Some((id, path?))));
        }
        troubles
    }
}

/// The hint for an id that two files have.
const TWICE: &str = "an id stands for one template; remove or rename one of the two files";

/// The statement for an id that two files have.
fn twice(id: &str, first: &Path, second: &Path) -> String {
    format!("{id} is in two files: {} and {}", first.display(), second.display())
}

/// The file that already has this id, if it is another file. The same file may be reached over two
/// paths (a link, or a directory named twice); that is no conflict.
fn other_file(own: &BTreeMap<String, PathBuf>, id: &str, path: &Path) -> Option<PathBuf> {
    let first = own.get(id)?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    (real(first) != real(path)).then(|| first.clone())
}

/// The problem for a directory or a file that cannot be read.
fn unread(error: &Error) -> LibraryProblem {
    let why = std::error::Error::source(error).map_or(String::new(), |why| format!(": {why}"));
    LibraryProblem { what: format!("{error}{why}"), hint: None }
}

/// The problem for a mistake in a template: `path:line:column: message`.
fn broken(error: &TemplateError, sources: &[(String, String, Option<PathBuf>)]) -> LibraryProblem {
    let file = sources.iter().rev().find(|(id, ..)| *id == error.template);
    let file = file.and_then(|(_, _, path)| path.as_ref());
    let file = file.map_or_else(|| error.template.clone(), |path| path.display().to_string());
    let place = error.location.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    let schema = || "`synthd template schema` prints the format of templates".to_owned();
    let hint = Some(error.unknown.as_deref().map_or_else(schema, among));
    LibraryProblem { what: format!("{file}{place}: {}", error.message), hint }
}

/// The error for globs that select no template at all.
pub fn nothing_matches(globs: &[String]) -> Error {
    Error::new(Code::NothingToRun, format!("no template matches {}", globs.join(", ")))
        .hint("`synthd template list` shows all ids")
}

/// Reads all `*.yaml` files below `directory` and adds them to `sources` as id, text and path.
/// `root` is the directory that ids start at. Files are read in the order of their names, so that
/// errors have the same order every time.
fn read_directory(
    root: &Path,
    directory: &Path,
    sources: &mut Vec<(String, String, Option<PathBuf>)>,
) -> Result<()> {
    let listed = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut entries = listed.map_err(|error| {
        unreadable(directory, error)
            .hint("name a directory with --templates that has <category>/<name>.yaml")
    })?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // Links to directories are not followed, because they could lead in a circle. Links to
        // files are.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            read_directory(root, &path, sources)?;
        } else if path.extension().is_some_and(|e| e == "yaml") && path.is_file() {
            let text = read_template(&path)?;
            let id = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            sources.push((id.to_string_lossy().into_owned(), text, Some(path)));
        }
    }
    Ok(())
}

/// Reads one template file. Fails if the file is no UTF-8 text or is larger than [`MAX_TEMPLATE`].
fn read_template(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    // One byte more than allowed is read, so that a file of any size is found out without reading
    // it all.
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TEMPLATE + 1).read_to_string(&mut text));
    read.map_err(|error| {
        unreadable(path, error).hint(
            "a template is a text file in UTF-8; docs/templates.md \
                                      describes it",
        )
    })?;
    if text.len() as u64 > MAX_TEMPLATE {
        let what = format!("{} is larger than a template may be", path.display());
        return Err(Error::new(Code::TemplateInvalid, what)
            .hint("make large files with commands in `environment.setup`"));
    }
    Ok(text)
}

/// The error for a file or directory that cannot be read.
fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::TemplateInvalid, format!("cannot read {}", path.display())).with_source(error)
}

/// The user's error for a template that makes no task. It shows the file, the line and a caret.
pub fn unusable(error: &TemplateError, text: &str, directories: &[PathBuf]) -> Error {
    refused(1, &render_error(error, text, directories))
}

/// Only the rendered mistake, without the error around it: file, line, caret, message.
pub fn render_error(error: &TemplateError, text: &str, directories: &[PathBuf]) -> String {
    described(error, &file_of(&error.template, directories), text)
}

/// The file that a template was read from. The last directory that has the id wins. A shipped
/// template is shown as `templates/<id>.yaml`.
fn file_of(id: &str, directories: &[PathBuf]) -> String {
    let own = directories.iter().rev().map(|directory| directory.join(format!("{id}.yaml")));
    let file = own.into_iter().find(|file| file.is_file());
    file.map_or_else(|| format!("templates/{id}.yaml"), |file| file.display().to_string())
}

/// The error for several templates with mistakes. At most [`MAX_SHOWN`] are shown.
fn invalid(errors: &[TemplateError], sources: &[(String, String, Option<PathBuf>)]) -> Error {
    let shown: String = errors.iter().take(MAX_SHOWN).map(|error| of(error, sources)).collect();
    let left = errors.len().saturating_sub(MAX_SHOWN);
    let more = if left > 0 { format!("and {left} more templates\n") } else { String::new() };
    refused(errors.len(), &(shown + &more))
}

/// The error around rendered mistakes; `count` is the number of templates.
fn refused(count: usize, described: &str) -> Error {
    let what = if count == 1 {
        "a template cannot be used".to_owned()
    } else {
        format!("{count} templates cannot be used")
    };
    Error::new(Code::TemplateInvalid, what)
        .with_source(TemplateErrorList(described.trim_end().to_owned()))
        .hint("`synthd template schema` prints the format; docs/templates.md explains it")
}

/// Renders one mistake with the file and the text of its template.
fn of(error: &TemplateError, sources: &[(String, String, Option<PathBuf>)]) -> String {
    let found = sources.iter().rev().find(|(id, ..)| *id == error.template);
    let file = match found.and_then(|(_, _, path)| path.as_ref()) {
        Some(path) => path.display().to_string(),
        None => format!("templates/{}.yaml", error.template),
    };
    described(error, &file, found.map_or("", |(_, text, _)| text))
}

/// Renders a mistake as `rustc` shows its errors: path, line, caret, message, hint.
fn described(error: &TemplateError, path: &str, text: &str) -> String {
    let TemplateError { location, length, ref message, .. } = *error;
    let hint = error.unknown.as_deref().map(among);
    TextDiagnostic { path, text, location, length, message, hint }.render()
}

/// The hint for a word that the template does not know: the nearest known word, or all of them.
fn among(unknown: &UnknownWord) -> String {
    if unknown.known.is_empty() {
        return "the template has no parameters; add them under `parameters`".to_owned();
    }
    let known: Vec<&str> = unknown.known.iter().map(String::as_str).collect();
    one_of(&unknown.word, &known)
}

/// Rendered mistakes as the cause of an error. `Display` puts them on lines of their own.
#[derive(Debug)]
struct TemplateErrorList(String);

impl fmt::Display for TemplateErrorList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these lines:\n\n{}\n", self.0)
    }
}

impl std::error::Error for TemplateErrorList {}

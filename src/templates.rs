//! Loads templates: those that are shipped in the binary, and those in the user's directories.
//!
//! A template's id is its path below the directory: the file `<directory>/git/undo-commit.yaml` and the
//! directory `<directory>/git/undo-commit/` with a `template.yaml` have the id `git/undo-commit`. A
//! user's template replaces a shipped one with the same id. Two templates of the user's with the same
//! id are an error. What calibrations have found out of the templates (`calibration.toml`) is loaded with
//! them. The file also shows template errors with path, line and caret.

use crate::catalog_reader::read_catalog;
use crate::config::{LibraryProblem, TemplateStore, TextDiagnostic};
use crate::container_tasks::{FoundContainers, containers_at};
use crate::embedded_files::{DamagedFrame, EmbeddedFile, EmbeddedFrame};
use crate::error::{Code, Error, Result};
use crate::packs::PackLibrary;
use crate::template_calibration::CalibrationFile;
use crate::template_files::{TemplateSource, read_templates};
use crate::word_suggestion::one_of;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use synthd_actors::model::ContainerSource;
use synthd_actors::task::{
    Catalog, ContainerTask, FolderFile, TEMPLATE_FILE, Template, TemplateError, TemplateFolder,
    UnknownWord,
};

/// A shipped template and its files. A template in one file has only `template.yaml`.
struct EmbeddedTemplate {
    id: &'static str,
    is_directory: bool,
    files: &'static [EmbeddedFile],
}

/// The shipped templates, and the frame with the files of all of them.
struct EmbeddedLibrary {
    frame: EmbeddedFrame,
    templates: &'static [EmbeddedTemplate],
}

/// The build script writes this list.
static EMBEDDED: EmbeddedLibrary = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The most mistakes that are shown; the others are counted.
const MAX_SHOWN: usize = 50;

impl EmbeddedTemplate {
    fn source(&self, frame: &'static [u8]) -> Result<TemplateSource, DamagedFrame> {
        let file = |file: &EmbeddedFile| -> Result<_, DamagedFrame> {
            let (bytes, executable) = (Cow::Borrowed(file.bytes(frame)?), file.executable);
            Ok((file.path.to_owned(), FolderFile { bytes, executable }))
        };
        let folder = match self.files {
            [only] if !self.is_directory => TemplateFolder::single(only.bytes(frame)?),
            files => TemplateFolder::directory(files.iter().map(file).collect::<Result<_, _>>()?),
        };
        Ok(TemplateSource { id: self.id.to_owned(), folder: Arc::new(folder), path: None })
    }
}

/// The shipped templates. Their frame is expanded once in a process.
fn shipped_sources() -> Result<Vec<TemplateSource>, DamagedFrame> {
    static FRAME: OnceLock<Result<Vec<u8>, DamagedFrame>> = OnceLock::new();
    let frame = FRAME.get_or_init(|| EMBEDDED.frame.expand()).as_ref().map_err(Clone::clone)?;
    EMBEDDED.templates.iter().map(|template| template.source(frame)).collect()
}

/// The loaded templates, and the file of each template that comes from a user's directory. A clone
/// shares the templates until `TemplateLibrary::add` changes it. So a daemon can read a campaign
/// with directories of its own, and other campaigns do not see those templates.
#[derive(Clone, Debug, Default)]
pub struct TemplateLibrary {
    /// All templates by their ids.
    pub catalog: Arc<Catalog>,
    /// The files of the user's templates by their ids. Shipped templates are not in it.
    own: BTreeMap<String, PathBuf>,
    /// The packs from which templates may take their tasks.
    packs: PackLibrary,
}

/// The shipped templates, and over them those below `directories`.
pub fn load(directories: &[PathBuf]) -> Result<Arc<Catalog>> {
    Ok(TemplateLibrary::load(directories)?.catalog)
}

impl TemplateLibrary {
    /// Loads the shipped templates and the templates below `directories`. The error is
    /// `TemplateInvalid` and shows up to 50 mistakes.
    pub fn load(directories: &[PathBuf]) -> Result<Self> {
        let mut sources = shipped_sources()?;
        let mut packs = PackLibrary::shipped();
        for directory in directories {
            sources.extend(read_templates(directory)?);
            packs.add(directory)?;
        }
        let mut own = BTreeMap::new();
        if let Some(what) = add_own(&mut own, &sources).into_iter().next() {
            return Err(Error::new(Code::TemplateInvalid, what).hint(TWICE));
        }
        let catalog =
            read_catalog(&sources, &packs).map_err(|errors| invalid(&errors, &sources))?;
        let mut catalog = CalibrationFile::shipped()?.apply(&catalog);
        for directory in directories {
            catalog = CalibrationFile::beside(directory)?.apply(&catalog);
        }
        Ok(Self { catalog: Arc::new(catalog), own, packs })
    }

    /// Whether a template comes from a directory of the user's.
    pub fn is_own(&self, id: &str) -> bool {
        self.own.contains_key(id)
    }
}

impl TemplateStore for TemplateLibrary {
    fn add(&mut self, directory: &Path, shown: &Path) -> Vec<LibraryProblem> {
        let sources = match read_templates(directory) {
            Ok(sources) => sources,
            Err(error) => return vec![unread(&error)],
        };
        let mut packs = self.packs.clone();
        let added = match packs.add(directory) {
            Ok(added) => added,
            Err(error) => return vec![unread(&error)],
        };
        if sources.is_empty() && added == 0 {
            return vec![LibraryProblem {
                what: format!("{} has no template", shown.display()),
                hint: None,
            }];
        }
        let mut troubles = Vec::new();
        let read = read_catalog(&sources, &packs).unwrap_or_else(|errors| {
            troubles.extend(errors.iter().map(|error| broken(error, &sources)));
            Catalog::default()
        });
        let calibration = CalibrationFile::beside(directory).unwrap_or_else(|error| {
            troubles.push(unread(&error));
            CalibrationFile::default()
        });
        let mut own = self.own.clone();
        for what in add_own(&mut own, &sources) {
            troubles.push(LibraryProblem { what, hint: Some(TWICE.to_owned()) });
        }
        if troubles.is_empty() {
            self.catalog = Arc::new(calibration.apply(&self.catalog.with(read)));
            self.own = own;
            self.packs = packs;
        }
        troubles
    }

    fn add_containers(
        &mut self,
        source: ContainerSource,
        path: &Path,
        shown: &Path,
    ) -> Vec<LibraryProblem> {
        let FoundContainers { tasks, mut refused } = match containers_at(source, path, shown) {
            Ok(found) => found,
            Err(what) => return vec![LibraryProblem { what, hint: None }],
        };
        let (known, new): (Vec<ContainerTask>, Vec<ContainerTask>) =
            tasks.into_iter().partition(|one| self.catalog.get(&one.task.template).is_some());
        let twice = |one: ContainerTask| {
            let id = &one.task.template;
            (
                format!("{id} of {}", shown.display()),
                "another path has a task of this name".to_owned(),
            )
        };
        refused.extend(known.into_iter().map(twice));
        self.catalog = Arc::new(self.catalog.with(Catalog::of_containers(new, refused)));
        Vec::new()
    }
}

/// Adds the files of the user's templates by their ids. Returns a statement for each id that two
/// files have.
fn add_own(own: &mut BTreeMap<String, PathBuf>, sources: &[TemplateSource]) -> Vec<String> {
    let mut conflicts = Vec::new();
    for TemplateSource { id, path, .. } in sources {
        let Some(path) = path else { continue };
        match other_file(own, id, path) {
            Some(first) => conflicts.push(twice(id, &first, path)),
            None => {
                own.insert(id.clone(), path.clone());
            }
        }
    }
    conflicts
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
fn broken(error: &TemplateError, sources: &[TemplateSource]) -> LibraryProblem {
    let file = source_of(error, sources).and_then(|source| own_file(error, source));
    let file = file.map_or_else(|| error.template.clone(), |path| path.display().to_string());
    let place = error.location.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    let schema = || "`synthd template schema` prints the format of templates".to_owned();
    let hint = Some(error.unknown.as_deref().map_or_else(schema, among));
    LibraryProblem { what: format!("{file}{place}: {}", error.message), hint }
}

/// The template that has an error.
fn source_of<'a>(
    error: &TemplateError,
    sources: &'a [TemplateSource],
) -> Option<&'a TemplateSource> {
    sources.iter().rev().find(|source| source.id == error.template)
}

/// The file of the user's in which an error is. None if the template is shipped.
fn own_file(error: &TemplateError, source: &TemplateSource) -> Option<PathBuf> {
    let path = source.path.as_ref()?;
    if !source.folder.is_directory() || &*error.file == TEMPLATE_FILE {
        return Some(path.clone());
    }
    path.parent().map(|directory| directory.join(&*error.file))
}

/// The error for globs that select no template at all.
pub fn nothing_matches(globs: &[String]) -> Error {
    Error::new(Code::NothingToRun, format!("no template matches {}", globs.join(", ")))
        .hint("`synthd template list` shows all ids")
}

/// The user's error for a template that makes no task. It shows all mistakes with file, line and
/// caret.
pub fn unusable(template: &Template, errors: &[TemplateError], directories: &[PathBuf]) -> Error {
    refused(1, &render_errors(template, errors, directories))
}

/// Only the rendered mistakes, without the error around them: file, line, caret, message.
pub fn render_errors(
    template: &Template,
    errors: &[TemplateError],
    directories: &[PathBuf],
) -> String {
    let rendered = |error: &TemplateError| {
        described(error, &file_of(error, directories), template.text_at(error))
    };
    errors.iter().map(rendered).collect()
}

/// The file in which an error is. The last directory that has the file wins. A file of a shipped
/// template is shown as `templates/<path>`.
fn file_of(error: &TemplateError, directories: &[PathBuf]) -> String {
    let own = directories.iter().rev().map(|directory| directory.join(&*error.path));
    let file = own.into_iter().find(|file| file.is_file());
    file.map_or_else(|| format!("templates/{}", error.path), |file| file.display().to_string())
}

/// The error for several mistakes in templates. At most [`MAX_SHOWN`] are shown.
fn invalid(errors: &[TemplateError], sources: &[TemplateSource]) -> Error {
    let shown: String = errors.iter().take(MAX_SHOWN).map(|error| of(error, sources)).collect();
    let left = errors.len().saturating_sub(MAX_SHOWN);
    let more = if left > 0 { format!("and {left} more mistakes\n") } else { String::new() };
    let templates: BTreeSet<&str> = errors.iter().map(|error| error.template.as_str()).collect();
    refused(templates.len(), &(shown + &more))
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

/// Renders one mistake with its file and the text of the file.
fn of(error: &TemplateError, sources: &[TemplateSource]) -> String {
    let source = source_of(error, sources);
    let file = match source.and_then(|source| own_file(error, source)) {
        Some(path) => path.display().to_string(),
        None => format!("templates/{}", error.path),
    };
    described(error, &file, source.map_or("", |source| source.folder.shown(&error.file)))
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

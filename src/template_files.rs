//! Reads the files of templates from a directory of the user's. A template is a file
//! `<category>/<name>.yaml`, or a directory `<category>/<name>/` with a `template.yaml`.
//!
//! What is read is bounded, whatever the directory has: the size and the number of files, their sum,
//! and the depth. A link is followed only to a file in the same template's directory.

use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::pack::PACK_FILE;
use synthd_actors::task::{FolderFile, TEMPLATE_FILE, TemplateFolder};

/// The most bytes of a YAML file, 4 MiB. No one writes more by hand.
const MAX_TEMPLATE: u64 = 4 << 20;
/// The most bytes of another file of a template, 16 MiB.
const MAX_FILE: u64 = 16 << 20;
/// The most bytes of all files of a template, 64 MiB.
const MAX_FOLDER: u64 = 64 << 20;
/// The most files of a template.
const MAX_FILES: usize = 10_000;
/// The most directories around a file of a template.
const MAX_DEPTH: usize = 32;

/// A template that was found: its files, and where they are.
pub(crate) struct TemplateSource {
    pub(crate) id: String,
    pub(crate) folder: Arc<TemplateFolder>,
    /// The YAML file. None for a template that is shipped.
    pub(crate) path: Option<PathBuf>,
}

/// Reads all templates below a directory, in the order of their names, so that errors have the same
/// order every time.
pub(crate) fn read_templates(root: &Path) -> Result<Vec<TemplateSource>> {
    let mut sources = Vec::new();
    read_directory(root, root, &mut sources)?;
    Ok(sources)
}

/// Reads the templates below `directory`. `root` is the directory at which ids start.
fn read_directory(root: &Path, directory: &Path, sources: &mut Vec<TemplateSource>) -> Result<()> {
    let entries = sorted_entries(directory).map_err(|error| {
        unreadable(directory, error)
            .hint("name a directory with --templates that has <category>/<name>.yaml")
    })?;
    for entry in entries {
        let path = entry.path();
        // Links to directories are not followed, because they could lead in a circle. Links to
        // files are.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // The project of a pack may have files that look like templates.
            if path.join(PACK_FILE).is_file() {
                continue;
            }
            match is_template(root, &path)? {
                true => sources.push(read_folder(root, &path)?),
                false => read_directory(root, &path, sources)?,
            }
        } else if path.extension().is_some_and(|e| e == "yaml") && path.is_file() {
            sources.push(read_single(root, path)?);
        }
    }
    Ok(())
}

/// The entries of a directory in the order of their names.
fn sorted_entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = std::fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::path);
    Ok(entries)
}

/// Whether a directory is one template. A template in one file may have the name `template.yaml`; its
/// id says so.
fn is_template(root: &Path, directory: &Path) -> Result<bool> {
    let path = directory.join(TEMPLATE_FILE);
    if !path.is_file() {
        return Ok(false);
    }
    let own_id = format!("id: {}/template", id_of(root, directory));
    let text = read_template(&path)?;
    Ok(!text.lines().any(|line| line.trim_end() == own_id))
}

/// The id that follows from a path.
fn id_of(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Reads a template in one file.
fn read_single(root: &Path, path: PathBuf) -> Result<TemplateSource> {
    let folder = TemplateFolder::single(read_template(&path)?.into_bytes());
    let id = id_of(root, &path.with_extension(""));
    Ok(TemplateSource { id, folder: Arc::new(folder), path: Some(path) })
}

/// Reads a template in a directory.
fn read_folder(root: &Path, directory: &Path) -> Result<TemplateSource> {
    let real = directory.canonicalize().map_err(|error| unreadable(directory, error))?;
    let mut reader = FolderReader { directory, real, files: BTreeMap::new(), bytes: 0 };
    reader.read_below(directory, 0)?;
    let folder = TemplateFolder::directory(reader.files);
    let path = Some(directory.join(TEMPLATE_FILE));
    Ok(TemplateSource { id: id_of(root, directory), folder: Arc::new(folder), path })
}

/// Reads all files of one template's directory.
struct FolderReader<'a> {
    directory: &'a Path,
    /// The directory without links in its path.
    real: PathBuf,
    files: BTreeMap<String, FolderFile>,
    /// The sum of the sizes so far.
    bytes: u64,
}

impl FolderReader<'_> {
    fn read_below(&mut self, directory: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            let why = format!("is deeper than {MAX_DEPTH} directories in its template");
            return Err(refused(directory, &why));
        }
        let entries = sorted_entries(directory).map_err(|error| unreadable(directory, error))?;
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
            if kind.is_dir() {
                self.read_below(&path, depth + 1)?;
                continue;
            }
            if kind.is_symlink() {
                self.check_link(&path)?;
            }
            self.read_file(&path)?;
        }
        Ok(())
    }

    /// A link may lead only to a file in the template's directory.
    fn check_link(&self, path: &Path) -> Result<()> {
        let Ok(target) = path.canonicalize() else {
            return Err(refused(path, "is a link that leads nowhere"));
        };
        if !target.starts_with(&self.real) {
            return Err(refused(path, "is a link that leaves the template's directory"));
        }
        if target.is_dir() {
            return Err(refused(path, "is a link to a directory; only links to files are read"));
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let data = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
        // To open a pipe would wait for its other end.
        if !data.is_file() {
            return Err(refused(path, "is neither a file nor a directory"));
        }
        if self.files.len() == MAX_FILES {
            let why = format!("is one file too many; a template has at most {MAX_FILES}");
            return Err(refused(path, &why));
        }
        let name = self.name_of(path)?;
        let limit = if name == TEMPLATE_FILE { MAX_TEMPLATE } else { MAX_FILE };
        let bytes = read_bounded(path, limit)?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_FOLDER {
            let why = format!("brings its template above {} MiB", MAX_FOLDER >> 20);
            return Err(refused(path, &why));
        }
        let file = FolderFile { bytes: bytes.into(), executable: is_executable(&data) };
        self.files.insert(name, file);
        Ok(())
    }

    /// The path of a file in the template's directory, with `/` between its parts.
    fn name_of(&self, path: &Path) -> Result<String> {
        let below = path.strip_prefix(self.directory).unwrap_or(path);
        let name = below.to_str().map(str::to_owned);
        name.ok_or_else(|| refused(path, "has a name that is not text in UTF-8"))
    }
}

fn is_executable(data: &Metadata) -> bool {
    data.permissions().mode() & 0o100 != 0
}

/// Reads a file of at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed is read, so that a file of any size is found out without reading
    // it all.
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(path));
    }
    Ok(bytes)
}

/// The error for a file above its limit.
fn too_large(path: &Path) -> Error {
    let what = format!("{} is larger than a file of a template may be", path.display());
    Error::new(Code::TemplateInvalid, what)
        .hint("make large files with commands in `environment.setup`")
}

/// Reads the text of a YAML file.
fn read_template(path: &Path) -> Result<String> {
    let bytes = read_bounded(path, MAX_TEMPLATE)?;
    String::from_utf8(bytes).map_err(|error| {
        unreadable(path, io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    })
}

/// The error for a file that a template must not have.
fn refused(path: &Path, why: &str) -> Error {
    Error::new(Code::TemplateInvalid, format!("{} {why}", path.display()))
        .hint("docs/templates.md says what the directory of a template may have")
}

/// The error for a file or directory that cannot be read.
fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::TemplateInvalid, format!("cannot read {}", path.display()))
        .with_source(error)
        .hint(
            "a template is a text file in UTF-8, or a directory; docs/templates.md describes both",
        )
}

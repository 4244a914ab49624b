//! Where templates come from: the binary, and directories of one's own.

use crate::error::{Code, Error, Result};
use std::path::{Path, PathBuf};
use synthd_actors::task::{Catalog, TemplateError};

/// `(id, text)` of every shipped template.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// More than anybody writes by hand.
const MAX_TEMPLATE: u64 = 4 << 20;

/// The shipped templates, and over them those below `directories`.
pub fn load(directories: &[PathBuf]) -> Result<Catalog> {
    let mut sources: Vec<(String, String, Option<PathBuf>)> =
        EMBEDDED.iter().map(|(id, text)| ((*id).into(), (*text).into(), None)).collect();
    for directory in directories {
        read_directory(directory, directory, &mut sources)?;
    }
    let pairs = sources.iter().map(|(id, text, _)| (id.as_str(), text.as_str()));
    Catalog::read(pairs).map_err(|errors| invalid(&errors, &sources))
}

/// A selection that selects nothing.
pub fn nothing_matches(globs: &[String]) -> Error {
    Error::new(Code::NothingToRun, format!("no template matches {}", globs.join(", ")))
        .hint("`synthd template list` shows the ids there are")
}

fn read_directory(
    root: &Path,
    directory: &Path,
    sources: &mut Vec<(String, String, Option<PathBuf>)>,
) -> Result<()> {
    let listed = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut entries = listed.map_err(|error| {
        unreadable(directory, error)
            .hint("give --templates a directory that holds <category>/<name>.yaml")
    })?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // Links to directories are not followed: they could lead in circles.
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

fn read_template(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TEMPLATE + 1).read_to_string(&mut text));
    read.map_err(|error| {
        unreadable(path, error).hint("a template is a text file in UTF-8; docs/templates.md")
    })?;
    if text.len() as u64 > MAX_TEMPLATE {
        let what = format!("{} is larger than a template may be", path.display());
        return Err(Error::new(Code::TemplateInvalid, what)
            .hint("make large files in `environment.setup` instead of writing them out"));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::TemplateInvalid, format!("cannot read {}", path.display())).because(error)
}

fn invalid(errors: &[TemplateError], sources: &[(String, String, Option<PathBuf>)]) -> Error {
    let lines: Vec<String> = errors.iter().map(|error| describe(error, sources)).collect();
    let many = if errors.len() == 1 { "a template is" } else { "templates are" };
    Error::new(Code::TemplateInvalid, format!("{many} not usable\n  {}", lines.join("\n  ")))
        .hint("`synthd template schema` prints the format; docs/templates.md explains it")
}

fn describe(error: &TemplateError, sources: &[(String, String, Option<PathBuf>)]) -> String {
    let found = sources.iter().rev().find(|(id, ..)| *id == error.template);
    let file = match found.and_then(|(_, _, path)| path.as_ref()) {
        Some(path) => path.display().to_string(),
        None => format!("templates/{}.yaml", error.template),
    };
    match error.location {
        Some((line, column)) => format!("{file}:{line}:{column}: {}", error.message),
        None => format!("{file}: {}", error.message),
    }
}

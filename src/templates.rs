//! Where templates come from: the binary, and directories of one's own.

use crate::error::{Code, Error, Result};
use std::path::{Path, PathBuf};
use synthd_actors::task::{Catalog, TemplateError};

/// `(id, text)` of every shipped template.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

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

/// What selects no template is a mistake.
pub fn nothing_matches(globs: &[String]) -> Error {
    Error::new(Code::NothingToRun, format!("no template matches {}", globs.join(", ")))
        .hint("`synthd template list` shows the ids there are")
}

fn read_directory(
    root: &Path,
    directory: &Path,
    sources: &mut Vec<(String, String, Option<PathBuf>)>,
) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::new(Code::TemplateInvalid, format!("cannot read {}", directory.display()))
            .because(error)
            .hint("give --templates a directory that holds <category>/<name>.yaml")
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .map_err(unreadable)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(unreadable)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_directory(root, &path, sources)?;
        } else if path.extension().is_some_and(|e| e == "yaml") {
            let text = std::fs::read_to_string(&path).map_err(unreadable)?;
            let id = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            sources.push((id.to_string_lossy().into_owned(), text, Some(path)));
        }
    }
    Ok(())
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

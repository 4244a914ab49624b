//! Which campaigns the recipes of a data directory have made datasets of.

use crate::dataset::metadata_of;
use crate::error::{Code, Error, Result};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The campaigns whose rows are in versions that a recipe has made below `data_dir`. Fails if a version cannot
/// be read, because nobody knows then what it was made of. Versions in other places are not known.
pub fn recipe_sources(data_dir: &Path) -> Result<BTreeSet<String>> {
    let home = data_dir.join("datasets");
    let unread = |error: io::Error| {
        Error::new(Code::Io, format!("{} cannot be read", home.display())).with_source(error)
    };
    let mut sources = BTreeSet::new();
    for dataset in directories(&home).map_err(unread)? {
        for version in directories(&dataset).map_err(unread)? {
            if version.join("metadata.json").exists() {
                let curation = metadata_of(&version)?.curation;
                let found = curation.into_iter().flat_map(|report| report.sources);
                sources.extend(found.map(|source| source.campaign));
            }
        }
    }
    Ok(sources)
}

/// The visible directories in a directory. None if it is not there.
fn directories(home: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(home) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

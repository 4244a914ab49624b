//! `synthd dataset stats`: the figures of a version, counted again from its rows.

use super::manifest::FileEntry;
use super::read::for_each_row;
use super::tally::{DatasetFigures, DatasetTally};
use super::verify::{format_of, open_manifest};
use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::path::{Component, Path};
use synthd_actors::model::{DatasetSplit, RowFormat};

/// The figures of a version.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetStats {
    /// The directory of the version.
    pub path: String,
    pub campaign: String,
    pub version: u32,
    /// The digest that the manifest states.
    pub digest: String,
    /// The size of all listed files together.
    pub bytes: u64,
    /// All files that the manifest lists.
    pub files: Vec<FileEntry>,
    /// The figures counted from the rows. In JSON their fields are beside those above.
    #[serde(flatten)]
    pub figures: DatasetFigures,
}

/// Counts all rows of the Parquet files that the manifest lists. Nothing is taken from
/// `metadata.json`. Fails if the directory is no dataset version or if a file cannot be read. The
/// checksums are not checked; this is what `verify` does.
pub fn stats(dir: &Path) -> Result<DatasetStats> {
    let manifest = open_manifest(dir)?;
    let format = format_of(&manifest);
    let mut tally = DatasetTally::of(format);
    for file in &manifest.files {
        if let Some(split) = file.split {
            count(dir, file, split, format, &mut tally)?;
        }
    }
    Ok(DatasetStats {
        path: dir.display().to_string(),
        campaign: manifest.campaign,
        version: manifest.version,
        digest: manifest.digest,
        bytes: manifest.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
        files: manifest.files,
        figures: tally.figures(),
    })
}

/// Adds the rows of one file to the tally.
fn count(
    dir: &Path,
    file: &FileEntry,
    split: DatasetSplit,
    format: RowFormat,
    tally: &mut DatasetTally,
) -> Result<()> {
    let path = Path::new(&file.path);
    let damaged = |message: String| {
        Error::new(Code::DatasetDamaged, message)
            .hint(format!("`synthd dataset verify {}` lists everything", dir.display()))
    };
    // The manifest may be forged. A path with a slash or `..` could name any file of this host.
    if !matches!(path.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
        return Err(damaged(format!("{:?} in the manifest is not a plain file name", file.path)));
    }
    let path = dir.join(path);
    for_each_row(&path, format, |_, row| tally.add(split, &row))
        .map(|_| ())
        .map_err(|error| damaged(format!("{} cannot be read", path.display())).with_source(error))
}

//! `synthd dataset stats`: the figures of a version, counted again from its rows.

use super::manifest::FileEntry;
use super::tally::{DatasetFigures, DatasetTally};
use super::verify::{format_of, open_manifest};
use super::version_rows::each_row;
use crate::error::Result;
use serde::Serialize;
use std::path::Path;

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
    each_row(dir, &mut |split, row| tally.add(split, &row))?;
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

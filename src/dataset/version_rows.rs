//! The rows of a version, for commands that compare or look up single rows. Checksums are not checked;
//! this is what `verify` does.

use super::manifest::{DatasetManifest, METADATA, read_json};
use super::metadata::DatasetMetadata;
use super::read::for_each_row;
use super::verify::{format_of, open_manifest};
use super::version::DatasetVersions;
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::path::{Component, Path};
use synthd_actors::model::{CampaignName, DatasetRow, DatasetSplit, digest_of};

/// The rows of a version by id: the split and a digest of the content.
pub type VersionRows = BTreeMap<String, (DatasetSplit, String)>;

/// The rows of a version with their digests.
pub fn rows_of(dir: &Path) -> Result<VersionRows> {
    let mut rows = VersionRows::new();
    each_row(dir, &mut |split, row| {
        let content = serde_json::to_string(&row).unwrap_or_default();
        rows.insert(row.id().to_owned(), (split, digest_of(&[&content])));
    })?;
    Ok(rows)
}

/// The split of a row; none if the version does not have it.
pub fn row_in(dir: &Path, id: &str) -> Result<Option<DatasetSplit>> {
    let mut found = None;
    each_row(dir, &mut |split, row| {
        if row.id() == id {
            found = Some(split);
        }
    })?;
    Ok(found)
}

/// What the version says of itself.
pub fn metadata_of(dir: &Path) -> Result<DatasetMetadata> {
    open_manifest(dir)?;
    read_json(&dir.join(METADATA)).map_err(|error| {
        Error::new(Code::DatasetDamaged, format!("{METADATA} of {} cannot be read", dir.display()))
            .with_source(error)
            .hint(format!("`synthd dataset verify {}` lists everything", dir.display()))
    })
}

/// The list of the files of a version.
pub fn manifest_of(dir: &Path) -> Result<DatasetManifest> {
    open_manifest(dir)
}

/// What the newest version of a dataset says of itself. None if there is none, or if it cannot be read.
pub fn newest_version(data_dir: &Path, name: &CampaignName) -> Option<DatasetMetadata> {
    let versions = DatasetVersions::of(data_dir, name).ok()?;
    versions.metadata(versions.newest().ok()?)
}

/// Calls `see` with each row of all splits.
pub fn each_row(dir: &Path, see: &mut dyn FnMut(DatasetSplit, DatasetRow)) -> Result<()> {
    let manifest = open_manifest(dir)?;
    let format = format_of(&manifest);
    for file in &manifest.files {
        let Some(split) = file.split else { continue };
        let damaged = |message: String| {
            Error::new(Code::DatasetDamaged, message)
                .hint(format!("`synthd dataset verify {}` lists everything", dir.display()))
        };
        let path = Path::new(&file.path);
        // The manifest may be forged. A path with a slash or `..` could name any file of this host.
        if !matches!(path.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
            return Err(damaged(format!(
                "{:?} in the manifest is not a plain file name",
                file.path
            )));
        }
        let path = dir.join(path);
        for_each_row(&path, format, |_, row| see(split, row)).map_err(|error| {
            damaged(format!("{} cannot be read", path.display())).with_source(error)
        })?;
    }
    Ok(())
}

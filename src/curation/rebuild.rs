//! Makes a version of a recipe again from the store, and compares it file by file.

use super::build::build_below;
use crate::config::parse_recipe;
use crate::dataset::{DatasetManifest, manifest_of, metadata_of};
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The files that say when and under which number a version was written.
const OF_THE_WRITING: [&str; 3] = ["README.md", "croissant.json", "metadata.json"];

/// Builds the version of a directory again, with the rows of `data_dir`, and returns the names of the
/// files that differ or that only one of both has. The version itself stays as it is. Paths of the
/// recipe begin at the working directory.
pub async fn rebuild(
    dir: &Path,
    data_dir: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<Vec<String>> {
    let curation = metadata_of(dir)?.curation.ok_or_else(|| {
        let what = format!("{} was made by no recipe", dir.display());
        Error::new(Code::DatasetFormat, what)
            .hint("`synthd dataset build CAMPAIGN` tells whether the newest version would be equal")
    })?;
    let loaded = parse_recipe("recipe.toml", &curation.recipe).map_err(|errors| {
        let what = format!("the recipe of {} is no recipe of this synthd", dir.display());
        Error::new(Code::DatasetFormat, what)
            .with_source(errors)
            .hint("build it again with the synthd that metadata.json names")
    })?;
    let again = tempfile::tempdir().map_err(|error| {
        let what = format!("no directory for the rebuilt version: {error}");
        Error::new(Code::Unexpected, what).hint("set TMPDIR to a directory with room")
    })?;
    let built = build_below(&loaded, data_dir, again.path(), progress).await?;
    let made = manifest_of(Path::new(&built.publication.record.path))?;
    Ok(differing(&manifest_of(dir)?, &made))
}

fn differing(before: &DatasetManifest, after: &DatasetManifest) -> Vec<String> {
    let sums = |manifest: &DatasetManifest| -> BTreeMap<String, String> {
        let files = manifest.files.iter();
        let kept = files.filter(|file| !OF_THE_WRITING.contains(&file.path.as_str()));
        kept.map(|file| (file.path.clone(), file.sha256.clone())).collect()
    };
    let (before, after) = (sums(before), sums(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

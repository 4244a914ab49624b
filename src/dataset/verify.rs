//! `synthd dataset verify`: reads a version as somebody who does not know where it comes from, and
//! trusts none of it.
//!
//! The checks are, in this order: the manifest; the list of files against the directory; size and
//! checksum of each file; the schema and the rows of each Parquet file; the digest and the metadata
//! against the rows. All findings are collected. A file whose bytes differ from the manifest is not
//! decoded, because its content would prove nothing.

use super::checks::{RowChecks, RowPlace};
use super::first_format::FIRST_FORMAT;
use super::manifest::{
    DatasetManifest, FileEntry, MANIFEST, MANIFEST_SCHEMA, METADATA, read_json, sha256_of,
};
use super::metadata::DatasetMetadata;
use super::problem::{DatasetProblems, ReadJsonError};
use super::read::for_each_row;
use super::tally::DatasetFigures;
use crate::error::{Code, Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};
use synthd_actors::model::{COMPLETION_SCHEMA, DatasetSplit, ROW_SCHEMA, RowFormat};

/// The row formats that this synthd reads.
const FORMATS: [&str; 3] = [FIRST_FORMAT, ROW_SCHEMA, COMPLETION_SCHEMA];

/// What was checked and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetVerifyReport {
    /// The directory of the version.
    pub path: String,
    pub campaign: String,
    pub version: u32,
    pub digest: String,
    /// How many files the manifest lists, and below their size together.
    pub files: u64,
    pub bytes: u64,
    /// How many rows were read.
    pub rows: u64,
    /// How many steps the rows have. None if rows of this format have no steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The findings. Empty if the version is sound.
    pub problems: DatasetProblems,
}

/// Checks a version. Any finding is an error, which lists the findings.
pub fn verify(dir: &Path) -> Result<DatasetVerifyReport> {
    let report = inspect(dir)?;
    if report.problems.is_empty() {
        return Ok(report);
    }
    let count = report.problems.count();
    let noun = if count == 1 { "problem" } else { "problems" };
    Err(Error::new(Code::DatasetDamaged, format!("{}: {count} {noun}", dir.display()))
        .with_source(report.problems)
        .hint(
            "do not use this copy; get the version again, or run the campaign again to write a \
               new version",
        ))
}

/// Checks a version and reports the findings. Fails only if the manifest is missing, cannot be read,
/// or states an unknown row format.
pub fn inspect(dir: &Path) -> Result<DatasetVerifyReport> {
    let manifest = open_manifest(dir)?;
    let mut checks = RowChecks::of(format_of(&manifest), &manifest.row_schema);
    check_manifest(&manifest, &mut checks.problems);
    check_listing(dir, &manifest, &mut checks.problems);
    let campaigns = campaigns_of(dir, &manifest);
    // False as soon as the rows of one file were not read completely.
    let mut complete = true;
    for file in &manifest.files {
        complete &= check_file(dir, &campaigns, file, &mut checks);
    }
    check_claims(dir, &manifest, complete, &mut checks);
    Ok(report(dir, manifest, checks))
}

/// The campaigns that rows may come from: those of the recipe, or else the one of the dataset. If the
/// metadata cannot be read, `check_claims` tells it.
fn campaigns_of(dir: &Path, manifest: &DatasetManifest) -> Vec<String> {
    let metadata: Option<DatasetMetadata> = read_json(&dir.join(METADATA)).ok();
    let curation = metadata.and_then(|metadata| metadata.curation);
    curation.map_or_else(
        || vec![manifest.campaign.clone()],
        |curation| curation.sources.into_iter().map(|source| source.campaign).collect(),
    )
}

/// The manifest of a version. Fails if the directory has none, if it cannot be read, or if the rows
/// have a format that this synthd does not know.
pub(super) fn open_manifest(dir: &Path) -> Result<DatasetManifest> {
    // The row format is read first and alone: a newer format may have another manifest, and the
    // error should then name the format.
    let read = read_json(&dir.join(MANIFEST)).map(|manifest: Value| {
        let format = manifest.get("row_schema").and_then(Value::as_str).map(str::to_owned);
        (serde_json::from_value(manifest), format)
    });
    let unread = |error: ReadJsonError| {
        let path = dir.display();
        if error.is_missing() || !dir.is_dir() {
            return Error::new(Code::NotADataset, format!("{path} has no {MANIFEST}"))
                .hint("name the directory of one version, for example datasets/<campaign>/v1");
        }
        Error::new(Code::DatasetDamaged, format!("the manifest of {path} cannot be read"))
            .with_source(error)
            .hint("get this version again, or run the campaign again to write a new version")
    };
    let (manifest, format) = read.map_err(unread)?;
    // An unknown format is reported even if the rest of the manifest cannot be parsed.
    match format {
        Some(format) if !FORMATS.contains(&format.as_str()) => Err(foreign_format(dir, &format)),
        _ => manifest.map_err(|error| unread(error.into())),
    }
}

/// The format of the rows of a version. [`open_manifest`] refuses a version of any other.
pub(super) fn format_of(manifest: &DatasetManifest) -> RowFormat {
    RowFormat::of(&manifest.row_schema).unwrap_or_default()
}

/// The error for rows of an unknown format.
fn foreign_format(dir: &Path, format: &str) -> Error {
    let path = dir.display();
    Error::new(Code::DatasetFormat, format!("the rows of {path} are of the format {format:?}"))
        .with_source(format!("this synthd reads {}", FORMATS.join(", ")))
        .hint("use the synthd that wrote the version, or a newer one")
}

/// The report on a version after all checks.
fn report(dir: &Path, manifest: DatasetManifest, checks: RowChecks) -> DatasetVerifyReport {
    let figures = checks.tally.figures();
    let steps = match &figures {
        DatasetFigures::Trajectory(figures) => Some(figures.totals.steps),
        DatasetFigures::Completion(_) => None,
    };
    DatasetVerifyReport {
        path: dir.display().to_string(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
        campaign: manifest.campaign,
        version: manifest.version,
        digest: manifest.digest,
        rows: figures.rows(),
        steps,
        problems: checks.problems,
    }
}

/// Checks the manifest itself: its format, and that each split has a file.
fn check_manifest(manifest: &DatasetManifest, problems: &mut DatasetProblems) {
    if manifest.schema != MANIFEST_SCHEMA {
        problems
            .file(MANIFEST, format!("schema is {:?}, not {MANIFEST_SCHEMA:?}", manifest.schema));
    }
    for split in DatasetSplit::ALL {
        if !manifest.files.iter().any(|file| file.split == Some(split)) {
            problems.file(MANIFEST, format!("no file for the split {}", split.as_str()));
        }
    }
}

/// Checks that no file is listed twice, that `metadata.json` is listed, and that the directory
/// contains no file that is not listed. A file that is listed and missing is found by
/// [`check_bytes`].
fn check_listing(dir: &Path, manifest: &DatasetManifest, problems: &mut DatasetProblems) {
    let mut listed = BTreeSet::from([MANIFEST]);
    for file in &manifest.files {
        if !listed.insert(&file.path) {
            problems.file(&file.path, "listed twice in the manifest");
        }
    }
    if !listed.contains(METADATA) {
        problems.file(METADATA, "not listed in the manifest");
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return problems.file(".", format!("cannot be listed: {error}")),
    };
    for entry in entries {
        match entry.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
            Ok(name) if listed.contains(name.as_str()) => {}
            Ok(name) => problems.file(&name, "not listed in the manifest"),
            Err(error) => problems.file(".", format!("cannot be listed: {error}")),
        }
    }
}

/// Checks one file with its rows. Returns whether all of it was read and matches the manifest.
fn check_file(dir: &Path, campaigns: &[String], file: &FileEntry, checks: &mut RowChecks) -> bool {
    if let Err(message) = check_bytes(dir, file) {
        checks.problems.file(&file.path, message);
        return false;
    }
    match (file.split, file.rows) {
        (Some(split), Some(rows)) => check_rows(dir, campaigns, file, split, rows, checks),
        (None, None) => true,
        _ => {
            checks.problems.file(&file.path, "listed with rows or a split, but not with both");
            false
        }
    }
}

/// Checks the name, the size and the checksum of a file. A name with a directory in it is refused
/// before the file is opened, because the manifest may be forged.
fn check_bytes(dir: &Path, file: &FileEntry) -> Result<(), String> {
    let path = Path::new(&file.path);
    if !matches!(path.components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
        return Err("not a plain file name".to_owned());
    }
    let path = dir.join(path);
    let found = fs::metadata(&path).map_err(|error| format!("cannot be read: {error}"))?;
    if !found.is_file() {
        return Err("not a file".to_owned());
    }
    if found.len() != file.bytes {
        return Err(format!("{} bytes, but {} are listed", found.len(), file.bytes));
    }
    match sha256_of(&path) {
        Ok(sum) if sum == file.sha256 => Ok(()),
        Ok(sum) => Err(format!("sha256 is {sum}, but {} is listed", file.sha256)),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Checks each row of a file and their number. Returns whether all rows were read.
fn check_rows(
    dir: &Path,
    campaigns: &[String],
    file: &FileEntry,
    split: DatasetSplit,
    listed: u64,
    checks: &mut RowChecks,
) -> bool {
    let read = for_each_row(&dir.join(&file.path), checks.format, |row_number, row| {
        let place = RowPlace { file: &file.path, split, row: row_number };
        checks.see(campaigns, place, &row);
    });
    match read {
        Ok(rows) if rows == listed => true,
        Ok(rows) => {
            checks.problems.file(&file.path, format!("{rows} rows, but {listed} are listed"));
            false
        }
        Err(error) => {
            checks.problems.file(&file.path, error.to_string());
            false
        }
    }
}

/// Compares the digest of the manifest and the metadata with the rows. Digest and figures are
/// compared only if all rows were read (`complete`), because otherwise they cannot be equal.
fn check_claims(dir: &Path, manifest: &DatasetManifest, complete: bool, checks: &mut RowChecks) {
    let digest = checks.digest.finish(&manifest.row_schema, &manifest.config_digest);
    if complete && digest != manifest.digest {
        let message = format!("digest is {}, but the rows give {digest}", manifest.digest);
        checks.problems.file(MANIFEST, message);
    }
    let metadata: DatasetMetadata = match read_json(&dir.join(METADATA)) {
        Ok(metadata) => metadata,
        Err(error) if error.is_missing() => return checks.problems.file(METADATA, "missing"),
        Err(error) => return unreadable(&error, checks),
    };
    // The metadata repeats these values of the manifest.
    let agrees = metadata.campaign == manifest.campaign
        && metadata.version == manifest.version
        && metadata.digest == manifest.digest
        && metadata.config_digest == manifest.config_digest
        && metadata.row_schema == manifest.row_schema;
    if !agrees {
        let message =
            "campaign, version, digest, config_digest or row_schema is not the manifest's";
        checks.problems.file(METADATA, message);
    }
    if complete {
        compare_figures(&metadata.figures, &checks.tally.figures(), &mut checks.problems);
    }
}

/// Reports metadata that cannot be read.
fn unreadable(error: &ReadJsonError, checks: &mut RowChecks) {
    checks.problems.file(METADATA, error.to_string());
}

/// Compares the figures in the metadata with those counted from the rows.
fn compare_figures(
    said: &DatasetFigures,
    counted: &DatasetFigures,
    problems: &mut DatasetProblems,
) {
    match (serde_json::to_value(said), serde_json::to_value(counted)) {
        (Ok(said), Ok(counted)) => compare("", &said, &counted, problems),
        (Err(error), _) | (_, Err(error)) => problems.file(METADATA, error.to_string()),
    }
}

/// Reports each value that differs. `at` is the path to the value, such as `totals.rows`.
fn compare(at: &str, said: &Value, counted: &Value, problems: &mut DatasetProblems) {
    if let (Value::Object(a), Value::Object(b)) = (said, counted) {
        // The keys of both objects, so that a missing key and an extra key are both found.
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
            let (a, b) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
            compare(&at, &a, &b, problems);
        }
    } else if said != counted {
        problems.file(METADATA, format!("{at} is {said}, but the rows give {counted}"));
    }
}

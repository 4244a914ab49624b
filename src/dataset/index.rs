//! The cards of the directories above the versions: `datasets/<campaign>/README.md` and
//! `datasets/README.md`.
//!
//! Without a card, `datasets.load_dataset` takes all Parquet files below a directory for one
//! dataset, and mixes versions and campaigns. With a card, each version is a configuration of its
//! own. If there are several, `load_dataset` asks for one by name.

use super::card::{description, pattern, quoted};
use super::manifest::{CARD, DatasetManifest, HashingFile, MANIFEST, read_json};
use super::version::{DatasetVersions, names};
use crate::durable::sync_dir;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use synthd_actors::model::{DatasetSplit, RowFormat};

/// The name of a card while it is written.
const DRAFT: &str = ".README.md.tmp";

/// The text of each card.
const WORDS: &str = "\
Each version below is a separate dataset, and a configuration of this card. Load a version by its
name with `datasets.load_dataset(DIRECTORY, NAME)`, or name the directory of the version. Do not
load all files below at once, because versions repeat rows. synthd writes this page again with
every version.";

/// A version as the card above it lists it.
struct ListedVersion {
    /// The name of the configuration, such as `v2`, or `paid-v2` on the card of all campaigns.
    name: String,
    /// The directory of the version, relative to the card.
    dir: String,
    manifest: DatasetManifest,
}

/// Writes the card of the campaign and the card of all campaigns. A card that is up to date is not
/// written again.
pub(super) fn write_cards(versions: &DatasetVersions) -> io::Result<()> {
    let home = versions.home();
    write_card(home, "Versions", &versions_in(home, "", "")?)?;
    match home.parent() {
        Some(root) => write_card(root, "Campaigns", &campaigns_in(root)?),
        None => Ok(()),
    }
}

/// The versions of all campaigns in `root`, by campaign name.
fn campaigns_in(root: &Path) -> io::Result<Vec<ListedVersion>> {
    let mut campaigns: Vec<String> = names(root)?.filter(|n| root.join(n).is_dir()).collect();
    campaigns.sort();
    let mut listed = Vec::new();
    for campaign in campaigns {
        let (names, dirs) = (format!("{campaign}-"), format!("{campaign}/"));
        listed.extend(versions_in(&root.join(&campaign), &names, &dirs)?);
    }
    Ok(listed)
}

/// The versions of a campaign that have rows, oldest first. A version without rows is left out,
/// because `datasets` refuses a configuration without rows. A version without a readable manifest
/// is left out too. The prefixes are put before the name and the directory of each version.
fn versions_in(home: &Path, before_name: &str, before_dir: &str) -> io::Result<Vec<ListedVersion>> {
    let versions = DatasetVersions::numbers_in(home)?.into_iter().filter_map(|version| {
        let manifest: DatasetManifest =
            read_json(&home.join(format!("v{version}")).join(MANIFEST)).ok()?;
        let name = format!("{before_name}v{version}");
        Some(ListedVersion { name, dir: format!("{before_dir}v{version}"), manifest })
    });
    Ok(versions.filter(|listed| listed.manifest.rows().values().any(|rows| *rows > 0)).collect())
}

/// Writes a card under another name, syncs it and renames it. Does nothing if the card is the same.
fn write_card(dir: &Path, title: &str, listed: &[ListedVersion]) -> io::Result<()> {
    let text = card(title, listed);
    let path = dir.join(CARD);
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let draft = dir.join(DRAFT);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = HashingFile::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.finish()?;
    fs::rename(&draft, &path)?;
    sync_dir(dir)
}

/// The text of a card. Without versions it has no YAML header.
fn card(title: &str, listed: &[ListedVersion]) -> String {
    let infos: String = listed.iter().map(info).collect();
    let configs: String = listed.iter().map(config).collect();
    let lines: String = listed.iter().map(line).collect();
    let header = match listed {
        [] => String::new(),
        _ => format!("---\ndataset_info:\n{infos}configs:\n{configs}---\n\n"),
    };
    format!("{header}# {title}\n\n{WORDS}\n\n{lines}")
}

/// The entry of a version in the header's `dataset_info`.
fn info(listed: &ListedVersion) -> String {
    let DatasetManifest { campaign, version, digest, row_schema, .. } = &listed.manifest;
    let format = RowFormat::of(row_schema).unwrap_or_default();
    let described = description(format, campaign, *version, digest);
    format!("- config_name: {}\n  description: {described}\n", quoted(&listed.name))
}

/// The entry of a version in the header's `configs`: its splits that have rows, and their files.
fn config(listed: &ListedVersion) -> String {
    let rows = listed.manifest.rows();
    let filled =
        DatasetSplit::ALL.into_iter().filter(|split| rows.get(split).is_some_and(|n| *n > 0));
    let files: String = filled
        .map(|split| {
            let path = format!("{}/{}", listed.dir, pattern(split, &listed.manifest.files));
            format!("  - split: {}\n    path: {}\n", split.as_str(), quoted(&path))
        })
        .collect();
    format!("- config_name: {}\n  data_files:\n{files}", quoted(&listed.name))
}

/// The line of a version in the list for people.
fn line(listed: &ListedVersion) -> String {
    let rows: u64 = listed.manifest.rows().values().sum();
    format!("- `{}`: {rows} rows in `{}/`\n", listed.name, listed.dir)
}

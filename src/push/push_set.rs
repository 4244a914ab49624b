//! The files of a version as they are published: tables in numbered shards, the card, the documents,
//! and `SHA256SUMS`. The files of rows are those of the version; only what is made anew lies in a
//! directory of the push.

use super::chat_table::ChatTable;
use super::push_error::{local, refused};
use super::report::PushedTable;
use super::sum_file::{SUMS, sha256_hex, sums_of};
use super::target::PushTarget;
use crate::dataset::{
    CROISSANT, CardConfig, CroissantTable, DatasetManifest, DatasetMetadata, FileEntry, croissant,
    manifest_of, metadata_of, numbered_name, pretty, published_card, sha256_of, table_about,
    table_name,
};
use crate::error::{Code, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use synthd_actors::model::{DatasetSplit, RowColumn, RowFormat};

/// Files of a version that are published as they are, if it has them.
const AS_THEY_ARE: [&str; 2] = ["metadata.json", "notes.jsonl"];

/// A file of a published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushFile {
    /// The path in the published version, with `/` between its parts.
    pub(super) path: String,
    /// The file of this host.
    pub(super) source: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// All files of a published version.
pub(super) struct PushSet {
    pub(super) campaign: String,
    pub(super) version: u32,
    /// The files but `SHA256SUMS`, in the order of their paths.
    pub(super) files: Vec<PushFile>,
    /// `SHA256SUMS` itself. It is published last.
    pub(super) sums: PushFile,
    /// The checksum of `SHA256SUMS`.
    pub(super) root: String,
    pub(super) tables: Vec<PushedTable>,
    pub(super) left_out: BTreeMap<String, String>,
}

/// A table with its files.
struct TableFiles {
    name: &'static str,
    about: &'static str,
    columns: &'static [RowColumn],
    files: Vec<PushFile>,
    /// The entries of the files for documents, with their published paths.
    entries: Vec<FileEntry>,
    rows: BTreeMap<DatasetSplit, u64>,
}

impl PushSet {
    /// The paths of all files, `SHA256SUMS` included.
    pub(super) fn paths(&self) -> BTreeSet<&str> {
        self.files.iter().chain([&self.sums]).map(|file| file.path.as_str()).collect()
    }

    /// Prepares the files of a version. `room` is an empty directory for what is made anew. Every file
    /// of the version is read once and must have the checksum of its manifest.
    pub(super) fn of(version: &Path, target: &PushTarget, room: &Path) -> Result<Self> {
        let (manifest, metadata) = (manifest_of(version)?, metadata_of(version)?);
        check_files(version, &manifest)?;
        let own = own_table(version, &manifest, metadata.format());
        if own.files.is_empty() {
            let hint = "build a version with rows; `synthd dataset stats` counts them";
            return Err(refused(target, "it has no rows").hint(hint));
        }
        let (mut tables, mut left_out) = (vec![own], BTreeMap::new());
        for table in ChatTable::ALL {
            match chat_files(version, table, room)? {
                Ok(files) => tables.push(files),
                Err(why) => drop(left_out.insert(table.name().to_owned(), why)),
            }
        }
        let mut files: Vec<PushFile> =
            tables.iter().flat_map(|table| table.files.clone()).collect();
        files.extend(plain_files(version, &manifest));
        files.extend(documents(&metadata, target, &tables, room)?);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let sums = made(room, SUMS, &sums_of(&files))?;
        let tables = tables
            .into_iter()
            .map(|table| PushedTable { name: table.name.to_owned(), rows: table.rows });
        Ok(Self {
            campaign: manifest.campaign,
            version: manifest.version,
            files,
            root: sums.sha256.clone(),
            sums,
            tables: tables.collect(),
            left_out,
        })
    }
}

/// Fails if a file of the version is not what the manifest says.
fn check_files(version: &Path, manifest: &DatasetManifest) -> Result<()> {
    for file in &manifest.files {
        let parts: Vec<_> = Path::new(&file.path).components().collect();
        // The manifest may be forged. Another path could name any file of this host.
        let is_plain = matches!(parts[..], [Component::Normal(_)]);
        let is_same =
            is_plain && sha256_of(&version.join(&file.path)).is_ok_and(|sum| sum == file.sha256);
        if !is_same {
            let what =
                format!("{:?} of {} is not what its manifest says", file.path, version.display());
            return Err(Error::new(Code::DatasetDamaged, what)
                .hint(format!("`synthd dataset verify {}` lists everything", version.display())));
        }
    }
    Ok(())
}

/// The rows of the version itself.
fn own_table(version: &Path, manifest: &DatasetManifest, format: RowFormat) -> TableFiles {
    let found = manifest.files.iter().filter(|file| file.rows.is_some_and(|rows| rows > 0));
    let found: Vec<FileEntry> = found.cloned().collect();
    let (name, about) = (table_name(format), table_about(format));
    TableFiles::of(name, about, format.columns(), version, found)
}

/// The rows in the form of a trainer. The inner error says why no row has this form.
fn chat_files(version: &Path, table: ChatTable, room: &Path) -> Result<Result<TableFiles, String>> {
    let dir = room.join(table.name());
    std::fs::create_dir(&dir).map_err(|error| local(&dir, error))?;
    Ok(table.write(version, &dir)?.map(|entries| {
        TableFiles::of(table.name(), table.about(), table.shape().columns, &dir, entries)
    }))
}

impl TableFiles {
    /// The table of these files of `dir`. Each gets its number and a directory of the table's name.
    fn of(
        name: &'static str,
        about: &'static str,
        columns: &'static [RowColumn],
        dir: &Path,
        found: Vec<FileEntry>,
    ) -> Self {
        let mut table = Self {
            name,
            about,
            columns,
            files: Vec::new(),
            entries: Vec::new(),
            rows: BTreeMap::new(),
        };
        for split in DatasetSplit::ALL {
            let mut shards: Vec<&FileEntry> =
                found.iter().filter(|file| file.split == Some(split)).collect();
            shards.sort_by(|a, b| a.path.cmp(&b.path));
            for (at, shard) in shards.iter().enumerate() {
                let path = format!("{name}/{}", numbered_name(split, at, shards.len()));
                table.add(split, shard, dir, path);
            }
        }
        table
    }

    fn add(&mut self, split: DatasetSplit, shard: &FileEntry, dir: &Path, path: String) {
        let (bytes, sha256) = (shard.bytes, shard.sha256.clone());
        self.entries.push(FileEntry { path: path.clone(), ..shard.clone() });
        self.files.push(PushFile { path, source: dir.join(&shard.path), bytes, sha256 });
        *self.rows.entry(split).or_default() += shard.rows.unwrap_or(0);
    }

    fn card_config(&self) -> CardConfig<'_> {
        let splits = self.rows.iter().map(|(split, rows)| (*split, *rows)).collect();
        CardConfig { name: self.name, about: self.about, splits }
    }

    fn croissant_table(&self) -> CroissantTable<'_> {
        let includes = format!("{}/*.parquet", self.name);
        CroissantTable { name: self.name, about: self.about, includes, columns: self.columns }
    }
}

/// Files of the version that are published as they are.
fn plain_files(version: &Path, manifest: &DatasetManifest) -> Vec<PushFile> {
    let kept = manifest.files.iter().filter(|file| AS_THEY_ARE.contains(&file.path.as_str()));
    let file = |file: &FileEntry| PushFile {
        path: file.path.clone(),
        source: version.join(&file.path),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    kept.map(file).collect()
}

/// The card and the document in the vocabulary of Croissant.
fn documents(
    metadata: &DatasetMetadata,
    target: &PushTarget,
    tables: &[TableFiles],
    room: &Path,
) -> Result<Vec<PushFile>> {
    let configs: Vec<_> = tables.iter().map(TableFiles::card_config).collect();
    let described: Vec<_> = tables.iter().map(TableFiles::croissant_table).collect();
    let entries: Vec<FileEntry> = tables.iter().flat_map(|table| table.entries.clone()).collect();
    let (place, url) = match target {
        PushTarget::Hub(repo) => {
            (repo.id(), format!("https://huggingface.co/datasets/{}", repo.id()))
        }
        // A copy may lie anywhere, so both are relative.
        _ => (format!("v{}", metadata.version), "./".to_owned()),
    };
    let document = pretty(&croissant(metadata, &url, &entries, &described))
        .map_err(|error| local(room, error))?;
    Ok(vec![
        made(room, "README.md", &published_card(metadata, &configs, &place))?,
        made(room, CROISSANT, &document)?,
    ])
}

/// Writes a small file of the push.
fn made(room: &Path, name: &str, text: &str) -> Result<PushFile> {
    let source = room.join(name);
    std::fs::write(&source, text).map_err(|error| local(&source, error))?;
    let (bytes, sha256) = (text.len() as u64, sha256_hex(text.as_bytes()));
    Ok(PushFile { path: name.to_owned(), source, bytes, sha256 })
}

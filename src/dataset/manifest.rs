//! `manifest.json`: the list of all other files of a version, each with size and checksum. The
//! module also has the tools to write and read the small files of a version.

use super::problem::ReadJsonError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use synthd_actors::model::DatasetSplit;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const METADATA: &str = "metadata.json";
pub(super) const CARD: &str = "README.md";
/// The format of the manifest.
pub(super) const MANIFEST_SCHEMA: &str = "synthd.manifest/1";

/// The largest JSON file that is read, in bytes. synthd writes far smaller ones, so a larger one is
/// not from synthd.
const MAX_JSON: u64 = 64 << 20;

/// The content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetManifest {
    /// Version of this file's own format.
    pub schema: String,
    /// The format of the rows, such as `synthd.trajectory/2`.
    pub row_schema: String,
    pub campaign: String,
    /// The version number, from 1.
    pub version: u32,
    /// The digest of the campaign's configuration.
    pub config_digest: String,
    /// The digest of the rows, their splits and the configuration. Equal datasets have equal
    /// digests.
    pub digest: String,
    /// All files of the version except the manifest itself.
    pub files: Vec<FileEntry>,
}

/// One file of a version. Example: `{"path":"README.md","bytes":5120,"sha256":"9f86..."}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The file's name in the directory of the version, without a directory.
    pub path: String,
    pub bytes: u64,
    /// The checksum as hexadecimal text.
    pub sha256: String,
    /// How many rows a Parquet file has. None for other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The split of a Parquet file. None for other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<DatasetSplit>,
}

impl DatasetManifest {
    /// The number of rows in each split, also of one without rows.
    pub fn rows(&self) -> BTreeMap<DatasetSplit, u64> {
        let mut rows = BTreeMap::from(DatasetSplit::ALL.map(|split| (split, 0u64)));
        for file in &self.files {
            if let (Some(split), Some(count)) = (file.split, file.rows) {
                let sum = rows.entry(split).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        rows
    }

    /// Whether each listed file exists with the size and the checksum in the manifest. Reads all
    /// files.
    pub(super) fn is_whole(&self, dir: &Path) -> bool {
        self.files.iter().all(|file| {
            let path = dir.join(&file.path);
            let sized = std::fs::metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() == file.bytes);
            sized && sha256_of(&path).is_ok_and(|sum| sum == file.sha256)
        })
    }
}

/// A new file that computes its checksum and its size while it is written.
pub(crate) struct HashingFile {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl HashingFile {
    /// Creates the file. Fails if it exists.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, hash: Sha256::new(), bytes: 0 })
    }

    /// Syncs the file to the disk, and returns its size and its checksum.
    pub(crate) fn finish(self) -> io::Result<(u64, String)> {
        self.file.sync_all()?;
        Ok((self.bytes, hex::encode(self.hash.finalize())))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        // The file may take fewer bytes than it was given. Only those belong to the checksum.
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a small file, syncs it, and returns its entry for the manifest.
pub(super) fn write_file(dir: &Path, name: &str, content: &str) -> io::Result<FileEntry> {
    let mut file = HashingFile::create(&dir.join(name))?;
    file.write_all(content.as_bytes())?;
    let (bytes, sha256) = file.finish()?;
    Ok(FileEntry { path: name.to_owned(), bytes, sha256, rows: None, split: None })
}

/// JSON text as all files of a dataset have it: indented, and with a newline at the end.
pub(crate) fn pretty(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The checksum of a file. The file is read in pieces, because it may be large.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Reads a JSON file. Fails if it is missing, too large, or not of this type.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadJsonError> {
    let mut text = Vec::new();
    // One byte more than allowed is read, so that a file that is too large is noticed.
    File::open(path)?.take(MAX_JSON + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_JSON {
        return Err(ReadJsonError::TooLarge(MAX_JSON));
    }
    Ok(serde_json::from_slice(&text)?)
}

//! `manifest.json`: every other file of a version with its size and checksum.

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
pub(super) const MANIFEST_SCHEMA: &str = "synthd.manifest/1";

/// No JSON file of a dataset comes near this; a larger one is not ours.
const MAX_JSON: u64 = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetManifest {
    /// Version of this file's own format.
    pub schema: String,
    pub row_schema: String,
    pub campaign: String,
    pub version: u32,
    pub config_digest: String,
    /// Over the rows, their splits and the configuration: equal for equal datasets.
    pub digest: String,
    pub files: Vec<FileEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    /// Rows and split of a Parquet file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<DatasetSplit>,
}

impl DatasetManifest {
    /// Rows in each split, zero where there are none.
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

    /// Whether every file is there as it was written.
    pub(super) fn is_whole(&self, dir: &Path) -> bool {
        self.files.iter().all(|file| {
            let path = dir.join(&file.path);
            let sized = std::fs::metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() == file.bytes);
            sized && sha256_of(&path).is_ok_and(|sum| sum == file.sha256)
        })
    }
}

/// A file that hashes and counts what passes through it.
pub(super) struct HashingFile {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl HashingFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, hash: Sha256::new(), bytes: 0 })
    }

    /// Makes the content durable and returns its size and checksum.
    pub(super) fn finish(self) -> io::Result<(u64, String)> {
        self.file.sync_all()?;
        Ok((self.bytes, hex::encode(self.hash.finalize())))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a small file durably and describes it.
pub(super) fn write_file(dir: &Path, name: &str, content: &str) -> io::Result<FileEntry> {
    let mut file = HashingFile::create(&dir.join(name))?;
    file.write_all(content.as_bytes())?;
    let (bytes, sha256) = file.finish()?;
    Ok(FileEntry { path: name.to_owned(), bytes, sha256, rows: None, split: None })
}

/// JSON as all files of a dataset have it: indented, with a final newline.
pub(super) fn pretty(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The checksum of a file, read in pieces.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
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

/// Reads a JSON file of bounded size.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadJsonError> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_JSON + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_JSON {
        return Err(ReadJsonError::TooLarge(MAX_JSON));
    }
    Ok(serde_json::from_slice(&text)?)
}

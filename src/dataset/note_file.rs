//! `notes.jsonl`: what the stages of a recipe say of each row, beside the rows. A row has a line if a
//! stage says something of it, also if it was rejected.

use super::manifest::{FileEntry, HashingFile};
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub(super) const NOTES: &str = "notes.jsonl";

/// The notes of a version that is being written.
pub(super) struct NoteWriter {
    file: BufWriter<HashingFile>,
}

impl NoteWriter {
    /// Begins the file.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(HashingFile::create(&dir.join(NOTES))?) })
    }

    /// Adds a line of JSON.
    pub(super) fn add(&mut self, note: &str) -> io::Result<()> {
        self.file.write_all(note.as_bytes())?;
        self.file.write_all(b"\n")
    }

    /// Syncs the file and returns its entry for the manifest.
    pub(super) fn finish(self) -> io::Result<FileEntry> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let (bytes, sha256) = file.finish()?;
        Ok(FileEntry { path: NOTES.to_owned(), bytes, sha256, rows: None, split: None })
    }
}

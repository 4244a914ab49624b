//! The files of an export. They are written into a directory with another name beside the wanted one,
//! and the directory gets its name when all of it is on the disk. An export is never half there.

use super::left_reason::ExportedRow;
use crate::dataset::HashingFile;
use crate::durable::{create_dir, sync_dir};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use synthd_actors::model::DatasetSplit;

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportFile {
    /// The path in the directory of the export.
    pub path: String,
    /// Its lines.
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// A file that lines are added to.
struct LineFile {
    file: BufWriter<HashingFile>,
    rows: u64,
}

/// An export that is being written. If it is dropped before it is published, it is removed.
pub(super) struct ExportDraft {
    dir: PathBuf,
    target: PathBuf,
    files: BTreeMap<DatasetSplit, LineFile>,
    /// Files of single rows, which are finished.
    own_files: Vec<ExportFile>,
    /// Whether it has its name, so that nothing must be removed.
    kept: bool,
}

impl ExportDraft {
    /// Begins an export. Fails if the wanted directory has anything in it.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
        if target.symlink_metadata().is_ok() && !is_empty(target)? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and not empty"));
        }
        let parent = target.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        create_dir(parent, 0o777)?;
        let dir = parent.join(format!(".{}.part-{}", name.to_string_lossy(), std::process::id()));
        // An earlier process with the same id may have left it.
        if dir.is_dir() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir(&dir)?;
        let target = target.to_owned();
        Ok(Self { dir, target, files: BTreeMap::new(), own_files: Vec::new(), kept: false })
    }

    /// The directory in which it is written.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Adds a row to the file of its split, or as a file in the directory of its split.
    pub(super) fn add(&mut self, split: DatasetSplit, row: &ExportedRow) -> io::Result<()> {
        if let Some(name) = &row.own_file {
            return self.add_file(split, name, &row.line);
        }
        let lines = match self.files.entry(split) {
            Entry::Occupied(lines) => lines.into_mut(),
            Entry::Vacant(place) => {
                let path = self.dir.join(file_name(split));
                let file = BufWriter::new(HashingFile::create(&path)?);
                place.insert(LineFile { file, rows: 0 })
            }
        };
        lines.file.write_all(row.line.as_bytes())?;
        lines.file.write_all(b"\n")?;
        lines.rows += 1;
        Ok(())
    }

    /// Writes the file of one row. Fails if it is there.
    fn add_file(&mut self, split: DatasetSplit, name: &str, lines: &str) -> io::Result<()> {
        let below = self.dir.join(split.as_str());
        if !below.is_dir() {
            fs::create_dir(&below)?;
        }
        let mut file = HashingFile::create(&below.join(name))?;
        file.write_all(lines.as_bytes())?;
        file.write_all(b"\n")?;
        let (bytes, sha256) = file.finish()?;
        let path = format!("{}/{name}", split.as_str());
        let rows = lines.lines().count() as u64;
        self.own_files.push(ExportFile { path, rows, bytes, sha256 });
        Ok(())
    }

    /// Syncs the files of rows and describes them.
    pub(super) fn finish_rows(&mut self) -> io::Result<Vec<ExportFile>> {
        let mut files = std::mem::take(&mut self.own_files);
        for split in DatasetSplit::ALL {
            let below = self.dir.join(split.as_str());
            if below.is_dir() {
                sync_dir(&below)?;
            }
        }
        for (split, LineFile { file, rows }) in std::mem::take(&mut self.files) {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            let (bytes, sha256) = file.finish()?;
            files.push(ExportFile { path: file_name(split), rows, bytes, sha256 });
        }
        Ok(files)
    }

    /// Writes a JSON document beside the rows.
    pub(super) fn write_json(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value)? + "\n";
        let mut file = HashingFile::create(&self.dir.join(name))?;
        file.write_all(text.as_bytes())?;
        file.finish().map(drop)
    }

    /// Gives the export its name.
    pub(super) fn publish(mut self) -> io::Result<()> {
        sync_dir(&self.dir)?;
        fs::rename(&self.dir, &self.target)?;
        self.kept = true;
        match self.target.parent().filter(|parent| *parent != Path::new("")) {
            Some(parent) => sync_dir(parent),
            None => sync_dir(Path::new(".")),
        }
    }
}

impl Drop for ExportDraft {
    /// Removes an export that was not published.
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "unfinished export not removed");
        }
    }
}

/// The file of a split.
pub(super) fn file_name(split: DatasetSplit) -> String {
    format!("{}.jsonl", split.as_str())
}

/// Whether a directory has nothing in it. Fails if it is none.
fn is_empty(dir: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::left_reason::LostParts;

    fn row(line: &str) -> ExportedRow {
        ExportedRow::new(line.to_owned(), LostParts::new())
    }

    #[test]
    fn an_export_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/export");
        let mut draft = ExportDraft::create(&target).unwrap();
        draft.add(DatasetSplit::Test, &row("{}")).unwrap();
        assert!(!target.exists());
        let files = draft.finish_rows().unwrap();
        assert_eq!((files.len(), files[0].path.as_str(), files[0].rows), (1, "test.jsonl", 1));
        draft.write_json("export.json", &files).unwrap();
        draft.publish().unwrap();
        assert_eq!(fs::read_to_string(target.join("test.jsonl")).unwrap(), "{}\n");
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn a_row_may_have_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("export");
        let mut draft = ExportDraft::create(&target).unwrap();
        let own = ExportedRow { own_file: Some("a.jsonl".to_owned()), ..row("{}\n{}") };
        draft.add(DatasetSplit::Test, &own).unwrap();
        assert!(draft.add(DatasetSplit::Test, &own).is_err(), "it is there");
        let files = draft.finish_rows().unwrap();
        assert_eq!((files.len(), files[0].path.as_str(), files[0].rows), (1, "test/a.jsonl", 2));
        draft.publish().unwrap();
        assert_eq!(fs::read_to_string(target.join("test/a.jsonl")).unwrap(), "{}\n{}\n");
    }

    #[test]
    fn a_dropped_draft_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut draft = ExportDraft::create(&dir.path().join("export")).unwrap();
        draft.add(DatasetSplit::Train, &row("{}")).unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("export");
        fs::create_dir(&target).unwrap();
        drop(ExportDraft::create(&target).unwrap());
        fs::write(target.join("theirs"), "x").unwrap();
        assert!(ExportDraft::create(&target).is_err());
        assert!(ExportDraft::create(&target.join("theirs")).is_err());
        assert!(ExportDraft::create(Path::new("/")).is_err());
        assert_eq!(fs::read_to_string(target.join("theirs")).unwrap(), "x");
    }
}

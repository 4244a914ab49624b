//! The directory in which drafts are offered: `templates/<id>/` has each, and `report.json` and
//! `report.md` what is known of all.
//!
//! A draft appears under its name only when all of it is written. One that is there already is never
//! written again, because a person may have changed it.

use crate::error::{Code, Error, Result};
use crate::packs::replace_file;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use synthd_actors::draft::WrittenDraft;

/// Where a draft is written before it gets its name.
const STAGING: &str = ".draft-being-written";

/// The directory of `--out`.
#[derive(Clone)]
pub(super) struct WorkArea(PathBuf);

impl WorkArea {
    /// Makes the directory, unless it is there.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| unwritable(directory, error))?;
        Ok(Self(directory.to_owned()))
    }

    /// The directory for `--templates`.
    pub(super) fn templates(&self) -> PathBuf {
        self.0.join("templates")
    }

    /// Writes a draft under its id, and returns its directory.
    pub(super) fn offer(&self, draft: &WrittenDraft) -> Result<PathBuf> {
        let folder = self.templates().join(&draft.idea.id);
        if fs::symlink_metadata(&folder).is_ok() {
            return Ok(folder);
        }
        let staging = self.0.join(STAGING);
        let written = || -> io::Result<()> {
            // A run that was killed may have left a part.
            match fs::remove_dir_all(&staging) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            for (path, file) in draft.files.iter() {
                write_new(&staging.join(path), &file.text, file.executable)?;
            }
            if let Some(category) = folder.parent() {
                fs::create_dir_all(category)?;
            }
            fs::rename(&staging, &folder)
        };
        written().map_err(|error| unwritable(&folder, error))?;
        Ok(folder)
    }

    /// Writes what is known of all drafts.
    pub(super) fn report(&self, text: &str, document: &serde_json::Value) -> Result<()> {
        replace_file(&self.0.join("report.md"), text)?;
        replace_file(&self.0.join("report.json"), &format!("{document:#}\n"))
    }
}

/// Writes a file that is not there yet, and the directories around it.
fn write_new(path: &Path, text: &str, executable: bool) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::Io, format!("cannot write {}", path.display()))
        .with_source(error)
        .hint("name a directory that you may write with --out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use synthd_actors::draft::{DraftFiles, DraftIdea};

    fn draft() -> WrittenDraft {
        let answer = "file: template.yaml\n~~~~\nid: a/b\n~~~~\nfile: files/run.sh (program)\n~~~~\n:\n~~~~\n";
        let idea = DraftIdea { id: "a/b".into(), title: "t".into(), idea: "i".into() };
        WrittenDraft { idea, files: DraftFiles::parse(answer).unwrap() }
    }

    #[test]
    fn a_draft_is_whole_and_what_a_person_changed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let area = WorkArea::open(&dir.path().join("deep/area")).unwrap();
        // What a killed run left.
        fs::create_dir_all(area.0.join(STAGING)).unwrap();
        fs::write(area.0.join(STAGING).join("rest"), "x").unwrap();
        let folder = area.offer(&draft()).unwrap();
        assert_eq!(folder, area.templates().join("a/b"));
        let script = folder.join("files/run.sh");
        assert_eq!(fs::read_to_string(&script).unwrap(), ":\n");
        assert_ne!(fs::metadata(&script).unwrap().permissions().mode() & 0o100, 0);
        assert!(!folder.join("rest").exists() && !area.0.join(STAGING).exists());
        fs::write(&script, "mine\n").unwrap();
        assert_eq!(area.offer(&draft()).unwrap(), folder);
        assert_eq!(fs::read_to_string(&script).unwrap(), "mine\n");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, area) = (dir.path().join("outside"), dir.path().join("area"));
        fs::create_dir(&outside).unwrap();
        fs::create_dir_all(area.join("templates/a")).unwrap();
        std::os::unix::fs::symlink(&outside, area.join("templates/a/b")).unwrap();
        std::os::unix::fs::symlink(&outside, area.join(STAGING)).unwrap();
        let area = WorkArea::open(&area).unwrap();
        let folder = area.offer(&draft()).unwrap();
        fs::remove_file(&folder).unwrap();
        area.offer(&draft()).unwrap();
        assert!(folder.join("template.yaml").is_file());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}

//! `synthd template check --watch`: checks again when a file of the user's templates changes.

use crate::cli::terminal::output::eprint_line;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The time between two looks at the files.
const PAUSE: Duration = Duration::from_millis(300);

/// What was seen of the files in the user's directories: their sizes and the times of their changes.
#[derive(PartialEq, Eq)]
pub(super) struct SeenFiles(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl SeenFiles {
    /// Looks at all files below the directories. Links are seen as links.
    pub(super) fn below(directories: &[PathBuf]) -> Self {
        let mut seen = Self(BTreeMap::new());
        for directory in directories {
            seen.look(directory);
        }
        seen
    }

    /// Adds the files of one directory. What cannot be read is not seen; the check says why.
    fn look(&mut self, directory: &Path) {
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(data) if data.is_dir() => self.look(&path),
                Ok(data) => {
                    self.0.insert(path, (data.len(), data.modified().ok()));
                }
                Err(_) => {}
            }
        }
    }

    /// Waits until the files are not as they were seen.
    pub(super) async fn change(&self, directories: &[PathBuf]) {
        eprint_line("waiting for a change; Ctrl-C ends it");
        while Self::below(directories) == *self {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SeenFiles;

    #[test]
    fn a_change_of_any_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let directories = [dir.path().to_owned()];
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        let file = dir.path().join("deep/file");
        let seen = || SeenFiles::below(&directories);
        let empty = seen();
        std::fs::write(&file, "one").unwrap();
        let one = seen();
        assert!(one != empty && one == seen());
        std::fs::write(&file, "three").unwrap();
        assert!(seen() != one, "another size");
        let time = std::time::SystemTime::UNIX_EPOCH;
        std::fs::write(&file, "one").unwrap();
        std::fs::File::open(&file).unwrap().set_modified(time).unwrap();
        let (before, later) = (seen(), time + std::time::Duration::from_secs(1));
        std::fs::File::open(&file).unwrap().set_modified(later).unwrap();
        assert!(seen() != before, "another time");
        std::fs::remove_file(&file).unwrap();
        assert!(seen() == empty);
    }
}

//! The list of kept workspaces, for rules that remove some of them.

use super::{is_unfinished, remove};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The file of one kept workspace.
pub(crate) struct KeptWorkspace {
    path: PathBuf,
    /// The id of its episode.
    pub(crate) episode: String,
    pub(crate) bytes: u64,
    /// When it was written, in milliseconds since 1970, UTC.
    pub(crate) modified_ms: i64,
}

impl KeptWorkspace {
    /// Removes the file. False if somebody has removed it before.
    pub(crate) fn remove(&self) -> io::Result<bool> {
        let was_there = self.path.exists();
        remove(&self.path)?;
        Ok(was_there)
    }
}

/// All kept workspaces of a data directory, by name. Files that are being written and files with other names
/// are left out.
pub(crate) fn kept_workspaces(data_dir: &Path) -> io::Result<Vec<KeptWorkspace>> {
    let entries = match fs::read_dir(data_dir.join("workspaces")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(kept(&entry?.path())?);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The workspace in a file. None if the file is none, or is gone.
fn kept(path: &Path) -> io::Result<Option<KeptWorkspace>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_suffix(".zst").filter(|_| !is_unfinished(path));
    // The name is that of the episode, a hyphen and the number of the attempt.
    let Some((episode, _)) = stem.and_then(|stem| stem.rsplit_once('-')) else { return Ok(None) };
    let facts = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        facts => facts?,
    };
    let since = facts.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(KeptWorkspace {
        path: path.to_owned(),
        episode: episode.to_owned(),
        bytes: facts.len(),
        modified_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_files_are_listed_by_their_episodes_and_removed_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(kept_workspaces(dir.path()).unwrap().is_empty());
        let home = dir.path().join("workspaces");
        fs::create_dir(&home).unwrap();
        for name in ["ep-1a-2.zst", "ep-0b-1.zst", "ep-0b-2.zst.tmp", "notes.txt"] {
            fs::write(home.join(name), "12345").unwrap();
        }
        let found = kept_workspaces(dir.path()).unwrap();
        let episodes: Vec<&str> = found.iter().map(|kept| kept.episode.as_str()).collect();
        assert_eq!(episodes, ["ep-0b", "ep-1a"]);
        assert!(found[0].bytes == 5 && found[0].modified_ms > 0);
        assert!(found[0].remove().unwrap());
        assert!(!found[0].remove().unwrap());
        assert_eq!(kept_workspaces(dir.path()).unwrap().len(), 1);
    }
}

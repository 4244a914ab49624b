//! The directories of a campaign's versions: which ones exist, how the next one is drafted under
//! another name, and how it is published.
//!
//! ```text
//! .v<N>.tmp-<pid>/  (draft)  ── files written and fsynced ── directory fsynced
//!        │ dropped: removed                                        │
//!        │ process died: removed by the next writer                ▼
//!        └────────────────────────────────────────────── rename ── v<N>/ ── parent fsynced
//! ```
//!
//! So a directory `v<N>` is complete whenever it exists. Nothing is ever written into it again.

use super::manifest::{DatasetManifest, MANIFEST, METADATA, read_json};
use super::metadata::DatasetMetadata;
use crate::durable::{create_dir, sync_dir};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use synthd_actors::model::{CampaignName, DatasetRecord};

/// The versions of one campaign.
#[derive(Clone, Debug)]
pub(super) struct DatasetVersions {
    /// The directory `datasets/<campaign>`.
    home: PathBuf,
}

impl DatasetVersions {
    /// The versions of a campaign. Refuses a name that would lead out of the directory `datasets`.
    pub(super) fn of(data_dir: &Path, campaign: &CampaignName) -> io::Result<Self> {
        let name = campaign.as_str();
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !plain {
            let message = format!("{name:?} cannot be the name of a directory");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self { home: data_dir.join("datasets").join(name) })
    }

    /// The directory that contains the campaign's versions. It may not exist yet.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// The version numbers in use in a directory of versions, lowest first.
    pub(super) fn numbers_in(home: &Path) -> io::Result<Vec<u32>> {
        let mut numbers: Vec<u32> = names(home)?.filter_map(|name| version_of(&name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The directory of a version.
    pub(super) fn path(&self, version: u32) -> PathBuf {
        self.home.join(format!("v{version}"))
    }

    /// The highest version number in use, whatever its directory contains. Zero if there is none.
    pub(super) fn newest(&self) -> io::Result<u32> {
        Ok(Self::numbers_in(&self.home)?.pop().unwrap_or(0))
    }

    /// The record of a version as its own files state it. All checksums are computed for this. None
    /// if a file is missing, cannot be read or differs from its checksum, or if the files are those
    /// of another version number.
    pub(super) fn record(&self, version: u32) -> Option<DatasetRecord> {
        let dir = self.path(version);
        let manifest: DatasetManifest = read_json(&dir.join(MANIFEST)).ok()?;
        let metadata: DatasetMetadata = read_json(&dir.join(METADATA)).ok()?;
        // A directory that was copied under another number is not this version.
        let ours = manifest.version == version && manifest.is_whole(&dir);
        ours.then(|| DatasetRecord {
            campaign: CampaignName(manifest.campaign.clone()),
            version,
            path: dir.display().to_string(),
            rows: manifest.rows(),
            rejected: metadata.stages.rejected,
            digest: manifest.digest,
            created_at_ms: metadata.created_at_ms,
        })
    }

    /// The metadata of a version. None if it cannot be read.
    pub(super) fn metadata(&self, version: u32) -> Option<DatasetMetadata> {
        read_json(&self.path(version).join(METADATA)).ok()
    }

    /// Begins a version under a temporary name. Drafts that dead processes have left are removed
    /// first.
    pub(super) fn draft(&self, version: u32) -> io::Result<VersionDraft> {
        create_dir(&self.home, 0o777)?;
        self.sweep()?;
        let name = format!(".v{version}.tmp-{}", std::process::id());
        let draft =
            VersionDraft { dir: self.home.join(name), target: self.path(version), kept: false };
        fs::create_dir(&draft.dir)?;
        Ok(draft)
    }

    /// Removes the drafts of processes that no longer exist.
    fn sweep(&self) -> io::Result<()> {
        for name in names(&self.home)? {
            if draft_owner(&name).is_some_and(is_gone) {
                fs::remove_dir_all(self.home.join(&name))?;
            }
        }
        Ok(())
    }
}

/// A version that is being written. If it is dropped before it is published, it is removed.
#[derive(Debug)]
pub(super) struct VersionDraft {
    /// The temporary directory.
    dir: PathBuf,
    /// The final directory.
    target: PathBuf,
    /// Whether the draft was renamed, so that nothing must be removed.
    kept: bool,
}

impl VersionDraft {
    /// The directory into which the files are written.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives the version its final name. All files must be synced. If a directory with content has
    /// this name already, this fails and leaves it alone, because a rename never replaces such a
    /// directory.
    pub(super) fn publish(mut self) -> io::Result<PathBuf> {
        sync_dir(&self.dir)?;
        fs::rename(&self.dir, &self.target)?;
        self.kept = true;
        if let Some(home) = self.target.parent() {
            sync_dir(home)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for VersionDraft {
    /// Removes a draft that was not published. If this fails, the next writer tries again.
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "unfinished dataset not removed");
        }
    }
}

/// The names in a directory. Empty if it does not exist. Names that are not UTF-8 are left out.
pub(super) fn names(dir: &Path) -> io::Result<impl Iterator<Item = String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(entries.into_iter().filter_map(|e| e.file_name().to_str().map(str::to_owned)))
}

/// The version number of a directory's name: `v12` is version 12; `v012` and `v+12` are none.
fn version_of(name: &str) -> Option<u32> {
    let version: u32 = name.strip_prefix('v')?.parse().ok()?;
    (name == format!("v{version}")).then_some(version)
}

/// The process id in the name of a draft. None if it is not the name of a draft.
fn draft_owner(name: &str) -> Option<i32> {
    let (version, pid) = name.strip_prefix('.')?.split_once(".tmp-")?;
    version_of(version)?;
    pid.parse().ok()
}

/// Whether the process that wrote a draft no longer exists. A draft with the id of this process was
/// left by an earlier process with the same id: this process has one `ParquetSink`, which writes
/// one version at a time and has no draft now.
fn is_gone(pid: i32) -> bool {
    let own = u32::try_from(pid) == Ok(std::process::id());
    // A process id of zero or below is no single process: `kill` would ask for a group.
    own || pid <= 0 || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(dir: &Path) -> DatasetVersions {
        DatasetVersions::of(dir, &CampaignName("c".into())).unwrap()
    }

    #[test]
    fn only_plain_numbers_are_versions() {
        for (name, version) in
            [("v1", Some(1)), ("v10", Some(10)), ("v01", None), ("v+1", None), ("x1", None)]
        {
            assert_eq!(version_of(name), version, "{name}");
        }
        assert_eq!(draft_owner(".v3.tmp-77"), Some(77));
        assert_eq!(draft_owner(".v3.tmp-x"), None);
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        for name in ["", ".", "..", "a/b", "../x"] {
            assert!(
                DatasetVersions::of(Path::new("/d"), &CampaignName(name.into())).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_dropped_draft_leaves_nothing_and_a_dead_writers_draft_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let versions = versions(dir.path());
        drop(versions.draft(1).unwrap());
        // No process has the highest pid there can be.
        let stale = dir.path().join("datasets/c/.v7.tmp-2147483647");
        fs::create_dir_all(stale.join("inner")).unwrap();
        let draft = versions.draft(1).unwrap();
        assert!(!stale.exists());
        drop(draft);
        assert_eq!(fs::read_dir(dir.path().join("datasets/c")).unwrap().count(), 0);
    }

    #[test]
    fn publishing_never_replaces_what_has_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let versions = versions(dir.path());
        let draft = versions.draft(1).unwrap();
        fs::create_dir_all(versions.path(1)).unwrap();
        fs::write(versions.path(1).join("theirs"), "x").unwrap();
        assert!(draft.publish().is_err());
        assert_eq!(fs::read_to_string(versions.path(1).join("theirs")).unwrap(), "x");
        assert_eq!(versions.newest().unwrap(), 1);
    }
}

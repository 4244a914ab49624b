//! A version in a directory: `DIR/v<N>/`. It is written as `DIR/.v<N>.push-<root>/` and renamed when all
//! of it is on the disk.
//!
//! ```text
//! absent ─► drafted ─(each file: there with its checksum? else copied and read back)─► renamed
//!              └─ cut off: the next push of the same files goes on in the same draft
//! ```

use super::push_error::{cut_off, local, refused};
use super::push_set::{PushFile, PushSet};
use super::report::{PushOutcome, PushState, SentFiles};
use super::sum_file::SUMS;
use super::target::PushTarget;
use crate::dataset::{HashingFile, sha256_of};
use crate::durable::{create_dir, sync_dir};
use crate::error::Result;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How many characters of the root are in the name of a draft.
const ROOT: usize = 12;

/// The first letters of a file that is not whole yet.
const PART: &str = ".part-";

/// A version on its way into a directory.
struct DirectoryPush<'a> {
    set: &'a PushSet,
    target: &'a PushTarget,
    home: &'a Path,
    /// Where the version will be.
    place: PathBuf,
    /// Where it is written.
    draft: PathBuf,
    sent: SentFiles,
}

/// Publishes a version in a directory, or only says what would be copied. `show` is told how many bytes
/// are done.
pub(super) fn push_directory(
    set: &PushSet,
    target: &PushTarget,
    home: &Path,
    is_plan: bool,
    show: &dyn Fn(u64),
) -> Result<PushOutcome> {
    let place = home.join(format!("v{}", set.version));
    let root: String = set.root.chars().take(ROOT).collect();
    let draft = home.join(format!(".v{}.push-{root}", set.version));
    let mut push = DirectoryPush { set, target, home, place, draft, sent: SentFiles::default() };
    if push.is_known()? {
        return Ok(push.outcome(PushState::Known));
    }
    if is_plan {
        push.plan();
        return Ok(push.outcome(PushState::Planned));
    }
    push.begin()?;
    let mut done = 0;
    for file in set.files.iter().chain([&set.sums]) {
        push.copy(file)?;
        done += file.bytes;
        show(done);
    }
    push.publish()?;
    Ok(push.outcome(PushState::Published))
}

impl DirectoryPush<'_> {
    fn outcome(&self, state: PushState) -> PushOutcome {
        PushOutcome { place: self.place.display().to_string(), state, sent: self.sent }
    }

    /// Whether this version is there. Fails if something else has its place.
    fn is_known(&self) -> Result<bool> {
        if self.place.symlink_metadata().is_err() {
            return Ok(false);
        }
        if sha256_of(&self.place.join(SUMS)).is_ok_and(|sum| sum == self.set.root) {
            return match self.set.files.iter().find(|file| !has(&self.place, file)) {
                None => Ok(true),
                Some(broken) => {
                    let place = self.place.display();
                    let why = format!(
                        "{place} is there, but {} is missing or has other bytes",
                        broken.path
                    );
                    Err(refused(self.target, why).hint("remove the directory, and push again"))
                }
            };
        }
        let why = format!("{} is there and has other content", self.place.display());
        Err(refused(self.target, why)
            .hint("a published version never changes; name another directory"))
    }

    /// Counts what a push would copy.
    fn plan(&mut self) {
        for file in self.set.files.iter().chain([&self.set.sums]) {
            if !has(&self.draft, file) {
                self.sent.add(file.bytes);
            }
        }
    }

    /// Makes the draft, or finds that of an earlier push. Nothing is written into a directory that may
    /// not be written.
    fn begin(&self) -> Result<()> {
        let made = create_dir(self.home, 0o777).and_then(|()| create_dir(&self.draft, 0o777));
        made.and_then(|()| cleared(&self.draft, &self.draft, &self.set.paths())).map_err(|error| {
            let why = format!("{} cannot be written: {error}", self.home.display());
            refused(self.target, why).hint("name a directory that this user may write")
        })
    }

    /// Copies a file into the draft, unless it is there, and reads it back.
    fn copy(&mut self, file: &PushFile) -> Result<()> {
        if has(&self.draft, file) {
            return Ok(());
        }
        let path = self.draft.join(&file.path);
        copied(file, &path).map_err(|error| local(&path, error))?;
        if !has(&self.draft, file) {
            return Err(cut_off(
                self.target,
                format!("{} was read back with other bytes", file.path),
            ));
        }
        self.sent.add(file.bytes);
        Ok(())
    }

    /// Gives the version its name.
    fn publish(&self) -> Result<()> {
        let renamed = cleared(&self.draft, &self.draft, &self.set.paths())
            .and_then(|()| synced(&self.draft))
            .and_then(|()| fs::rename(&self.draft, &self.place));
        match renamed.and_then(|()| sync_dir(self.home)) {
            Ok(()) => Ok(()),
            // Somebody else has published in the meantime.
            Err(_) if self.place.exists() && self.is_known()? => {
                fs::remove_dir_all(&self.draft).ok();
                Ok(())
            }
            Err(error) => Err(local(&self.place, error)),
        }
    }
}

/// Copies a file, and syncs it. The file has its name only when it is whole.
fn copied(file: &PushFile, path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    create_dir(dir, 0o777)?;
    let part = dir.join(format!("{PART}{}", std::process::id()));
    // An earlier process with the same id may have left it.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut copy = HashingFile::create(&part)?;
    io::copy(&mut File::open(&file.source)?, &mut copy)?;
    let (_, sum) = copy.finish()?;
    if sum != file.sha256 {
        fs::remove_file(&part).ok();
        return Err(io::Error::other("the file has changed since its checksum was made"));
    }
    fs::rename(&part, path)
}

/// Whether a directory has a file with its checksum, and not only a link to one.
fn has(dir: &Path, file: &PushFile) -> bool {
    let path = dir.join(&file.path);
    let found = fs::symlink_metadata(&path);
    let is_sized = found.is_ok_and(|found| found.is_file() && found.len() == file.bytes);
    is_sized && sha256_of(&path).is_ok_and(|sum| sum == file.sha256)
}

/// Removes from a draft what is none of the files of the version: parts that pushes which were cut off have left, links,
/// and what somebody else has put there.
fn cleared(draft: &Path, dir: &Path, paths: &BTreeSet<&str>) -> io::Result<()> {
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Err(io::Error::other("the draft is no directory"));
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let within = path.strip_prefix(draft).ok().and_then(Path::to_str);
        let below = |within: &str| paths.iter().any(|one| one.starts_with(&format!("{within}/")));
        match (entry.file_type()?, within) {
            (kind, Some(within)) if kind.is_dir() && below(within) => cleared(draft, &path, paths)?,
            (kind, Some(within)) if kind.is_file() && paths.contains(within) => {}
            (kind, _) if kind.is_dir() => fs::remove_dir_all(&path)?,
            _ => fs::remove_file(&path)?,
        }
    }
    Ok(())
}

/// Syncs the entries of a directory and of those in it.
fn synced(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            synced(&entry.path())?;
        }
    }
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::super::sum_file::{sha256_hex, sums_of};
    use super::*;
    use crate::error::Code;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    /// A version of two small files.
    fn set(room: &Path, text: &str) -> PushSet {
        let file = |path: &str, text: &str| {
            let source = room.join(path.replace('/', "-"));
            fs::write(&source, text).unwrap();
            let (bytes, sha256) = (text.len() as u64, sha256_hex(text.as_bytes()));
            PushFile { path: path.to_owned(), source, bytes, sha256 }
        };
        let files = vec![file("README.md", text), file("sft/train-00000-of-00001.parquet", "rows")];
        let sums = file(SUMS, &sums_of(&files));
        PushSet {
            campaign: "c".to_owned(),
            version: 3,
            root: sums.sha256.clone(),
            files,
            sums,
            tables: Vec::new(),
            left_out: BTreeMap::new(),
        }
    }

    fn push(set: &PushSet, home: &Path, is_plan: bool) -> Result<PushOutcome> {
        let target = PushTarget::Directory(home.to_owned());
        push_directory(set, &target, home, is_plan, &|_| {})
    }

    #[test]
    fn a_version_has_its_name_only_when_it_is_whole() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (set, home) = (set(room.path(), "card"), out.path().join("new"));
        let planned = push(&set, &home, true).unwrap();
        assert_eq!((planned.state, planned.sent.files), (PushState::Planned, 3));
        assert!(!home.exists(), "a plan writes nothing");
        // The second file is gone, so the push is cut off after the first.
        let gone = &set.files[1].source;
        fs::rename(gone, room.path().join("away")).unwrap();
        assert_eq!(push(&set, &home, false).err().map(|e| e.code()), Some(Code::PushCutOff));
        assert!(!home.join("v3").exists());
        fs::rename(room.path().join("away"), gone).unwrap();
        let shown = Cell::new(0);
        let target = PushTarget::Directory(home.clone());
        let pushed = push_directory(&set, &target, &home, false, &|done| shown.set(done)).unwrap();
        assert_eq!((pushed.state, pushed.sent.files), (PushState::Published, 2), "one was there");
        assert_eq!(shown.get(), set.files.iter().map(|f| f.bytes).sum::<u64>() + set.sums.bytes);
        assert_eq!(fs::read_to_string(home.join("v3/README.md")).unwrap(), "card");
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "no draft is left");
        let again = push(&set, &home, false).unwrap();
        assert_eq!((again.state, again.sent.files), (PushState::Known, 0));
    }

    #[test]
    fn a_file_of_a_draft_with_other_bytes_is_written_again() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = set(room.path(), "card");
        let draft = out.path().join(format!(".v3.push-{}", &set.root[..ROOT]));
        fs::create_dir(&draft).unwrap();
        fs::write(draft.join("README.md"), "cart").unwrap();
        fs::write(draft.join(".part-1"), "half").unwrap();
        assert_eq!(push(&set, out.path(), false).unwrap().sent.files, 3);
        assert_eq!(fs::read_to_string(out.path().join("v3/README.md")).unwrap(), "card");
        assert!(!out.path().join("v3/.part-1").exists());
    }

    #[test]
    fn what_somebody_else_put_into_a_draft_is_not_published() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = set(room.path(), "card");
        let draft = out.path().join(format!(".v3.push-{}", &set.root[..ROOT]));
        fs::create_dir_all(draft.join("more")).unwrap();
        fs::write(draft.join("more/evil.txt"), "evil").unwrap();
        fs::write(draft.join("evil.txt"), "evil").unwrap();
        std::os::unix::fs::symlink(&set.files[0].source, draft.join("README.md")).unwrap();
        push(&set, out.path(), false).unwrap();
        let place = out.path().join("v3");
        let mut names: Vec<_> =
            fs::read_dir(&place).unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["README.md", SUMS, "sft"]);
        assert!(fs::symlink_metadata(place.join("README.md")).unwrap().is_file());
    }

    #[test]
    fn a_published_version_that_was_damaged_is_told() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = set(room.path(), "card");
        push(&set, out.path(), false).unwrap();
        fs::write(out.path().join("v3/README.md"), "").unwrap();
        let error = push(&set, out.path(), false).err().unwrap();
        assert_eq!(error.code(), Code::PushRefused);
        assert!(error.report().contains("README.md is missing"), "{}", error.report());
    }

    #[test]
    fn a_published_version_never_changes() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        push(&set(room.path(), "card"), out.path(), false).unwrap();
        let other = tempfile::tempdir().unwrap();
        let refused = push(&set(other.path(), "another"), out.path(), false);
        assert_eq!(refused.err().map(|e| e.code()), Some(Code::PushRefused));
        assert_eq!(fs::read_to_string(out.path().join("v3/README.md")).unwrap(), "card");
        fs::write(out.path().join("file"), "x").unwrap();
        let below = push(&set(other.path(), "x"), &out.path().join("file/below"), false);
        assert_eq!(below.err().map(|e| e.code()), Some(Code::PushRefused));
    }

    #[test]
    fn a_source_that_changed_is_not_published() {
        let (room, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let set = set(room.path(), "card");
        fs::write(&set.files[0].source, "dirt").unwrap();
        assert_eq!(push(&set, out.path(), false).err().map(|e| e.code()), Some(Code::PushCutOff));
        assert!(!out.path().join("v3").exists());
    }
}

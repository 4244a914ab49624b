//! The folder of a pack: reading it within bounds, and replacing its parts at once.

use crate::durable::sync_dir;
use crate::embedded_files::{DamagedFrame, EmbeddedFile, EmbeddedFrame};
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use synthd_actors::pack::{
    INDEX_FILE, LONG_FILE, MAP_FILE, NAMES_FILE, NOTICES_FILE, PACK_FILE, PROJECT_DIRECTORY,
    PackFile, PackHead, PackParts, PackProblem, SLOW_FILE, SlowParts, WORKLOAD_DIRECTORY,
};
use synthd_actors::task::TEMPLATE_FILE;

/// The most bytes of one file, 16 MiB.
pub(super) const MAX_FILE: u64 = 16 << 20;
/// The most bytes of all files, 64 MiB.
pub(super) const MAX_BYTES: u64 = 64 << 20;
/// The most files.
pub(super) const MAX_FILES: usize = 10_000;
/// The most directories around a file.
const MAX_DEPTH: usize = 32;

/// The files of a directory by their paths below it, and whether their owner may execute them.
#[derive(Debug, Default)]
pub(crate) struct PackFolder(pub(super) BTreeMap<String, (Vec<u8>, bool)>);

/// All packs below a directory, in the order of their paths. Nothing below a template or a pack is
/// looked at.
pub(crate) fn find_packs(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    find_below(directory, 0, &mut found)?;
    Ok(found)
}

fn find_below(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if directory.join(PACK_FILE).is_file() {
        found.push(directory.to_owned());
        return Ok(());
    }
    if depth > MAX_DEPTH || directory.join(TEMPLATE_FILE).is_file() {
        return Ok(());
    }
    for path in entries(directory)? {
        let data = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, error))?;
        if data.is_dir() {
            find_below(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

/// The entries of a directory in the order of their names.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(|error| unreadable(directory, error))?;
    paths.sort();
    Ok(paths)
}

impl PackFolder {
    /// Reads all files below a directory. Links, and what is no regular file, are refused.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let mut folder = Self::default();
        folder.read_below(directory, directory, 0)?;
        Ok(folder)
    }

    /// The files of a shipped pack.
    pub(super) fn embedded(
        frame: &EmbeddedFrame,
        files: &[EmbeddedFile],
    ) -> Result<Self, DamagedFrame> {
        let frame = frame.expand()?;
        let file = |file: &EmbeddedFile| -> Result<_, DamagedFrame> {
            let bytes = file.bytes(&frame)?.to_vec();
            Ok((file.path.to_owned(), (bytes, file.executable)))
        };
        files.iter().map(file).collect::<Result<_, _>>().map(Self)
    }

    fn read_below(&mut self, root: &Path, directory: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(directory, "is deeper than a pack may be"));
        }
        for path in entries(directory)? {
            let data = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, error))?;
            if data.is_dir() {
                self.read_below(root, &path, depth + 1)?;
            } else if data.is_file() {
                let bytes = read_bounded(&path)?;
                let executable = data.permissions().mode() & 0o100 != 0;
                self.insert(root, &path, bytes, executable)?;
            } else {
                return Err(refused(&path, "is neither a file nor a directory"));
            }
        }
        Ok(())
    }

    fn insert(&mut self, root: &Path, path: &Path, bytes: Vec<u8>, executable: bool) -> Result<()> {
        let below = path.strip_prefix(root).unwrap_or(path);
        let Some(name) = below.to_str() else {
            return Err(refused(path, "has a name that is not text in UTF-8"));
        };
        self.add(name.to_owned(), bytes, executable).map_err(|why| refused(path, why))
    }

    /// Adds a file. Err says which bound of the whole it breaks.
    pub(super) fn add(
        &mut self,
        name: String,
        bytes: Vec<u8>,
        executable: bool,
    ) -> Result<(), &'static str> {
        let sum: u64 = self.0.values().map(|(bytes, _)| bytes.len() as u64).sum();
        if sum + bytes.len() as u64 > MAX_BYTES {
            return Err("brings the whole above 64 MiB");
        }
        if self.0.len() == MAX_FILES {
            return Err("is one file too many; 10,000 are possible");
        }
        self.0.insert(name, (bytes, executable));
        Ok(())
    }

    /// The parts of the pack.
    pub(crate) fn parts(&self) -> Result<PackParts, PackProblem> {
        let head_text = self.text(PACK_FILE, true)?;
        let head: PackHead = toml::from_str(&head_text)
            .map_err(|error| PackProblem::of(PACK_FILE, error.to_string()))?;
        Ok(PackParts {
            head,
            head_text,
            files: self.project()?,
            map: self.text(MAP_FILE, false)?,
            index: self.text(INDEX_FILE, false)?,
            long: self.text(LONG_FILE, false)?,
            names: self.text(NAMES_FILE, false)?,
            slow: self.slow()?,
            notices: self.text(NOTICES_FILE, false)?,
        })
    }

    /// The text of a part. A part that need not be there is empty then.
    fn text(&self, name: &str, is_needed: bool) -> Result<String, PackProblem> {
        match self.0.get(name) {
            Some((bytes, _)) => text_of(name, bytes),
            None if is_needed => Err(PackProblem::of(name, "the file is missing")),
            None => Ok(String::new()),
        }
    }

    /// The slow forms, and the programs of their workloads.
    fn slow(&self) -> Result<SlowParts, PackProblem> {
        let prefix = format!("{WORKLOAD_DIRECTORY}/");
        let workload = |(name, (bytes, _)): (&String, &(Vec<u8>, bool))| {
            let below = name.strip_prefix(&prefix)?.strip_suffix(".py")?.to_owned();
            Some(text_of(name, bytes).map(|text| (below, text)))
        };
        let workloads = self.0.iter().filter_map(workload).collect::<Result<_, _>>()?;
        Ok(SlowParts { forms: self.text(SLOW_FILE, false)?, workloads })
    }

    /// The files of the project.
    fn project(&self) -> Result<Vec<PackFile>, PackProblem> {
        let prefix = format!("{PROJECT_DIRECTORY}/");
        let file = |(name, (bytes, executable)): (&String, &(Vec<u8>, bool))| {
            let path = name.strip_prefix(&prefix)?.to_owned();
            let content = text_of(name, bytes);
            let executable = *executable;
            Some(content.map(|content| PackFile { path, content, executable }))
        };
        self.0.iter().filter_map(file).collect()
    }
}

/// Bytes as text.
fn text_of(name: &str, bytes: &[u8]) -> Result<String, PackProblem> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|error| {
        let at = error.valid_up_to();
        PackProblem::of(name, format!("it is not text in UTF-8: byte {at} is wrong"))
    })
}

/// Writes a file of a pack so that it is there whole or not at all, also after a power cut.
pub(crate) fn replace_file(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_dir(directory)
    };
    written().map_err(|error| {
        fs::remove_file(&new).ok();
        Error::new(Code::Io, format!("cannot write {}", path.display())).with_source(error)
    })
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(refused(path, "is larger than 16 MiB"));
    }
    Ok(bytes)
}

/// The statement and the cause of an error, on one line.
pub(super) fn in_words(error: &Error) -> String {
    let why = std::error::Error::source(error).map_or(String::new(), |why| format!(": {why}"));
    format!("{error}{why}")
}

/// The error for a file that a pack must not have.
pub(super) fn refused(path: &Path, why: &str) -> Error {
    Error::new(Code::PackInvalid, format!("{} {why}", path.display()))
        .hint("docs/packs.md says what a pack and a project may have")
}

/// The error for a file or directory that cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::PackInvalid, format!("cannot read {}", path.display()))
        .with_source(error)
        .hint("name a directory that this user can read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_a_pack_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(PACK_FILE), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("link")).unwrap();
        let error = PackFolder::read(place.path()).unwrap_err();
        assert_eq!(error.code(), Code::PackInvalid);
        assert!(error.to_string().contains("neither a file nor a directory"), "{error}");
    }

    #[test]
    fn packs_are_found_below_a_directory_and_not_in_each_other() {
        let place = tempfile::tempdir().unwrap();
        for pack in ["a/one", "a/one/project/two", "three"] {
            let folder = place.path().join(pack);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(PACK_FILE), "").unwrap();
        }
        let found = find_packs(place.path()).unwrap();
        assert_eq!(found, [place.path().join("a/one"), place.path().join("three")]);
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("index.jsonl");
        replace_file(&path, "one\n").unwrap();
        replace_file(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    }
}

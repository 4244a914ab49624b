//! The files of a task folder, as far as they matter: which there are, how large they are, and the text
//! of those that say what the task is.
//!
//! What is read is bounded, whatever the folder has: the size and the number of files, their sum and the
//! depth. A link is followed only to a file in the same folder.

use super::harbor_problem::HarborProblem;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The file that makes a folder a task of Harbor's.
pub(super) const TASK_TOML: &str = "task.toml";
/// The file that makes a folder a task of Terminal-Bench's.
pub(super) const TASK_YAML: &str = "task.yaml";
/// The names of the files whose text is read.
const READ: [&str; 9] = [
    TASK_TOML,
    TASK_YAML,
    "instruction.md",
    "test.sh",
    "solve.sh",
    "run-tests.sh",
    "solution.sh",
    "Dockerfile",
    "docker-compose.yaml",
];
/// The most bytes of a text, 4 MiB.
const MAX_TEXT: u64 = 4 << 20;
/// The most bytes of a file, 64 MiB, and of all files of a task, 1 GiB.
const MAX_FILE: u64 = 64 << 20;
const MAX_FOLDER: u64 = 1 << 30;
/// The most files of a task, and directories around one.
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 32;

/// The files of one task folder by their paths, with `/` between the parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HarborFiles(BTreeMap<String, HarborFile>);

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HarborFile {
    size: u64,
    /// The bytes of a text. None if only its size matters, or if it is larger than [`MAX_TEXT`].
    bytes: Option<Vec<u8>>,
}

impl HarborFiles {
    /// Reads a folder. The first thing that is out of bounds ends it.
    pub fn read(folder: &Path) -> Result<Self, HarborProblem> {
        let real = folder.canonicalize().map_err(|error| unreadable("", &error))?;
        let mut reader = FilesReader { folder, real, files: Self::default(), bytes: 0 };
        reader.read_below(folder, 0)?;
        Ok(reader.files)
    }

    /// Files that exist only in memory: those of an export, or of a test.
    pub fn of<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        let file = |(path, bytes): (&'f str, &'f [u8])| {
            let size = bytes.len() as u64;
            (path.to_owned(), HarborFile { size, bytes: Some(bytes.to_vec()) })
        };
        Self(files.into_iter().map(file).collect())
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Whether there is a file below a directory.
    pub(super) fn has_below(&self, directory: &str) -> bool {
        self.paths().any(|path| path.strip_prefix(directory).is_some_and(|p| p.starts_with('/')))
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text of a file. None if there is no such file.
    pub(super) fn text(&self, path: &str) -> Option<Result<&str, HarborProblem>> {
        let HarborFile { size, bytes } = self.0.get(path)?;
        let Some(bytes) = bytes else {
            let what = format!("has {size} bytes; a text has at most {} MiB", MAX_TEXT >> 20);
            return Some(Err(HarborProblem::invalid(path, what)));
        };
        Some(std::str::from_utf8(bytes).map_err(|error| {
            let what = format!("is no text in UTF-8: {error}");
            HarborProblem::invalid(path, what)
        }))
    }
}

/// The task folders at a path: the folder itself, or those directly in it, by their names.
pub fn find_tasks(path: &Path) -> io::Result<Vec<PathBuf>> {
    if is_task(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let mut tasks: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).collect();
    tasks.retain(|path| is_task(path));
    tasks.sort();
    Ok(tasks)
}

/// The most directories around a task folder below a path.
const MAX_AROUND: usize = 8;

/// The task folders at a path and everywhere below it, by their paths. Links to directories are not
/// followed, and a task folder has no other one in it.
pub fn find_tasks_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tasks = Vec::new();
    find_below(path, 0, &mut tasks)?;
    Ok(tasks)
}

fn find_below(path: &Path, depth: usize, tasks: &mut Vec<PathBuf>) -> io::Result<()> {
    if is_task(path) {
        tasks.push(path.to_owned());
        return Ok(());
    }
    if depth > MAX_AROUND {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            find_below(&entry.path(), depth + 1, tasks)?;
        }
    }
    Ok(())
}

/// The digest over the paths and the bytes of all files of a folder.
pub fn folder_digest(folder: &Path) -> Result<String, HarborProblem> {
    let files = HarborFiles::read(folder)?;
    let mut all = Sha256::new();
    for path in files.paths() {
        let digest = file_digest(&folder.join(path)).map_err(|error| unreadable(path, &error))?;
        all.update(format!("{path}\0{digest}\n"));
    }
    Ok(hex::encode(all.finalize()))
}

/// The digest over the bytes of a file. A file that grows meanwhile has another digest, and no endless
/// one.
fn file_digest(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?.take(MAX_FILE), Sha256::new());
    let mut buffer = vec![0_u8; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn is_task(path: &Path) -> bool {
    [TASK_TOML, TASK_YAML].iter().any(|name| path.join(name).symlink_metadata().is_ok())
}

/// Reads one folder.
struct FilesReader<'f> {
    folder: &'f Path,
    /// The folder without links in its path.
    real: PathBuf,
    files: HarborFiles,
    /// The sum of the sizes so far.
    bytes: u64,
}

impl FilesReader<'_> {
    fn read_below(&mut self, directory: &Path, depth: usize) -> Result<(), HarborProblem> {
        let name = self.name_of(directory)?;
        if depth > MAX_DEPTH {
            let what = format!("is deeper than {MAX_DEPTH} directories");
            return Err(HarborProblem::invalid(name, what));
        }
        let entries =
            std::fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|error| unreadable(&name, &error))?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let path = entry.path();
            let name = self.name_of(&path)?;
            let kind = entry.file_type().map_err(|error| unreadable(&name, &error))?;
            if kind.is_dir() {
                self.read_below(&path, depth + 1)?;
                continue;
            }
            if kind.is_symlink() {
                self.check_link(&path, &name)?;
            }
            self.read_file(&path, name)?;
        }
        Ok(())
    }

    /// A link may lead only to a file in the folder.
    fn check_link(&self, path: &Path, name: &str) -> Result<(), HarborProblem> {
        let Ok(target) = path.canonicalize() else {
            return Err(HarborProblem::invalid(name, "is a link that leads nowhere"));
        };
        if !target.starts_with(&self.real) {
            return Err(HarborProblem::invalid(name, "is a link that leaves the task's folder"));
        }
        if target.is_dir() {
            let what = "is a link to a directory; only links to files are read";
            return Err(HarborProblem::unsupported(name, what));
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, name: String) -> Result<(), HarborProblem> {
        let data = std::fs::metadata(path).map_err(|error| unreadable(&name, &error))?;
        // To open a pipe would wait for its other end.
        if !data.is_file() {
            let what = "is neither a file nor a directory";
            return Err(HarborProblem::invalid(name, what));
        }
        self.bound(&name, &data)?;
        let is_read = READ.iter().any(|read| path.file_name().is_some_and(|file| file == *read));
        let bytes = match is_read && data.len() <= MAX_TEXT {
            true => Some(text_of(path).map_err(|error| unreadable(&name, &error))?),
            false => None,
        };
        self.files.0.insert(name, HarborFile { size: data.len(), bytes });
        Ok(())
    }

    /// Counts a file. Err if it is too large, or one too many.
    fn bound(&mut self, name: &str, data: &Metadata) -> Result<(), HarborProblem> {
        self.bytes = self.bytes.saturating_add(data.len());
        let what = if data.len() > MAX_FILE {
            format!("has {} bytes; a file of a task has at most {} MiB", data.len(), MAX_FILE >> 20)
        } else if self.bytes > MAX_FOLDER {
            format!("brings its task above {} MiB", MAX_FOLDER >> 20)
        } else if self.files.0.len() == MAX_FILES {
            format!("is one file too many; a task has at most {MAX_FILES}")
        } else {
            return Ok(());
        };
        Err(HarborProblem::invalid(name, what))
    }

    /// The path in the folder.
    fn name_of(&self, path: &Path) -> Result<String, HarborProblem> {
        let below = path.strip_prefix(self.folder).unwrap_or(path);
        below.to_str().map(str::to_owned).ok_or_else(|| {
            let what = "has a name that is no text in UTF-8";
            HarborProblem::invalid(below.to_string_lossy(), what)
        })
    }
}

/// The bytes of a text. A file that grows meanwhile is cut off.
fn text_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> HarborProblem {
    HarborProblem::invalid(name, format!("cannot be read: {error}"))
}

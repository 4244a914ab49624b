//! The build context: the directory whose files a Dockerfile may copy.
//!
//! [`BuildContext::read`] lists the files that are sent, without those that `.dockerignore`
//! names. From the list come a digest, which becomes a part of the image's tag, and a tar
//! archive, which is sent to the container engine. The list is sorted, so the same files always
//! give the same digest.
//!
//! A file that changes between the digest and the archive is not noticed, unless it becomes
//! shorter: then the archive fails.

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file in the context with patterns of files that are not sent.
const IGNORE: &str = ".dockerignore";
/// The most levels of directories. No real sources are deeper.
const DEEPEST: usize = 128;

/// The files that are sent, sorted by their paths.
pub(super) struct BuildContext {
    root: PathBuf,
    entries: Vec<ContextEntry>,
}

/// A file, directory or link of the context.
struct ContextEntry {
    /// Relative to the root of the context.
    path: PathBuf,
    kind: ContextEntryKind,
    /// Permission bits, such as 0o644.
    mode: u32,
}

/// The kind of an entry. Other kinds of files are never sent.
enum ContextEntryKind {
    Directory,
    /// A file, with its length in bytes when it was listed.
    File(u64),
    /// A symbolic link, with its target. It is sent as a link and never followed.
    Link(PathBuf),
}

impl BuildContext {
    /// Lists the context below `root`. Fails if a directory cannot be read or a pattern is
    /// malformed.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let ignored = DockerIgnore::read(&root.join(IGNORE))?;
        let mut context = Self { root: root.to_owned(), entries: Vec::new() };
        context.walk(Path::new(""), &ignored, 0)?;
        context.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(context)
    }

    /// Adds what is below one directory (`below` is relative to the root). An ignored directory
    /// is not entered, unless a later pattern may want something in it back.
    fn walk(&mut self, below: &Path, ignored: &DockerIgnore, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            let why = format!("{}: deeper than {DEEPEST} directories", below.display());
            return Err(io::Error::other(why));
        }
        for entry in fs::read_dir(self.root.join(below))? {
            let path = below.join(entry?.file_name());
            let facts = fs::symlink_metadata(self.root.join(&path))?;
            if facts.is_dir() && (!ignored.has(&path) || ignored.spares_some) {
                self.walk(&path, ignored, depth + 1)?;
            }
            if !ignored.has(&path) {
                self.take(path, &facts)?;
            }
        }
        Ok(())
    }

    /// Adds one path to the list. Sockets, pipes and devices are left out.
    fn take(&mut self, path: PathBuf, facts: &Metadata) -> io::Result<()> {
        let kind = if facts.is_dir() {
            ContextEntryKind::Directory
        } else if facts.is_file() {
            ContextEntryKind::File(facts.len())
        } else if facts.is_symlink() {
            ContextEntryKind::Link(fs::read_link(self.root.join(&path))?)
        } else {
            // No build needs a socket or a pipe.
            tracing::debug!(path = %path.display(), "not sent: it is not a file, a directory or \
                                                     a link");
            return Ok(());
        };
        self.entries.push(ContextEntry { path, kind, mode: facts.permissions().mode() & 0o7777 });
        Ok(())
    }

    /// Feeds names, modes and contents to the hasher. Times and owners of files do not matter.
    pub(super) fn digest_into(&self, hasher: &mut Sha256) -> io::Result<()> {
        for entry in &self.entries {
            let path = entry.path.as_os_str().as_bytes();
            hasher.update((path.len() as u64).to_le_bytes());
            hasher.update(path);
            hasher.update(entry.mode.to_le_bytes());
            match &entry.kind {
                ContextEntryKind::Directory => hasher.update(b"d"),
                ContextEntryKind::Link(target) => {
                    hasher.update(b"l");
                    hasher.update(target.as_os_str().as_bytes());
                }
                ContextEntryKind::File(length) => {
                    hasher.update(b"f");
                    hasher.update(length.to_le_bytes());
                    copy(self.open(entry, *length)?, hasher)?;
                }
            }
        }
        Ok(())
    }

    /// Opens a file to read at most as many bytes as it had when it was listed. Errors have the
    /// path in their message.
    fn open(&self, entry: &ContextEntry, length: u64) -> io::Result<impl Read + use<>> {
        let path = self.root.join(&entry.path);
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        Ok(File::open(&path).map_err(named)?.take(length))
    }

    /// Writes the context to `to` as a tar archive. One more file follows, with the name `name`
    /// and the content `text`: the Dockerfile.
    pub(super) fn archive(&self, name: &str, text: &str, to: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(to);
        for entry in &self.entries {
            let mut header = header(entry.mode);
            match &entry.kind {
                ContextEntryKind::Directory => {
                    header.set_entry_type(tar::EntryType::Directory);
                    archive.append_data(&mut header, &entry.path, io::empty())?;
                }
                ContextEntryKind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    archive.append_link(&mut header, &entry.path, target)?;
                }
                ContextEntryKind::File(length) => {
                    header.set_size(*length);
                    let file = self.open(entry, *length)?;
                    archive.append_data(
                        &mut header,
                        &entry.path,
                        ExactLengthReader { file, left: *length },
                    )?;
                }
            }
        }
        let mut header = header(0o644);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes())?;
        archive.into_inner()?.flush()
    }
}

/// Feeds a file to the hasher.
fn copy(mut file: impl Read, hasher: &mut Sha256) -> io::Result<()> {
    let mut buffer = [0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            got => hasher.update(&buffer[..got]),
        }
    }
}

/// A header for an entry of the archive, with the mode and no length yet.
fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(0);
    header
}

/// Fails if the file ends before `left` bytes were read. The archive states the length before the
/// content, so a file that became shorter would shift everything after it.
struct ExactLengthReader<R> {
    file: R,
    left: u64,
}

impl<R: Read> Read for ExactLengthReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        if got == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("a file of the context was cut meanwhile"));
        }
        self.left -= got as u64;
        Ok(got)
    }
}

/// The patterns of `.dockerignore`. The last pattern that matches a path, or a directory above
/// it, decides.
struct DockerIgnore {
    /// In order of the file. The flag says whether a match is ignored; it is false after a `!`.
    patterns: Vec<(GlobMatcher, bool)>,
    /// Whether a pattern with `!` exists, so that something below an ignored directory may be
    /// sent.
    spares_some: bool,
}

impl DockerIgnore {
    /// Reads the patterns. No file means no patterns.
    fn read(file: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let patterns = text.lines().filter_map(pattern).collect::<io::Result<Vec<_>>>()?;
        let spares_some = patterns.iter().any(|(_, ignored)| !ignored);
        Ok(Self { patterns, spares_some })
    }

    /// Whether the path (relative to the root) is ignored.
    fn has(&self, path: &Path) -> bool {
        let above = || path.ancestors().filter(|above| !above.as_os_str().is_empty());
        let fits = |glob: &GlobMatcher| above().any(|path| glob.is_match(path));
        self.patterns.iter().rev().find(|(glob, _)| fits(glob)).is_some_and(|(_, ignored)| *ignored)
    }
}

/// Reads one line, such as `**/*.log` or `!keep/me.log`: the pattern, and whether a match is
/// ignored. `None` for empty lines and comments.
fn pattern(line: &str) -> Option<io::Result<(GlobMatcher, bool)>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (ignored, text) = match line.strip_prefix('!') {
        Some(rest) => (false, rest.trim()),
        None => (true, line),
    };
    let text = text.trim_start_matches("./").trim_matches('/');
    // The pattern would match the whole context, which is never ignored itself.
    if text.is_empty() || text == "." {
        return None;
    }
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    let wrong = |error| io::Error::other(format!("{IGNORE}: {error}"));
    Some(glob.map(|glob| (glob.compile_matcher(), ignored)).map_err(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[&str], ignore: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::write(dir.path().join(IGNORE), ignore).unwrap();
        dir
    }

    fn sent(files: &[&str], ignore: &str) -> Vec<String> {
        let dir = directory(files, ignore);
        let context = BuildContext::read(dir.path()).unwrap();
        let files =
            context.entries.iter().filter(|entry| matches!(entry.kind, ContextEntryKind::File(_)));
        files.map(|f| f.path.display().to_string()).filter(|path| path != IGNORE).collect()
    }

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let files = ["a", "target/x", "src/target/x", "src/a.rs", "src/keep/b.log", "c.log"];
        assert_eq!(sent(&files, "# words\n\ntarget\n*.log\n").len(), 4);
        assert_eq!(
            sent(&files, "**/target\n**/*.log\n!src/keep/b.log"),
            ["a", "src/a.rs", "src/keep/b.log"]
        );
        assert_eq!(sent(&files, "*\n!src\n"), ["src/a.rs", "src/keep/b.log", "src/target/x"]);
        assert_eq!(sent(&files, "!src/keep\n/src/\n").len(), 3);
    }

    #[test]
    fn the_digest_is_of_names_modes_and_contents() {
        let digest = |dir: &Path| {
            let mut hasher = Sha256::new();
            BuildContext::read(dir).unwrap().digest_into(&mut hasher).unwrap();
            hex::encode(hasher.finalize())
        };
        let one = directory(&["a", "b/c"], "");
        let first = digest(one.path());
        assert_eq!(first, digest(directory(&["a", "b/c"], "").path()));
        fs::set_permissions(one.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(first, digest(one.path()));
        assert_ne!(first, digest(directory(&["a", "b/d"], "").path()));
    }

    #[test]
    fn links_are_sent_as_links_and_pipes_not_at_all() {
        let dir = directory(&["a"], "");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut bytes = Vec::new();
        BuildContext::read(dir.path())
            .unwrap()
            .archive("Dockerfile", "FROM x", &mut bytes)
            .unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let kinds: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().entry_type())
            })
            .collect();
        let file = tar::EntryType::Regular;
        let expected = [
            (IGNORE.to_owned(), file),
            ("a".to_owned(), file),
            ("link".to_owned(), tar::EntryType::Symlink),
            ("Dockerfile".to_owned(), file),
        ];
        assert_eq!(kinds, expected);
    }
}

//! Trees as entries in frames, in both directions.

use super::wire::{CHUNK, Malformed, Reader, Writer, entry, tree};
use synthd_actors::model::{FileSpec, Limits, Snapshot, Tree, TreeEntry, TreeKind};

/// The fields of an entry besides its path and content: kind, two lengths, mode.
const OVERHEAD: u64 = 13;

/// Files to lay, as payloads. None: a path would leave its tree.
pub(super) fn of_files(tree: Tree, files: &[FileSpec]) -> Option<Vec<Vec<u8>>> {
    let mut frames = EntryFrames::new(tree);
    for file in files {
        let path = Some(&file.path).filter(|path| is_plain(path))?;
        frames.file(path.as_bytes(), file.mode, file.content.as_bytes());
    }
    Some(frames.finish())
}

/// A copy to unpack, as payloads. None: a path would leave the workspace.
pub(super) fn of_snapshot(snapshot: &Snapshot) -> Option<Vec<Vec<u8>>> {
    let mut frames = EntryFrames::new(Tree::Workspace);
    let mut closed = Vec::new();
    for item in &snapshot.entries {
        let path = Some(&item.path).filter(|path| is_plain(path))?.as_bytes();
        match &item.kind {
            TreeKind::Directory { mode } => {
                frames.entry(entry::DIRECTORY, path, mode | 0o700, &[]);
                if mode & 0o700 != 0o700 {
                    closed.push((path, *mode));
                }
            }
            TreeKind::File { mode, content } => frames.file(path, *mode, content),
            TreeKind::Symlink { .. } => {}
        }
    }
    // Links last, so that no file is ever written through one; then the directories their
    // owner had closed, innermost first.
    for item in &snapshot.entries {
        if let TreeKind::Symlink { target } = &item.kind {
            frames.entry(entry::SYMLINK, item.path.as_bytes(), 0, target.as_bytes());
        }
    }
    for (path, mode) in closed.into_iter().rev() {
        frames.entry(entry::DIRECTORY, path, mode, &[]);
    }
    Some(frames.finish())
}

/// What a copy may still hold, whatever the guest says it allows.
pub(super) struct Allowance {
    bytes: u64,
    entries: u64,
}

impl Allowance {
    pub(super) fn of(limits: &Limits) -> Self {
        // A long file takes several entries, each a chunk but the last.
        let entries = limits.inodes.saturating_add(limits.copy_bytes / CHUNK as u64);
        let bytes = limits.copy_bytes.saturating_add(entries.saturating_mul(OVERHEAD));
        Self { bytes, entries }
    }

    /// Takes what a frame of entries uses.
    pub(super) fn spend(&mut self, payload: &[u8], entries: usize) -> Result<(), Malformed> {
        let over = Malformed("more entries than allowed");
        self.bytes = self.bytes.checked_sub(payload.len() as u64).ok_or(over)?;
        self.entries = self.entries.checked_sub(entries as u64).ok_or(over)?;
        Ok(())
    }
}

/// Packs entries into frames of about a chunk each.
struct EntryFrames {
    tree: u8,
    done: Vec<Vec<u8>>,
    open: Writer,
}

impl EntryFrames {
    fn new(below: Tree) -> Self {
        let tree = match below {
            Tree::Workspace => tree::WORKSPACE,
            Tree::Sealed => tree::SEALED,
        };
        Self { tree, done: Vec::new(), open: Writer::default() }
    }

    fn file(&mut self, path: &[u8], mode: u32, content: &[u8]) {
        let mut chunks = content.chunks(CHUNK);
        self.entry(entry::FILE, path, mode, chunks.next().unwrap_or_default());
        for chunk in chunks {
            self.entry(entry::MORE, path, mode, chunk);
        }
    }

    fn entry(&mut self, kind: u8, path: &[u8], mode: u32, content: &[u8]) {
        if self.open.0.is_empty() {
            self.open.u8(self.tree);
        }
        self.open.u8(kind).bytes(path).u32(mode).bytes(content);
        if self.open.0.len() >= CHUNK {
            self.done.push(std::mem::take(&mut self.open.0));
        }
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if !self.open.0.is_empty() {
            self.done.push(self.open.0);
        }
        self.done
    }
}

/// Reads the entries of a frame; their number is the answer.
pub(super) fn read(payload: &[u8], entries: &mut Vec<TreeEntry>) -> Result<usize, Malformed> {
    let mut reader = Reader::new(payload);
    let mut count = 0;
    while !reader.at_end() {
        count += 1;
        let kind = reader.u8()?;
        let path = text(reader.bytes()?)?;
        let mode = reader.u32()? & 0o777;
        let content = reader.bytes()?;
        if !is_plain(&path) {
            return Err(Malformed("path outside the workspace"));
        }
        let kind = match kind {
            entry::DIRECTORY => TreeKind::Directory { mode },
            entry::FILE => TreeKind::File { mode, content: content.to_vec() },
            entry::SYMLINK => TreeKind::Symlink { target: text(content)? },
            entry::MORE => {
                append_to_last(entries, &path, content)?;
                continue;
            }
            _ => return Err(Malformed("unknown kind of entry")),
        };
        entries.push(TreeEntry { path, kind });
    }
    if count == 0 {
        // A guest that sends nothing for ever would never come to an end.
        return Err(Malformed("a frame of entries without any"));
    }
    Ok(count)
}

/// Two names that are no UTF-8 could become one, so the guest leaves them behind.
fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a name that is no UTF-8"))
}

fn append_to_last(entries: &mut [TreeEntry], path: &str, more: &[u8]) -> Result<(), Malformed> {
    match entries.last_mut() {
        Some(TreeEntry { path: last, kind: TreeKind::File { content, .. } }) if last == path => {
            content.extend_from_slice(more);
            Ok(())
        }
        _ => Err(Malformed("more of a file that was not begun")),
    }
}

fn is_plain(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

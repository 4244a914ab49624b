//! Trees as entries in frames, in both directions.

use super::wire::{CHUNK, MalformedFrame, PayloadReader, PayloadWriter, entry, tree};
use std::borrow::Cow;
use std::iter;
use synthd_actors::model::{
    FileSegment, FileSpec, SandboxLimits, SandboxTree, TreeEntry, TreeEntryKind, WorkspaceCopy,
};

/// The fields of an entry besides its path and content: kind, two lengths, mode.
const OVERHEAD: u64 = 13;
/// What the engine keeps of an entry besides.
const ENTRY: u64 = (size_of::<TreeEntry>() + size_of::<FileSegment>() + 32) as u64;

/// Of files beyond their first, in a whole copy.
const PIECES: u64 = 65_536;

/// Files to lay, as payloads. None: a path would leave its tree.
pub(super) fn of_files(
    tree: SandboxTree,
    files: &[FileSpec],
) -> Option<impl Iterator<Item = Vec<u8>>> {
    let plain = files.iter().all(|file| is_plain(&file.path));
    let items = files.iter().flat_map(|file| {
        let content = file.content.as_bytes().chunks(CHUNK).map(|c| (entry::MORE, Cow::from(c)));
        of_file(file.path.as_bytes(), file.mode, content)
    });
    plain.then(|| frames(tree, items))
}

/// A copy to unpack, as payloads, made one at a time. None: a path would leave the workspace.
pub(super) fn of_snapshot(snapshot: &WorkspaceCopy) -> Option<impl Iterator<Item = Vec<u8>>> {
    let entries = &snapshot.entries;
    let plain = entries.iter().all(|item| is_plain(&item.path));
    // Links last, so that no file is ever written through one; then the directories their
    // owner had closed, innermost first.
    let items = entries.iter().flat_map(of_entry).chain(entries.iter().filter_map(of_link));
    let items = items.chain(entries.iter().rev().filter_map(of_closed));
    plain.then(|| frames(SandboxTree::Workspace, items))
}

/// An entry, as it is sent.
struct WireEntry<'a> {
    kind: u8,
    path: &'a [u8],
    mode: u32,
    content: Cow<'a, [u8]>,
}

fn of_entry(item: &TreeEntry) -> Box<dyn Iterator<Item = WireEntry<'_>> + Send + '_> {
    let path = item.path.as_bytes();
    match &item.kind {
        TreeEntryKind::Directory { mode } => {
            let (kind, content) = (entry::DIRECTORY, Cow::default());
            Box::new(iter::once(WireEntry { kind, path, mode: mode | 0o700, content }))
        }
        TreeEntryKind::File { mode, content } => {
            Box::new(of_file(path, *mode, content.iter().flat_map(of_piece)))
        }
        TreeEntryKind::Symlink { .. } => Box::new(iter::empty()),
    }
}

fn of_piece(piece: &FileSegment) -> Box<dyn Iterator<Item = (u8, Cow<'_, [u8]>)> + Send + '_> {
    match piece {
        FileSegment::Bytes(bytes) => Box::new(bytes.chunks(CHUNK).map(|c| (entry::MORE, c.into()))),
        FileSegment::Hole(length) => {
            Box::new(iter::once((entry::HOLE, length.to_le_bytes().to_vec().into())))
        }
    }
}

/// Its first bytes are sent with the file itself.
fn of_file<'a>(
    path: &'a [u8],
    mode: u32,
    pieces: impl Iterator<Item = (u8, Cow<'a, [u8]>)>,
) -> impl Iterator<Item = WireEntry<'a>> {
    let mut pieces = pieces.peekable();
    let first = pieces.next_if(|(kind, _)| *kind == entry::MORE);
    let begin = (entry::FILE, first.map(|(_, bytes)| bytes).unwrap_or_default());
    iter::once(begin).chain(pieces).map(move |(kind, content)| WireEntry {
        kind,
        path,
        mode,
        content,
    })
}

fn of_link(item: &TreeEntry) -> Option<WireEntry<'_>> {
    let TreeEntryKind::Symlink { target } = &item.kind else { return None };
    let (path, content) = (item.path.as_bytes(), target.as_bytes().into());
    Some(WireEntry { kind: entry::SYMLINK, path, mode: 0, content })
}

fn of_closed(item: &TreeEntry) -> Option<WireEntry<'_>> {
    let TreeEntryKind::Directory { mode } = item.kind else { return None };
    let (path, content) = (item.path.as_bytes(), Cow::default());
    (mode & 0o700 != 0o700).then_some(WireEntry { kind: entry::DIRECTORY, path, mode, content })
}

/// Entries in frames of about a chunk each, of which one is in memory at a time.
fn frames<'a>(
    below: SandboxTree,
    mut items: impl Iterator<Item = WireEntry<'a>>,
) -> impl Iterator<Item = Vec<u8>> {
    let tree = match below {
        SandboxTree::Workspace => tree::WORKSPACE,
        SandboxTree::Sealed => tree::SEALED,
    };
    iter::from_fn(move || {
        let mut open = PayloadWriter::default();
        open.u8(tree);
        while open.0.len() < CHUNK {
            let Some(WireEntry { kind, path, mode, content }) = items.next() else { break };
            open.u8(kind).bytes(path).u32(mode).bytes(&content);
        }
        (open.0.len() > 1).then_some(open.0)
    })
}

/// What a copy may still hold, whatever the guest says it allows.
pub(super) struct CopyAllowance {
    bytes: u64,
    entries: u64,
}

impl CopyAllowance {
    /// What the guest has said that it will send; more than it may is refused.
    pub(super) fn said(
        bytes: u64,
        entries: u64,
        limits: &SandboxLimits,
    ) -> Result<Self, MalformedFrame> {
        let most_entries = limits.inodes.saturating_add(PIECES);
        let most = limits.copy_bytes.saturating_add(entries.saturating_mul(OVERHEAD));
        if entries > most_entries || bytes > most {
            return Err(MalformedFrame("more entries than allowed"));
        }
        Ok(Self { bytes, entries })
    }

    /// How much memory such a copy takes.
    pub(super) fn memory(&self) -> u64 {
        self.bytes.saturating_add(self.entries.saturating_mul(ENTRY))
    }

    /// Takes what a frame of entries uses.
    pub(super) fn spend(&mut self, payload: &[u8], entries: usize) -> Result<(), MalformedFrame> {
        let over = MalformedFrame("more entries than allowed");
        self.bytes = self.bytes.checked_sub(payload.len() as u64).ok_or(over)?;
        self.entries = self.entries.checked_sub(entries as u64).ok_or(over)?;
        Ok(())
    }
}

/// Reads the entries of a frame; their number is the answer.
pub(super) fn read(payload: &[u8], entries: &mut Vec<TreeEntry>) -> Result<usize, MalformedFrame> {
    let mut reader = PayloadReader::new(payload);
    let mut count = 0;
    while !reader.at_end() {
        count += 1;
        let kind = reader.u8()?;
        let path = text(reader.bytes()?)?;
        let mode = reader.u32()? & 0o777;
        let content = reader.bytes()?;
        if !is_plain(&path) {
            return Err(MalformedFrame("path outside the workspace"));
        }
        let kind = match kind {
            entry::DIRECTORY => TreeEntryKind::Directory { mode },
            entry::FILE => TreeEntryKind::File { mode, content: bytes(content) },
            entry::SYMLINK => TreeEntryKind::Symlink { target: text(content)? },
            entry::MORE => {
                append_to_last(entries, &path, bytes(content))?;
                continue;
            }
            entry::HOLE => {
                append_to_last(entries, &path, vec![hole(content)?])?;
                continue;
            }
            _ => return Err(MalformedFrame("unknown kind of entry")),
        };
        entries.push(TreeEntry { path, kind });
    }
    if count == 0 {
        // A guest that sends nothing for ever would never come to an end.
        return Err(MalformedFrame("a frame of entries without any"));
    }
    Ok(count)
}

/// Two names that are no UTF-8 could become one, so the guest leaves them behind.
fn text(bytes: &[u8]) -> Result<String, MalformedFrame> {
    String::from_utf8(bytes.to_vec()).map_err(|_| MalformedFrame("a name that is no UTF-8"))
}

fn bytes(content: &[u8]) -> Vec<FileSegment> {
    if content.is_empty() { Vec::new() } else { vec![FileSegment::Bytes(content.to_vec())] }
}

fn hole(content: &[u8]) -> Result<FileSegment, MalformedFrame> {
    let length = content.try_into().map(u64::from_le_bytes);
    length.map(FileSegment::Hole).map_err(|_| MalformedFrame("a hole of no length"))
}

fn append_to_last(
    entries: &mut [TreeEntry],
    path: &str,
    more: Vec<FileSegment>,
) -> Result<(), MalformedFrame> {
    match entries.last_mut() {
        Some(TreeEntry { path: last, kind: TreeEntryKind::File { content, .. } })
            if last == path =>
        {
            content.extend(more);
            Ok(())
        }
        _ => Err(MalformedFrame("more of a file that was not begun")),
    }
}

fn is_plain(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

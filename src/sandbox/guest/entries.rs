//! Trees as entries in frames, in both directions.

use super::wire::{CHUNK, Malformed, Reader, Writer, entry, tree};
use std::borrow::Cow;
use std::iter;
use synthd_actors::model::{FileSpec, Limits, Piece, Snapshot, Tree, TreeEntry, TreeKind};

/// The fields of an entry besides its path and content: kind, two lengths, mode.
const OVERHEAD: u64 = 13;
/// What the engine keeps of an entry besides.
const ENTRY: u64 = (size_of::<TreeEntry>() + size_of::<Piece>() + 32) as u64;

/// Of files beyond their first, in a whole copy.
const PIECES: u64 = 65_536;

/// Files to lay, as payloads. None: a path would leave its tree.
pub(super) fn of_files(tree: Tree, files: &[FileSpec]) -> Option<impl Iterator<Item = Vec<u8>>> {
    let plain = files.iter().all(|file| is_plain(&file.path));
    let items = files.iter().flat_map(|file| {
        let content = file.content.as_bytes().chunks(CHUNK).map(|c| (entry::MORE, Cow::from(c)));
        of_file(file.path.as_bytes(), file.mode, content)
    });
    plain.then(|| frames(tree, items))
}

/// A copy to unpack, as payloads, made one at a time. None: a path would leave the workspace.
pub(super) fn of_snapshot(snapshot: &Snapshot) -> Option<impl Iterator<Item = Vec<u8>>> {
    let entries = &snapshot.entries;
    let plain = entries.iter().all(|item| is_plain(&item.path));
    // Links last, so that no file is ever written through one; then the directories their
    // owner had closed, innermost first.
    let items = entries.iter().flat_map(of_entry).chain(entries.iter().filter_map(of_link));
    let items = items.chain(entries.iter().rev().filter_map(of_closed));
    plain.then(|| frames(Tree::Workspace, items))
}

/// An entry, as it is sent.
struct Item<'a> {
    kind: u8,
    path: &'a [u8],
    mode: u32,
    content: Cow<'a, [u8]>,
}

fn of_entry(item: &TreeEntry) -> Box<dyn Iterator<Item = Item<'_>> + Send + '_> {
    let path = item.path.as_bytes();
    match &item.kind {
        TreeKind::Directory { mode } => {
            let (kind, content) = (entry::DIRECTORY, Cow::default());
            Box::new(iter::once(Item { kind, path, mode: mode | 0o700, content }))
        }
        TreeKind::File { mode, content } => {
            Box::new(of_file(path, *mode, content.iter().flat_map(of_piece)))
        }
        TreeKind::Symlink { .. } => Box::new(iter::empty()),
    }
}

fn of_piece(piece: &Piece) -> Box<dyn Iterator<Item = (u8, Cow<'_, [u8]>)> + Send + '_> {
    match piece {
        Piece::Bytes(bytes) => Box::new(bytes.chunks(CHUNK).map(|c| (entry::MORE, c.into()))),
        Piece::Hole(length) => {
            Box::new(iter::once((entry::HOLE, length.to_le_bytes().to_vec().into())))
        }
    }
}

/// Its first bytes are sent with the file itself.
fn of_file<'a>(
    path: &'a [u8],
    mode: u32,
    pieces: impl Iterator<Item = (u8, Cow<'a, [u8]>)>,
) -> impl Iterator<Item = Item<'a>> {
    let mut pieces = pieces.peekable();
    let first = pieces.next_if(|(kind, _)| *kind == entry::MORE);
    let begin = (entry::FILE, first.map(|(_, bytes)| bytes).unwrap_or_default());
    iter::once(begin).chain(pieces).map(move |(kind, content)| Item { kind, path, mode, content })
}

fn of_link(item: &TreeEntry) -> Option<Item<'_>> {
    let TreeKind::Symlink { target } = &item.kind else { return None };
    let (path, content) = (item.path.as_bytes(), target.as_bytes().into());
    Some(Item { kind: entry::SYMLINK, path, mode: 0, content })
}

fn of_closed(item: &TreeEntry) -> Option<Item<'_>> {
    let TreeKind::Directory { mode } = item.kind else { return None };
    let (path, content) = (item.path.as_bytes(), Cow::default());
    (mode & 0o700 != 0o700).then_some(Item { kind: entry::DIRECTORY, path, mode, content })
}

/// Entries in frames of about a chunk each, of which one is in memory at a time.
fn frames<'a>(
    below: Tree,
    mut items: impl Iterator<Item = Item<'a>>,
) -> impl Iterator<Item = Vec<u8>> {
    let tree = match below {
        Tree::Workspace => tree::WORKSPACE,
        Tree::Sealed => tree::SEALED,
    };
    iter::from_fn(move || {
        let mut open = Writer::default();
        open.u8(tree);
        while open.0.len() < CHUNK {
            let Some(Item { kind, path, mode, content }) = items.next() else { break };
            open.u8(kind).bytes(path).u32(mode).bytes(&content);
        }
        (open.0.len() > 1).then_some(open.0)
    })
}

/// What a copy may still hold, whatever the guest says it allows.
pub(super) struct Allowance {
    bytes: u64,
    entries: u64,
}

impl Allowance {
    /// What the guest has said that it will send; more than it may is refused.
    pub(super) fn said(bytes: u64, entries: u64, limits: &Limits) -> Result<Self, Malformed> {
        let most_entries = limits.inodes.saturating_add(PIECES);
        let most = limits.copy_bytes.saturating_add(entries.saturating_mul(OVERHEAD));
        if entries > most_entries || bytes > most {
            return Err(Malformed("more entries than allowed"));
        }
        Ok(Self { bytes, entries })
    }

    /// How much memory such a copy takes.
    pub(super) fn memory(&self) -> u64 {
        self.bytes.saturating_add(self.entries.saturating_mul(ENTRY))
    }

    /// Takes what a frame of entries uses.
    pub(super) fn spend(&mut self, payload: &[u8], entries: usize) -> Result<(), Malformed> {
        let over = Malformed("more entries than allowed");
        self.bytes = self.bytes.checked_sub(payload.len() as u64).ok_or(over)?;
        self.entries = self.entries.checked_sub(entries as u64).ok_or(over)?;
        Ok(())
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
            entry::FILE => TreeKind::File { mode, content: bytes(content) },
            entry::SYMLINK => TreeKind::Symlink { target: text(content)? },
            entry::MORE => {
                append_to_last(entries, &path, bytes(content))?;
                continue;
            }
            entry::HOLE => {
                append_to_last(entries, &path, vec![hole(content)?])?;
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

fn bytes(content: &[u8]) -> Vec<Piece> {
    if content.is_empty() { Vec::new() } else { vec![Piece::Bytes(content.to_vec())] }
}

fn hole(content: &[u8]) -> Result<Piece, Malformed> {
    let length = content.try_into().map(u64::from_le_bytes);
    length.map(Piece::Hole).map_err(|_| Malformed("a hole of no length"))
}

fn append_to_last(
    entries: &mut [TreeEntry],
    path: &str,
    more: Vec<Piece>,
) -> Result<(), Malformed> {
    match entries.last_mut() {
        Some(TreeEntry { path: last, kind: TreeKind::File { content, .. } }) if last == path => {
            content.extend(more);
            Ok(())
        }
        _ => Err(Malformed("more of a file that was not begun")),
    }
}

fn is_plain(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

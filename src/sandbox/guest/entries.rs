//! Trees of files as entries in frames, in both directions: files that are laid into a sandbox,
//! and copies of workspaces that are packed or unpacked.
//!
//! An entry is one directory, one file (or a further chunk of it), one hole or one symbolic
//! link. `docs/guest-protocol.md` has the layout. The host checks paths both before sending and
//! after receiving: a path is relative and consists of plain components, as in `src/main.c`.
//! Each function that makes frames is lazy, so at most one frame is in memory beside the tree
//! itself.

use super::wire::{
    CHUNK, MalformedFrame, PayloadReader, PayloadWriter, SKIPPED_NAMED, SKIPPED_PATH, entry,
    skipped, tree,
};
use std::borrow::Cow;
use std::iter;
use synthd_actors::model::{
    FileSegment, FileSpec, SUBMISSION, SandboxLimits, SandboxTree, SkippedEntry, SkippedKind,
    TreeEntry, TreeEntryKind, WorkspaceCopy,
};

/// Bytes of an entry besides its path and its content: kind (1), the lengths of path and
/// content (4 each), mode (4).
const OVERHEAD: u64 = 13;
/// Bytes of memory that the engine needs for an entry besides its path and its content.
const ENTRY: u64 = (size_of::<TreeEntry>() + size_of::<FileSegment>() + 32) as u64;

/// Entries in a whole copy that continue a file (`MORE` and `HOLE`). The guest enforces the
/// same number.
const PIECES: u64 = 65_536;

/// The payloads of the LAY frames that write `files` below `tree`. None: a path of one of the
/// files would leave the tree, and nothing may be sent.
pub(super) fn of_files(
    tree: SandboxTree,
    files: &[FileSpec],
) -> Option<impl Iterator<Item = Vec<u8>>> {
    let plain = files.iter().all(|file| is_plain(&file.path));
    let items = files.iter().flat_map(|file| {
        let content = file.content.as_bytes().chunks(CHUNK).map(|c| (entry::MORE, Cow::from(c)));
        of_file(file.path.as_bytes(), file.mode & 0o777, content)
    });
    plain.then(|| frames(tree, items))
}

/// The payloads of the LAY frames that unpack a copy into the workspace, made one at a time.
/// None: a path of the copy would leave the workspace.
pub(super) fn of_snapshot(snapshot: &WorkspaceCopy) -> Option<impl Iterator<Item = Vec<u8>>> {
    let entries = &snapshot.entries;
    let plain = entries.iter().all(|item| is_plain(&item.path));
    // First directories and files, with directories that their owner may enter and write. Then
    // links: if they came earlier, a later file could be written through one. Last come the
    // final modes of directories that deny their owner something, innermost first, because
    // nothing can be changed below such a directory afterwards.
    let items = entries.iter().flat_map(of_entry).chain(entries.iter().filter_map(of_link));
    let items = items.chain(entries.iter().rev().filter_map(of_closed));
    plain.then(|| frames(SandboxTree::Workspace, items))
}

/// The payload of the LAY frame that writes the guest's own program into the sealed tree.
pub(super) fn of_own_program(path: &str) -> impl Iterator<Item = Vec<u8>> {
    let (kind, content) = (entry::PROGRAM, Cow::default());
    let program = WireEntry { kind, path: path.as_bytes().into(), mode: 0o555, content };
    frames(SandboxTree::Sealed, iter::once(program))
}

/// The payloads of the LAY frames that write the directories and regular files of a copy below
/// [`SUBMISSION`] in the sealed tree, without what git would obey. Everybody may read them, and
/// nobody may execute them. None: a path of the copy would leave the tree.
pub(super) fn of_submission(copy: &WorkspaceCopy) -> Option<impl Iterator<Item = Vec<u8>>> {
    let plain = copy.entries.iter().all(|item| is_plain(&item.path));
    let top = iter::once(WireEntry {
        kind: entry::DIRECTORY,
        path: SUBMISSION.as_bytes().into(),
        mode: 0o755,
        content: Cow::default(),
    });
    let laid = copy.submission().laid.into_iter();
    let items = top.chain(laid.flat_map(of_entry).map(as_data));
    plain.then(|| frames(SandboxTree::Sealed, items))
}

/// An entry of the workspace as one of the submission.
fn as_data(item: WireEntry<'_>) -> WireEntry<'_> {
    let path = [SUBMISSION.as_bytes(), b"/", &item.path].concat().into();
    let mode = if item.kind == entry::DIRECTORY { 0o755 } else { 0o444 };
    WireEntry { path, mode, ..item }
}

/// One entry in the form in which it is sent.
struct WireEntry<'a> {
    /// One of the constants of `wire::entry`.
    kind: u8,
    path: Cow<'a, [u8]>,
    /// Permission bits with the set-id bits and the sticky bit, such as `0o644`. Zero for a symbolic
    /// link.
    mode: u32,
    /// Bytes of a file, the target of a link, or the length of a hole as eight bytes.
    content: Cow<'a, [u8]>,
}

/// The entries of a directory or a file. A link gives none here, see [`of_link`]. The owner
/// gets all rights on a directory until [`of_closed`] takes them away.
fn of_entry(item: &TreeEntry) -> Box<dyn Iterator<Item = WireEntry<'_>> + Send + '_> {
    let path = item.path.as_bytes();
    match &item.kind {
        TreeEntryKind::Directory { mode } => {
            let (kind, content) = (entry::DIRECTORY, Cow::default());
            let path = path.into();
            Box::new(iter::once(WireEntry { kind, path, mode: mode | 0o700, content }))
        }
        TreeEntryKind::File { mode, content } => {
            Box::new(of_file(path, *mode, content.iter().flat_map(of_piece)))
        }
        TreeEntryKind::Symlink { .. } => Box::new(iter::empty()),
    }
}

/// A part of a file as entries: data in chunks of at most [`CHUNK`] bytes, a hole as one entry.
fn of_piece(piece: &FileSegment) -> Box<dyn Iterator<Item = (u8, Cow<'_, [u8]>)> + Send + '_> {
    match piece {
        FileSegment::Bytes(bytes) => Box::new(bytes.chunks(CHUNK).map(|c| (entry::MORE, c.into()))),
        FileSegment::Hole(length) => {
            Box::new(iter::once((entry::HOLE, length.to_le_bytes().to_vec().into())))
        }
    }
}

/// The entries of one file. The first chunk is sent with the FILE entry itself, and further
/// chunks and holes follow it. If the file begins with a hole, the FILE entry is empty.
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
        path: path.into(),
        mode,
        content,
    })
}

/// The entry of a symbolic link; none for other kinds.
fn of_link(item: &TreeEntry) -> Option<WireEntry<'_>> {
    let TreeEntryKind::Symlink { target } = &item.kind else { return None };
    let (path, content) = (item.path.as_bytes().into(), target.as_bytes().into());
    Some(WireEntry { kind: entry::SYMLINK, path, mode: 0, content })
}

/// The final entry of a directory that denies its owner something; none for all others, whose
/// mode is right already.
fn of_closed(item: &TreeEntry) -> Option<WireEntry<'_>> {
    let TreeEntryKind::Directory { mode } = item.kind else { return None };
    let (path, content) = (item.path.as_bytes().into(), Cow::default());
    (mode & 0o700 != 0o700).then_some(WireEntry { kind: entry::DIRECTORY, path, mode, content })
}

/// Puts entries together into payloads of LAY frames of about [`CHUNK`] bytes. A payload is
/// full when it has reached that size, so it is never much longer than two chunks, which is far
/// below `MAX_FRAME`. No entries give no frames.
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
            open.u8(kind).bytes(&path).u32(mode).bytes(&content);
        }
        (open.0.len() > 1).then_some(open.0)
    })
}

/// What a copy may still send. It starts at the size that the guest has announced, and each
/// frame of entries takes from it. So a guest cannot send more than it has announced.
pub(super) struct CopyAllowance {
    /// Bytes of payload that may still come.
    bytes: u64,
    /// Entries that may still come, further chunks and holes included.
    entries: u64,
}

impl CopyAllowance {
    /// Takes the size that the guest announces in its SIZE frame. An error means that the guest
    /// announces more than the limits of the sandbox allow, which an honest guest refuses to do
    /// itself.
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

    /// The bytes of memory to reserve for such a copy before it is received.
    pub(super) fn memory(&self) -> u64 {
        self.bytes.saturating_add(self.entries.saturating_mul(ENTRY))
    }

    /// Takes what one frame of entries uses. An error means that the guest has sent more than
    /// it announced.
    pub(super) fn spend(&mut self, payload: &[u8], entries: usize) -> Result<(), MalformedFrame> {
        let over = MalformedFrame("more entries than allowed");
        self.bytes = self.bytes.checked_sub(payload.len() as u64).ok_or(over)?;
        self.entries = self.entries.checked_sub(entries as u64).ok_or(over)?;
        Ok(())
    }
}

/// The bytes of memory that a part of a file takes.
fn segment_memory(segment: &FileSegment) -> u64 {
    match segment {
        FileSegment::Bytes(bytes) => bytes.len() as u64,
        FileSegment::Hole(_) => size_of::<u64>() as u64,
    }
}

/// The bytes of memory that a copy takes: at least what [`CopyAllowance::memory`] was for the guest's
/// announcement of the same copy.
pub(crate) fn memory_of(copy: &WorkspaceCopy) -> u64 {
    let memory = |item: &TreeEntry| {
        let (pieces, content) = match &item.kind {
            TreeEntryKind::Directory { .. } => (1, 0),
            TreeEntryKind::File { content, .. } => {
                (content.len() as u64 + 1, content.iter().map(segment_memory).sum::<u64>())
            }
            TreeEntryKind::Symlink { target } => (1, target.len() as u64),
        };
        content + pieces * (item.path.len() as u64 + OVERHEAD + ENTRY)
    };
    copy.entries.iter().map(memory).sum()
}

/// Reads the entries of one ENTRIES payload and appends them to `entries`. Returns how many
/// entries the payload had. `MORE` and `HOLE` count too, but they are added to the file before
/// them. An error means that the guest broke the protocol: an unknown kind, a path that leaves
/// the workspace, a chunk of a file that is not the last one, or no entry at all.
pub(super) fn read(payload: &[u8], entries: &mut Vec<TreeEntry>) -> Result<usize, MalformedFrame> {
    let mut reader = PayloadReader::new(payload);
    let mut count = 0;
    while !reader.at_end() {
        count += 1;
        let kind = reader.u8()?;
        let path = text(reader.bytes()?)?;
        let mode = reader.u32()? & 0o7777;
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
        // Without this check, a guest could send empty frames for ever and spend nothing of its
        // allowance.
        return Err(MalformedFrame("a frame of entries without any"));
    }
    Ok(count)
}

/// Reads what a copy left out: how many entries, and the first of them. An error means that the guest
/// broke the protocol: more names than entries or than the limit, a path that is too long, or an
/// unknown reason.
pub(super) fn read_skipped(
    reader: &mut PayloadReader<'_>,
) -> Result<(u32, Vec<SkippedEntry>), MalformedFrame> {
    let count = reader.u32()?;
    let most = SKIPPED_NAMED.min(count as usize);
    let mut named = Vec::new();
    while !reader.at_end() {
        let kind = skipped_kind(reader.u8()?)?;
        let path = reader.bytes()?;
        if path.len() > SKIPPED_PATH || named.len() == most {
            return Err(MalformedFrame("more names of left out entries than allowed"));
        }
        named.push(SkippedEntry { path: path.to_vec(), kind });
    }
    Ok((count, named))
}

fn skipped_kind(why: u8) -> Result<SkippedKind, MalformedFrame> {
    match why {
        skipped::FIFO => Ok(SkippedKind::Fifo),
        skipped::SOCKET => Ok(SkippedKind::Socket),
        skipped::DEVICE => Ok(SkippedKind::Device),
        skipped::ODD_NAME => Ok(SkippedKind::OddName),
        skipped::ODD_LINK => Ok(SkippedKind::OddLink),
        _ => Err(MalformedFrame("an unknown reason to leave an entry out")),
    }
}

/// A path or a link target as text. The guest leaves out names that are not UTF-8, because a
/// lossy conversion could make two different names equal.
fn text(bytes: &[u8]) -> Result<String, MalformedFrame> {
    String::from_utf8(bytes.to_vec()).map_err(|_| MalformedFrame("a name that is no UTF-8"))
}

/// Data as segments of a file: none for an empty chunk.
fn bytes(content: &[u8]) -> Vec<FileSegment> {
    if content.is_empty() { Vec::new() } else { vec![FileSegment::Bytes(content.to_vec())] }
}

/// A hole from its eight-byte length.
fn hole(content: &[u8]) -> Result<FileSegment, MalformedFrame> {
    let length = content.try_into().map(u64::from_le_bytes);
    length.map(FileSegment::Hole).map_err(|_| MalformedFrame("a hole of no length"))
}

/// Adds to the file that was begun last. The path must be the path of that file.
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

/// Whether a path is relative and has only plain components. `a/b` is plain. The empty path,
/// `/a`, `a//b`, `a/../b` and a path with a NUL byte are not.
fn is_plain(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

//! The kernel's notices of what happens in directories (inotify).
//!
//! Only the guest may ask for them. A program would see what other sandboxes and the host do with
//! the files that they share with it. So the sandbox's filter allows these calls only with the
//! numbers below, and `spawn.rs` takes them from each program before it is executed.

use crate::sys::check;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};

// What an event tells. One event may tell several things.
/// A file was read, or the times of an entry were set.
const ACCESS: u32 = 0x1;
/// A file was written or cut, or the times of an entry were set.
const MODIFY: u32 = 0x2;
/// The mode, the owner, the times or an attribute of an entry were set.
pub const ATTRIB: u32 = 0x4;
/// An entry was opened.
const OPEN: u32 = 0x20;
pub const MOVED_FROM: u32 = 0x40;
pub const MOVED_TO: u32 = 0x80;
/// A new entry, or a new name of a file.
pub const CREATE: u32 = 0x100;
pub const DELETE: u32 = 0x200;
/// The file system is gone.
pub const UNMOUNT: u32 = 0x2000;
/// Events were lost, because more waited than the kernel keeps.
pub const OVERFLOW: u32 = 0x4000;
/// The directory is no longer watched.
pub const IGNORED: u32 = 0x8000;
/// The entry is a directory.
pub const IS_DIRECTORY: u32 = 0x4000_0000;
/// Watch nothing but a directory.
const ONLY_DIRECTORY: u32 = 0x0100_0000;
/// Follow no link.
const NO_FOLLOW: u32 = 0x0200_0000;

// The filters of both backends know these two numbers (`system_calls.rs`).
const WATCHED: u32 = ACCESS
    | MODIFY
    | ATTRIB
    | OPEN
    | MOVED_FROM
    | MOVED_TO
    | CREATE
    | DELETE
    | ONLY_DIRECTORY
    | NO_FOLLOW;
const FLAGS: c_int = 0o2_004_000; // IN_CLOEXEC | IN_NONBLOCK
/// Bytes that one call reads.
const CHUNK: usize = 64 << 10;
/// Bytes of an event in front of its name: four numbers.
const HEADER: usize = 16;

unsafe extern "C" {
    fn inotify_init1(flags: c_int) -> c_int;
    fn inotify_add_watch(fd: c_int, path: *const c_char, events: u32) -> c_int;
}

/// One event of a directory that is watched.
pub struct DirectoryEvent<'a> {
    /// The number of the watch that [`watch`] returned; negative for [`OVERFLOW`].
    pub watch: i32,
    /// What has happened, as bits.
    pub what: u32,
    /// The same number in both events of a rename.
    pub rename: u32,
    /// The entry's name. Empty: the directory itself.
    pub name: &'a [u8],
}

/// A new queue of events. It never blocks and closes on exec.
pub fn queue() -> io::Result<File> {
    // SAFETY: integers only.
    let fd = unsafe { check(inotify_init1(FLAGS))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Watches a directory and returns the number of the watch. A directory that is watched already
/// keeps its number.
pub fn watch(queue: &File, directory: &CStr) -> io::Result<i32> {
    // SAFETY: the path is a C string, and the descriptor is open.
    unsafe { check(inotify_add_watch(queue.as_raw_fd(), directory.as_ptr(), WATCHED)) }
}

/// Takes all events from the queue and gives them to `note`, in the order in which they happened. None:
/// `note` has returned None, or the events cannot be read.
pub fn take_all(mut queue: &File, mut note: impl FnMut(&DirectoryEvent<'_>) -> Option<()>) -> Option<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = match queue.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(()),
            other => other.ok().filter(|count| *count > 0)?,
        };
        let mut rest = buffer.get(..count)?;
        while !rest.is_empty() {
            let (event, further) = split(rest)?;
            note(&event)?;
            rest = further;
        }
    }
}

/// The first event, and the bytes behind it. A name is filled up with NULs.
fn split(bytes: &[u8]) -> Option<(DirectoryEvent<'_>, &[u8])> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let end = HEADER.checked_add(number(12)? as usize)?;
    let name = bytes.get(HEADER..end)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let event = DirectoryEvent {
        watch: number(0)?.cast_signed(),
        what: number(4)?,
        rename: number(8)?,
        name,
    };
    Some((event, &bytes[end..]))
}

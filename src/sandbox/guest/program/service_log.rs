//! The log of one service: what its processes wrote, and what the keeper says of it.
//!
//! The newest bytes are in the guest's memory. The file is a copy for people and programs in the
//! sandbox. It never grows beyond [`MAX_FILE`]: then it is begun anew with the bytes that are kept.
//! Programs may remove or change the file; that changes nothing of what the host is told.

use crate::files::O_NOFOLLOW;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The newest bytes that are kept.
const KEPT: usize = 256 << 10;
/// Bytes of the longest file.
const MAX_FILE: usize = 2 * KEPT;

/// The output of one service.
pub struct ServiceLog {
    path: PathBuf,
    /// None: the file cannot be had, for example because the disk is full.
    file: Option<File>,
    /// Bytes in the file.
    length: usize,
    newest: VecDeque<u8>,
}

impl ServiceLog {
    /// A log with a new, empty file.
    pub fn new(path: PathBuf) -> Self {
        let mut log = Self { path, file: None, length: 0, newest: VecDeque::new() };
        log.begin_file();
        log
    }

    /// Adds output.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let surplus = (self.newest.len() + bytes.len()).saturating_sub(KEPT);
        self.newest.drain(..surplus.min(self.newest.len()));
        self.newest.extend(bytes);
        if self.length + bytes.len() > MAX_FILE {
            return self.begin_file();
        }
        self.length += bytes.len();
        // A full disk only makes the copy incomplete.
        let _ = self.file.as_mut().map(|file| file.write_all(bytes));
    }

    /// Adds a line of the keeper's own.
    pub fn say(&mut self, what: &str) {
        self.push(format!("[service: {what}]\n").as_bytes());
    }

    /// Makes the file again if a program has removed it.
    pub fn ensure_file(&mut self) {
        if fs::symlink_metadata(&self.path).is_err() {
            self.begin_file();
        }
    }

    /// The last bytes, at most `most`.
    pub fn tail(&self, most: usize) -> Vec<u8> {
        let skip = self.newest.len().saturating_sub(most);
        self.newest.iter().skip(skip).copied().collect()
    }

    /// Puts a new file in place of the old one, with the bytes that are kept. Whatever has the
    /// name is removed and not followed, because programs can write there.
    fn begin_file(&mut self) {
        let _ = fs::remove_file(&self.path);
        let mut options = File::options();
        options.append(true).create_new(true).custom_flags(O_NOFOLLOW);
        self.file = options.open(&self.path).ok();
        self.length = self.newest.len();
        let _ = self.file.as_mut().map(|file| file.write_all(self.newest.make_contiguous()));
    }
}

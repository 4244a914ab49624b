//! A refusal: why an operation of the agent's cannot be done. It is about the agent's own work,
//! such as a file that is not there, and no failure of the sandbox.

use crate::wire::{PayloadWriter, kind, refusal};
use std::io::{self, ErrorKind};
use std::path::Path;

// Errors of the kernel by their numbers.
pub const ENOENT: i32 = 2;
pub const ENOMEM: i32 = 12;
pub const ENOTDIR: i32 = 20;
pub const EISDIR: i32 = 21;
pub const EFBIG: i32 = 27;
pub const ENAMETOOLONG: i32 = 36;
pub const ELOOP: i32 = 40;

/// What REFUSED says.
#[derive(Debug)]
pub struct GuestRefusal {
    /// One of the constants of `wire::refusal`.
    kind: u8,
    /// In words, such as `No such file or directory`.
    why: String,
}

impl GuestRefusal {
    pub fn new(kind: u8, why: &str) -> Self {
        Self { kind, why: why.to_owned() }
    }

    /// The refusal for an error of the kernel.
    pub fn of(errno: i32) -> Self {
        io::Error::from_raw_os_error(errno).into()
    }

    /// The same refusal, which begins with the path that it is about.
    pub fn about(self, path: &Path) -> Self {
        Self { why: format!("{}: {}", path.display(), self.why), ..self }
    }

    /// Whether the refusal says that something is not there.
    pub fn is_missing(&self) -> bool {
        self.kind == refusal::NOT_FOUND
    }

    /// The kind and the payload of the REFUSED frame.
    pub fn answer(&self) -> (u8, Vec<u8>) {
        let mut writer = PayloadWriter::default();
        writer.u8(self.kind).bytes(self.why.as_bytes());
        (kind::REFUSED, writer.0)
    }
}

impl From<io::Error> for GuestRefusal {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => refusal::NOT_FOUND,
            ErrorKind::IsADirectory => refusal::IS_DIRECTORY,
            ErrorKind::NotADirectory => refusal::NOT_DIRECTORY,
            ErrorKind::FileTooLarge => refusal::TOO_LARGE,
            _ => refusal::FAILED,
        };
        let text = error.to_string();
        // The library adds the number, as in `Permission denied (os error 13)`.
        let words = text.split(" (os error").next().unwrap_or(&text);
        Self::new(kind, words)
    }
}

//! Writes a whole file for the agent.
//!
//! A file that is there keeps its identity and its mode, so it is written in place. Before that,
//! what the new content covers is read. If the write fails half way, for example because the disk
//! is full, the old content is written back and the refusal changes nothing. The old content
//! still has its space, because the file is cut to its new length only at the end. So a file must
//! be readable to be written.

use crate::operation_refusal::{EFBIG, ENOMEM, GuestRefusal};
use crate::path_resolver::{ResolvedPath, resolve};
use crate::wire::{MAX_FILE, MalformedFrame, PayloadReader, refusal};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How often a path is looked at while programs make and remove the file.
const LOOKS: usize = 16;

/// The parts of a file that have come so far. The host sends the next part when the one before it
/// is answered.
#[derive(Default)]
pub struct FileUpload {
    path: Vec<u8>,
    content: Vec<u8>,
}

impl FileUpload {
    /// Takes one WRITE. Returns whether it was the last one. The outer error is a breach of the
    /// protocol: a part that does not follow the one before it, or more than a file may have.
    pub fn take(
        &mut self,
        mut reader: PayloadReader<'_>,
    ) -> Result<Result<bool, GuestRefusal>, MalformedFrame> {
        let (offset, last) = (reader.u64()?, reader.u8()? != 0);
        let (path, content) = (reader.bytes()?, reader.bytes()?);
        reader.finish()?;
        if offset == 0 {
            *self = Self { path: path.to_vec(), content: Vec::new() };
        }
        if offset != self.content.len() as u64 || path != self.path {
            return Err(MalformedFrame("a part of a file that does not follow"));
        }
        if offset + content.len() as u64 > MAX_FILE {
            return Err(MalformedFrame("a file longer than the limit"));
        }
        if self.content.try_reserve_exact(content.len()).is_err() {
            return Ok(Err(GuestRefusal::of(ENOMEM)));
        }
        self.content.extend_from_slice(content);
        Ok(Ok(last))
    }

    /// Writes the file. Missing directories above it are made; they stay if the rest is refused.
    pub fn write(&self) -> Result<(), GuestRefusal> {
        for _ in 0..LOOKS {
            match resolve(&self.path, true)? {
                ResolvedPath::Found(found) => {
                    let file = found.open_file(OpenOptions::new().read(true).write(true))?;
                    return overwrite(&file, &self.content);
                }
                ResolvedPath::Free { parent, name } => {
                    match create(&parent.path().join(name), &self.content) {
                        // A program has made it since.
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                        other => return Ok(other?),
                    }
                }
            }
        }
        Err(GuestRefusal::new(refusal::FAILED, "Programs make and remove the file"))
    }
}

/// Makes a new file. One that cannot be written whole is removed.
fn create(at: &Path, content: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(at)?;
    let written = file.write_all_at(content, 0);
    if written.is_err() {
        // A failure leaves a part of a file. There is nothing else to try.
        let _ = fs::remove_file(at);
    }
    written
}

/// Gives a file a new content, or leaves it as it was.
fn overwrite(file: &File, content: &[u8]) -> Result<(), GuestRefusal> {
    let size = file.metadata()?.len();
    let old = head(file, size.min(content.len() as u64))?;
    replace(file, content).map_err(|error| {
        // Both need no space, so they fail only if a program does the same at the same time.
        let _ = file.write_all_at(&old, 0);
        let _ = file.set_len(size);
        GuestRefusal::from(error)
    })
}

fn replace(file: &File, content: &[u8]) -> io::Result<()> {
    file.write_all_at(content, 0)?;
    file.set_len(content.len() as u64)
}

/// The first bytes of a file, or fewer where a program cuts it meanwhile.
fn head(file: &File, length: u64) -> Result<Vec<u8>, GuestRefusal> {
    let length = usize::try_from(length).map_err(|_| GuestRefusal::of(EFBIG))?;
    let mut head = Vec::new();
    head.try_reserve_exact(length).map_err(|_| GuestRefusal::of(ENOMEM))?;
    head.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut head[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    Ok(head)
}

//! Reads a regular file for the agent, in parts, up to a limit.

use crate::operation_refusal::{EFBIG, GuestRefusal};
use crate::path_resolver;
use crate::wire::{CHUNK, MAX_FILE};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};

/// Reads a file and gives its parts to `send`. The inner error is a refusal: no such file, no
/// regular one, or more than `most` bytes. The outer one is that of `send`.
///
/// A program may write to the file meanwhile. Then the parts are what was there at their time.
/// What counts is what is really read, so a file that grows comes to an end too.
pub fn read(
    path: &[u8],
    most: u64,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Result<(), GuestRefusal>> {
    let mut left = most.min(MAX_FILE);
    let mut file = match open(path, left) {
        Ok(file) => file,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let part = match file.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(error.into())),
        };
        match left.checked_sub(part.len() as u64) {
            None => return Ok(Err(GuestRefusal::of(EFBIG))),
            Some(rest) => left = rest,
        }
        send(part)?;
    }
}

/// Opens a file that is not too large already.
fn open(path: &[u8], most: u64) -> Result<File, GuestRefusal> {
    let found = path_resolver::find(path)?;
    let file = found.open_file(OpenOptions::new().read(true))?;
    if file.metadata()?.len() > most {
        return Err(GuestRefusal::of(EFBIG));
    }
    Ok(file)
}

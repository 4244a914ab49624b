//! Finds out whether programs could still write where they may (ROOM). A program whose files could not
//! be written may have passed a check that it should fail.

use crate::operation_refusal::GuestRefusal;
use crate::wire::{MAX_ROOM, MalformedFrame, PayloadReader};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The file that is written and removed again.
const TRIED: &str = ".room-left";

/// A ROOM request: the bytes that must fit, and the areas.
pub struct RoomRequest<'a> {
    bytes: usize,
    areas: Vec<&'a Path>,
}

impl<'a> RoomRequest<'a> {
    /// Reads the request's payload.
    pub fn read(reader: &mut PayloadReader<'a>) -> Result<Self, MalformedFrame> {
        let bytes = reader.u32()?;
        if bytes > MAX_ROOM {
            return Err(MalformedFrame("more room than may be asked for"));
        }
        let mut areas = Vec::new();
        while !reader.at_end() {
            areas.push(Path::new(OsStr::from_bytes(reader.bytes()?)));
        }
        Ok(Self { bytes: bytes as usize, areas })
    }

    /// Tries each area. Err names the first one without room.
    pub fn check(&self) -> Result<(), GuestRefusal> {
        let zeros = vec![0; self.bytes];
        for area in &self.areas {
            let tried = try_area(&area.join(TRIED), &zeros);
            tried.map_err(|error| GuestRefusal::from(error).about(area))?;
        }
        Ok(())
    }
}

/// Writes a file that must not be there, and removes it.
fn try_area(at: &Path, content: &[u8]) -> io::Result<()> {
    // A check may have left something under this name.
    let _ = fs::remove_file(at);
    let mut file = OpenOptions::new().write(true).create_new(true).open(at)?;
    let written = file.write_all(content);
    fs::remove_file(at)?;
    written
}

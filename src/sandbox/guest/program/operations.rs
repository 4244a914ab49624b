//! Operations of the agent: requests that stand for what a tool of the agent does. The guest runs
//! as the same user as the agent's programs, without any capability and under the same filter, so
//! it can do no more than they. `path_resolver` closes the one gap, the guest's own entries below
//! `/proc`.
//!
//! A refusal answers the request and is no failure.

use crate::operation_refusal::GuestRefusal;
use crate::terminal_input::KeysRequest;
use crate::wire::{PayloadReader, kind};
use crate::{GuestServer, done, finish, invalid, list_directory, read_file};
use std::io;

/// The kind and the payload of the last frame of an answer.
type LastFrame = (u8, Vec<u8>);

impl GuestServer {
    /// READ: sends the file in parts.
    pub fn read_file(&mut self, id: u32, mut reader: PayloadReader<'_>) -> io::Result<LastFrame> {
        let most = reader.u64().map_err(invalid)?;
        let path = reader.bytes().map_err(invalid)?;
        finish(reader)?;
        let host = &mut self.host;
        let read = read_file::read(path, most, |part| host.send(id, kind::CONTENT, part))?;
        Ok(read.map_or_else(|refusal| refusal.answer(), |()| done(0)))
    }

    /// WRITE: takes a part of the file, and writes the file with the last one.
    pub fn write_file(&mut self, reader: PayloadReader<'_>) -> io::Result<LastFrame> {
        match self.upload.take(reader).map_err(invalid)? {
            Ok(false) => return Ok(done(0)),
            Ok(true) => {}
            Err(refusal) => return Ok(self.end_upload(Err(refusal))),
        }
        let written = self.upload.write();
        Ok(self.end_upload(written))
    }

    /// Forgets the parts and answers the last WRITE.
    fn end_upload(&mut self, written: Result<(), GuestRefusal>) -> LastFrame {
        self.upload = Default::default();
        if let Err(refusal) = written {
            return refusal.answer();
        }
        (kind::WRITTEN, self.look(true))
    }

    /// LIST.
    pub fn list_directory(&mut self, mut reader: PayloadReader<'_>) -> io::Result<LastFrame> {
        let (depth, most) = (reader.u32().map_err(invalid)?, reader.u32().map_err(invalid)?);
        let path = reader.bytes().map_err(invalid)?;
        finish(reader)?;
        let listed = list_directory::list(path, depth, most);
        Ok(listed.map_or_else(|refusal| refusal.answer(), |payload| (kind::LISTED, payload)))
    }

    /// KEYS.
    pub fn send_keys(&mut self, mut reader: PayloadReader<'_>) -> io::Result<LastFrame> {
        let request = KeysRequest::read(&mut reader).map_err(invalid)?;
        finish(reader)?;
        let shown = self.shell.send_keys(&request, &mut self.host)?;
        Ok(shown.map_or_else(|refusal| refusal.answer(), |payload| (kind::SHOWN, payload)))
    }
}

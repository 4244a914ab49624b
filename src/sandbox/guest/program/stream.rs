//! The way to the host: one descriptor for both directions, or one for each.

use std::fs::File;
use std::io;

pub struct Stream {
    pub input: File,
    pub output: File,
}

impl Stream {
    pub fn both_ways(file: File) -> io::Result<Self> {
        Ok(Self { output: file.try_clone()?, input: file })
    }
}

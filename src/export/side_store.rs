//! Rows that stand in pairs, in a file until their partners are read. Memory holds only where each of
//! them begins.

use super::preference::PairSide;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The rows that were put, by id.
pub(super) struct SideStore {
    file: File,
    /// Where each row begins, and how long it is.
    places: HashMap<String, (u64, usize)>,
    /// The size of the file.
    end: u64,
}

impl SideStore {
    /// An empty store in a new file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { file, places: HashMap::new(), end: 0 })
    }

    /// Keeps a row. A second row with an id is not kept.
    pub(super) fn put(&mut self, id: &str, side: &PairSide) -> io::Result<()> {
        if self.places.contains_key(id) {
            return Ok(());
        }
        let text = serde_json::to_string(side)?;
        self.file.write_all(text.as_bytes())?;
        self.places.insert(id.to_owned(), (self.end, text.len()));
        self.end += text.len() as u64;
        Ok(())
    }

    /// A row that was put. Fails if it was not.
    pub(super) fn get(&self, id: &str) -> io::Result<PairSide> {
        let gone = || io::Error::other(format!("the row {id} is not there any more"));
        let &(from, length) = self.places.get(id).ok_or_else(gone)?;
        let mut text = vec![0; length];
        self.file.read_exact_at(&mut text, from)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

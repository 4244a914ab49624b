//! The port for notes of earlier runs. A row stage says the same of the same row, so it is asked once.

use super::row_note::RowNote;
use std::collections::BTreeMap;

/// What a note is about: a stage with its version and settings, and a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteKey<'a> {
    /// The digest of the stage and of everything before it that changes rows.
    pub stage: &'a str,
    /// The id of the row and the digest of its content.
    pub row: &'a str,
}

/// Notes that earlier runs have left.
pub trait NoteCache: Send {
    /// What a stage said of a row, if it was asked before.
    fn get(&mut self, key: NoteKey<'_>) -> Option<RowNote>;
    /// Keeps what a stage said of a row, also if it is nothing.
    fn put(&mut self, key: NoteKey<'_>, note: &RowNote);
}

/// Notes that last as long as the process.
#[derive(Debug, Default)]
pub struct NotesInMemory {
    notes: BTreeMap<(String, String), RowNote>,
}

impl NoteCache for NotesInMemory {
    fn get(&mut self, key: NoteKey<'_>) -> Option<RowNote> {
        self.notes.get(&(key.stage.to_owned(), key.row.to_owned())).cloned()
    }

    fn put(&mut self, key: NoteKey<'_>, note: &RowNote) {
        self.notes.insert((key.stage.to_owned(), key.row.to_owned()), note.clone());
    }
}

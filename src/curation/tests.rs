//! The cache of notes: what is lost is found again.

use super::note_store::NoteStore;
use synthd_actors::curation::{NoteCache, NoteKey, RowNote, StageRemark};

const KEY: NoteKey<'static> = NoteKey { stage: "stage", row: "row/digest" };

fn note() -> RowNote {
    RowNote { stage: 1, remarks: vec![StageRemark::new("found").scored(0.5)], replaced: 2 }
}

#[test]
fn notes_outlive_a_run_that_ended_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = NoteStore::open(dir.path()).unwrap();
    assert_eq!(first.get(KEY), None);
    first.put(KEY, &note());
    assert_eq!(first.get(KEY), Some(note()));
    // It was ended before its end.
    drop(first);
    let mut second = NoteStore::open(dir.path()).unwrap();
    assert_eq!(second.get(KEY), None);
    second.put(KEY, &note());
    second.finish();
    assert_eq!(NoteStore::open(dir.path()).unwrap().get(KEY), Some(note()));
}

#[test]
fn a_file_that_is_no_database_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("curation/notes.db");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "this is no database, but long enough to look at".repeat(40)).unwrap();
    let mut store = NoteStore::open(dir.path()).unwrap();
    store.put(KEY, &note());
    store.finish();
    assert_eq!(NoteStore::open(dir.path()).unwrap().get(KEY), Some(note()));
}

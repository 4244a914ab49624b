//! Checks that the engine makes by itself: it compares the files that an agent left with the files of
//! the task, byte by byte. No sandbox runs, and no file leaves the memory. What is wrong is said in
//! words: what was expected, and what was found.

use crate::model::{
    FileComparison, FileSegment, FinalNewline, SkippedEntry, Task, TreeEntry, TreeEntryKind,
    WorkspaceCopy,
};
use crate::task::path_matches;
use std::collections::BTreeMap;

/// The most characters of a message.
const MAX_MESSAGE: usize = 400;
/// The most characters that are quoted of one line.
const MAX_LINE: usize = 120;
/// The most entries that are named of those that were not copied.
const MAX_NAMED: usize = 3;
/// The most bytes of a wrong file that are looked at beyond those that are expected.
const MORE_BYTES: usize = 4096;

/// Makes one comparison over a copy of the workspace. Err says what was expected and what was found,
/// in at most [`MAX_MESSAGE`] characters.
pub(super) fn evaluate(
    compare: &FileComparison,
    task: &Task,
    copy: &WorkspaceCopy,
) -> Result<(), String> {
    let found = found(copy);
    let done = match compare {
        FileComparison::Same { path, sealed, trailing_newline } => {
            same(&found, path, sealed_text(task, sealed), *trailing_newline)
        }
        FileComparison::Unchanged(globs) => {
            all_seen(copy).and_then(|()| unchanged(&found, task, globs))
        }
        FileComparison::Absent(globs) => all_seen(copy).and_then(|()| absent(&found, globs)),
        FileComparison::Present(globs) => present(&found, globs),
    };
    done.map_err(|message| cut(&message, MAX_MESSAGE))
}

/// Refuses a workspace with entries that were not copied: they could be what must not be there.
fn all_seen(copy: &WorkspaceCopy) -> Result<(), String> {
    match copy.skipped {
        0 => Ok(()),
        some => Err(format!(
            "expected: regular files, directories and links with names in UTF-8; found: {some} \
             other entries, such as FIFOs, sockets and devices{}",
            named(&copy.skipped_entries)
        )),
    }
}

/// The first entries that were not copied, in words, behind a colon.
fn named(entries: &[SkippedEntry]) -> String {
    let words = |entry: &SkippedEntry| format!("{} ({})", entry.shown_path(), entry.kind.words());
    let named: Vec<String> = entries.iter().take(MAX_NAMED).map(words).collect();
    if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) }
}

/// The entries of the workspace by their paths.
fn found(copy: &WorkspaceCopy) -> BTreeMap<&str, &TreeEntry> {
    copy.entries.iter().map(|entry| (entry.path.as_str(), entry)).collect()
}

/// The content of a sealed file. A task always has it, because its template was checked.
fn sealed_text<'t>(task: &'t Task, sealed: &str) -> &'t str {
    let file = task.verification.files.iter().find(|file| file.path == sealed);
    file.map(|file| file.content.as_str()).unwrap_or_default()
}

fn same(
    found: &BTreeMap<&str, &TreeEntry>,
    path: &str,
    expected: &str,
    newline: FinalNewline,
) -> Result<(), String> {
    let content = regular_file(found, path)?;
    let mut given = first_bytes(content, expected.len() + MORE_BYTES);
    let mut expected = expected.as_bytes();
    if newline == FinalNewline::Any {
        expected = expected.strip_suffix(b"\n").unwrap_or(expected);
        if given.last() == Some(&b'\n') {
            given.pop();
        }
    }
    if given == expected { Ok(()) } else { Err(difference(path, expected, &given)) }
}

/// The content of the regular file at a path.
fn regular_file<'e>(
    found: &BTreeMap<&str, &'e TreeEntry>,
    path: &str,
) -> Result<&'e [FileSegment], String> {
    let entry: Option<&'e TreeEntry> = found.get(path).copied();
    let instead = match entry.map(|entry| &entry.kind) {
        Some(TreeEntryKind::File { content, .. }) => return Ok(content),
        Some(kind) => described(kind),
        None => "nothing".to_owned(),
    };
    Err(format!("expected the file {path}, found {instead}"))
}

/// What an entry is, in words.
fn described(kind: &TreeEntryKind) -> String {
    match kind {
        TreeEntryKind::Directory { .. } => "a directory".to_owned(),
        TreeEntryKind::File { .. } => "a file".to_owned(),
        TreeEntryKind::Symlink { target } => format!("a link to {}", quoted(target.as_bytes())),
    }
}

/// The first bytes of a file, at most `most`. Holes are zero bytes.
fn first_bytes(content: &[FileSegment], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in content {
        let room = most - bytes.len();
        match segment {
            FileSegment::Bytes(part) => bytes.extend_from_slice(&part[..part.len().min(room)]),
            FileSegment::Hole(length) => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                bytes.resize(bytes.len() + length.min(room), 0);
            }
        }
    }
    bytes
}

/// The first line in which two different contents differ.
fn difference(path: &str, expected: &[u8], given: &[u8]) -> String {
    let (mut wanted, mut had) = (lines(expected), lines(given));
    let mut number = 0;
    loop {
        number += 1;
        let (wanted, had) = (wanted.next(), had.next());
        if wanted != had || wanted.is_none() {
            let (wanted, had) = (line_or_end(wanted), line_or_end(had));
            return format!("{path}, line {number}: expected {wanted}, found {had}");
        }
    }
}

/// The lines of a content, each with its newline.
fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|byte| *byte == b'\n')
}

fn line_or_end(line: Option<&[u8]>) -> String {
    line.map_or_else(|| "the end of the file".to_owned(), quoted)
}

/// Bytes as a quoted text on one line, cut at [`MAX_LINE`] characters.
fn quoted(bytes: &[u8]) -> String {
    // A character has at most four bytes; what lies behind the cut need not be decoded.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_LINE)]);
    format!("{:?}", cut(&text, MAX_LINE))
}

/// The first `most` characters of a text. If it is longer, its end is marked.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    kept + "..."
}

fn unchanged(
    found: &BTreeMap<&str, &TreeEntry>,
    task: &Task,
    globs: &[String],
) -> Result<(), String> {
    let files: BTreeMap<&str, &str> = task
        .files
        .iter()
        .filter(|file| matches(globs, &file.path))
        .map(|file| (file.path.as_str(), file.content.as_str()))
        .collect();
    for (path, content) in &files {
        same(found, path, content, FinalNewline::Exact)
            .map_err(|message| format!("a file was changed: {message}"))?;
    }
    let is_new = |entry: &&&TreeEntry| {
        let is_directory = matches!(entry.kind, TreeEntryKind::Directory { .. });
        !is_directory && matches(globs, &entry.path) && !files.contains_key(entry.path.as_str())
    };
    match found.values().find(is_new) {
        Some(entry) => {
            let kind = described(&entry.kind);
            Err(format!("expected no new file, found {} ({kind})", entry.path))
        }
        None => Ok(()),
    }
}

fn absent(found: &BTreeMap<&str, &TreeEntry>, globs: &[String]) -> Result<(), String> {
    match found.values().find(|entry| matches(globs, &entry.path)) {
        Some(entry) => {
            let (globs, kind) = (globs.join(", "), described(&entry.kind));
            Err(format!("expected nothing at {globs}, found {} ({kind})", entry.path))
        }
        None => Ok(()),
    }
}

fn present(found: &BTreeMap<&str, &TreeEntry>, globs: &[String]) -> Result<(), String> {
    let is_file = |entry: &&&TreeEntry| matches!(entry.kind, TreeEntryKind::File { .. });
    for glob in globs {
        let mut files = found.values().filter(is_file);
        if !files.any(|entry| path_matches(glob, &entry.path)) {
            return Err(format!("expected a file at {glob}, found none"));
        }
    }
    Ok(())
}

/// Whether one of the globs matches a path.
fn matches(globs: &[String], path: &str) -> bool {
    globs.iter().any(|glob| path_matches(glob, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileSpec, SkippedKind};
    use crate::testkit::catalog;
    use proptest::prelude::*;

    fn file(path: &str, segments: Vec<FileSegment>) -> TreeEntry {
        let kind = TreeEntryKind::File { mode: 0o644, content: segments };
        TreeEntry { path: path.to_owned(), kind }
    }

    fn text(path: &str, content: &str) -> TreeEntry {
        file(path, vec![FileSegment::Bytes(content.as_bytes().to_vec())])
    }

    fn link(path: &str, target: &str) -> TreeEntry {
        let kind = TreeEntryKind::Symlink { target: target.to_owned() };
        TreeEntry { path: path.to_owned(), kind }
    }

    fn directory(path: &str) -> TreeEntry {
        TreeEntry { path: path.to_owned(), kind: TreeEntryKind::Directory { mode: 0o755 } }
    }

    fn spec(path: &str, content: &str) -> FileSpec {
        FileSpec { path: path.to_owned(), content: content.to_owned(), mode: 0o644 }
    }

    /// A task with these files in its workspace and `expected` in the seal.
    fn task(files: &[(&str, &str)], expected: &str) -> Task {
        let mut task = catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
        task.files = files.iter().map(|(path, content)| spec(path, content)).collect();
        task.verification.files = vec![spec("expected", expected)];
        task
    }

    fn judged(
        compare: &FileComparison,
        task: &Task,
        entries: Vec<TreeEntry>,
    ) -> Result<(), String> {
        evaluate(compare, task, &WorkspaceCopy { entries, ..WorkspaceCopy::default() })
    }

    fn same_as(newline: FinalNewline) -> FileComparison {
        FileComparison::Same {
            path: "out".to_owned(),
            sealed: "expected".to_owned(),
            trailing_newline: newline,
        }
    }

    fn globs(globs: &[&str]) -> Vec<String> {
        globs.iter().map(|glob| (*glob).to_owned()).collect()
    }

    #[test]
    fn a_file_must_be_the_same_and_the_words_say_where_it_is_not() {
        let task = task(&[], "one\ntwo\n");
        let said = |entries| judged(&same_as(FinalNewline::Exact), &task, entries).unwrap_err();
        let good = vec![text("out", "one\ntwo\n")];
        assert_eq!(judged(&same_as(FinalNewline::Exact), &task, good), Ok(()));
        for (content, expected) in [
            ("one\n2\n", "out, line 2: expected \"two\\n\", found \"2\\n\""),
            ("one\ntwo", "out, line 2: expected \"two\\n\", found \"two\""),
            ("one\n", "out, line 2: expected \"two\\n\", found the end of the file"),
            ("one\ntwo\n3", "out, line 3: expected the end of the file, found \"3\""),
        ] {
            assert_eq!(said(vec![text("out", content)]), expected);
        }
        assert_eq!(said(vec![]), "expected the file out, found nothing");
        assert_eq!(said(vec![directory("out")]), "expected the file out, found a directory");
        let to_seal = link("out", "/sealed/expected");
        assert_eq!(
            said(vec![to_seal]),
            "expected the file out, found a link to \"/sealed/expected\""
        );
    }

    #[test]
    fn a_newline_at_the_end_may_be_left_out_where_it_does_not_count() {
        let any = same_as(FinalNewline::Any);
        for expected in ["one\n", "one"] {
            let task = task(&[], expected);
            for (content, is_same) in
                [("one", true), ("one\n", true), ("one\n\n", false), ("\none", false)]
            {
                let done = judged(&any, &task, vec![text("out", content)]);
                assert_eq!(done.is_ok(), is_same, "{expected:?} {content:?}");
            }
        }
    }

    /// A hole of an exabyte costs no memory.
    #[test]
    fn a_huge_file_is_looked_at_only_as_far_as_needed() {
        let task = task(&[], "a");
        let holes = vec![FileSegment::Hole(1 << 60), FileSegment::Bytes(vec![b'a'])];
        let said = judged(&same_as(FinalNewline::Exact), &task, vec![file("out", holes)]);
        assert!(said.unwrap_err().chars().count() <= MAX_MESSAGE);
    }

    #[test]
    fn files_are_unchanged_if_they_are_there_and_no_other_is() {
        let task = task(&[("data/a", "1"), ("data/b/c", "2"), ("free", "3")], "");
        let compare = FileComparison::Unchanged(globs(&["data/**"]));
        let with = |change: &dyn Fn(&mut Vec<TreeEntry>)| {
            let mut entries = vec![directory("data"), directory("data/b")];
            entries.extend([text("data/a", "1"), text("data/b/c", "2"), text("free", "x")]);
            change(&mut entries);
            judged(&compare, &task, entries)
        };
        assert_eq!(with(&|_| {}), Ok(()));
        assert_eq!(with(&|entries| entries.push(directory("data/new"))), Ok(()));
        let changed = with(&|entries| entries[2] = text("data/a", "0"));
        let expected = "a file was changed: data/a, line 1: expected \"1\", found \"0\"";
        assert_eq!(changed, Err(expected.to_owned()));
        let gone = with(&|entries| drop(entries.remove(2)));
        assert!(gone.unwrap_err().ends_with("expected the file data/a, found nothing"));
        let linked = with(&|entries| entries[2] = link("data/a", "b/c"));
        assert!(linked.unwrap_err().ends_with("found a link to \"b/c\""));
        for new in [text("data/new", ""), link("data/new", "/")] {
            let added = with(&|entries| entries.push(new.clone()));
            assert!(added.unwrap_err().starts_with("expected no new file, found data/new ("));
        }
    }

    #[test]
    fn what_must_be_absent_and_present() {
        let task = task(&[], "");
        let here = || vec![directory("out"), text("out/a.json", ""), link("old.orig", "/etc")];
        let absent = |glob| judged(&FileComparison::Absent(globs(&[glob])), &task, here());
        assert_eq!(absent("**/*.rej"), Ok(()));
        assert!(absent("**/*.orig").is_err(), "also at the top");
        let said = "expected nothing at *.orig, found old.orig (a link to \"/etc\")";
        assert_eq!(absent("*.orig"), Err(said.to_owned()));
        assert!(absent("out").is_err(), "a directory counts");
        let present = |list: &[&str]| judged(&FileComparison::Present(globs(list)), &task, here());
        assert_eq!(present(&["out/*.json"]), Ok(()));
        let said = "expected a file at *.orig, found none";
        assert_eq!(present(&["out/*.json", "*.orig"]), Err(said.to_owned()), "links do not count");
        assert!(present(&["out"]).is_err(), "directories do not count");
    }

    /// What was not copied could be what must not be there.
    #[test]
    fn a_workspace_with_other_entries_is_not_unchanged_and_lacks_nothing() {
        let task = task(&[("a", "1")], "");
        let with = |skipped, compare: &FileComparison| {
            let copy = WorkspaceCopy {
                entries: vec![text("a", "1")],
                skipped,
                ..WorkspaceCopy::default()
            };
            evaluate(compare, &task, &copy)
        };
        for compare in
            [FileComparison::Unchanged(globs(&["**"])), FileComparison::Absent(globs(&["b"]))]
        {
            assert_eq!(with(0, &compare), Ok(()));
            let said = with(2, &compare).unwrap_err();
            assert!(
                said.ends_with("2 other entries, such as FIFOs, sockets and devices"),
                "{said}"
            );
        }
        assert_eq!(with(2, &FileComparison::Present(globs(&["a"]))), Ok(()));
    }

    #[test]
    fn what_was_not_copied_is_named() {
        let entry = SkippedEntry { path: b"run/\npipe".to_vec(), kind: SkippedKind::Fifo };
        let skipped_entries = vec![entry; 9];
        let copy = WorkspaceCopy { skipped: 9, skipped_entries, ..WorkspaceCopy::default() };
        let said = evaluate(&FileComparison::Absent(globs(&["b"])), &task(&[], ""), &copy);
        let (said, pipe) = (said.unwrap_err(), "run/\\npipe (a FIFO)");
        assert!(said.ends_with(&format!("devices: {pipe}, {pipe}, {pipe}")), "{said}");
    }

    proptest! {
        #[test]
        fn equal_bytes_are_equal_however_they_are_cut(
            content in "[a\n\0]{0,12}", other in "[a\n\0]{0,12}", at in 0usize..13,
        ) {
            let task = task(&[], &content);
            let parts = |whole: &str| {
                let (head, tail) = whole.as_bytes().split_at(at.min(whole.len()));
                let hole = tail.iter().take_while(|byte| **byte == 0).count();
                vec![
                    FileSegment::Bytes(head.to_vec()),
                    FileSegment::Hole(hole as u64),
                    FileSegment::Bytes(tail[hole..].to_vec()),
                ]
            };
            let is_same = |given: &str, newline| {
                judged(&same_as(newline), &task, vec![file("out", parts(given))]).is_ok()
            };
            let bare = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
            prop_assert!(is_same(&content, FinalNewline::Exact));
            prop_assert_eq!(is_same(&other, FinalNewline::Exact), other == content);
            prop_assert_eq!(is_same(&other, FinalNewline::Any), bare(&other) == bare(&content));
        }

        #[test]
        fn messages_are_short_and_have_no_control_characters(content in any::<Vec<u8>>()) {
            let entries = vec![file("out", vec![FileSegment::Bytes(content.repeat(9))])];
            if let Err(said) = judged(&same_as(FinalNewline::Exact), &task(&[], "x"), entries) {
                prop_assert!(said.chars().count() <= MAX_MESSAGE, "{}", said);
                prop_assert!(!said.chars().any(char::is_control), "{}", said);
            }
        }
    }
}

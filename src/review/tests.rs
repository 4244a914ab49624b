//! The file of a review: lines are added, torn ones ignored, and two writers see each other's.

use super::{ReviewFile, create_review, review_names};
use crate::error::Code;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use synthd_actors::model::{ReviewDecision, ReviewValue, SealedVerdict};
use synthd_actors::review::{
    REVIEW_SCHEMA, ReviewHead, ReviewItem, ReviewRecord, ReviewUndo, SampleDesign,
};

fn head(items: u64) -> ReviewHead {
    ReviewHead {
        schema: REVIEW_SCHEMA.to_owned(),
        name: "first".to_owned(),
        dir: "v1".to_owned(),
        dataset: "agents".to_owned(),
        version: 1,
        digest: "digest".to_owned(),
        design: SampleDesign::Random,
        seed: 1,
        rows: 100,
        items,
        created_at: String::new(),
    }
}

fn item(number: u64) -> ReviewItem {
    ReviewItem {
        number,
        row: format!("ep-{number}"),
        digest: String::new(),
        stratum: "all".to_owned(),
        drawn: 2,
        of: 100,
        reviewers: 1,
        verdict: SealedVerdict::Resolved,
        contradictions: Vec::new(),
    }
}

fn decision(item: u64, reviewer: &str) -> ReviewRecord {
    ReviewRecord::Decision(ReviewDecision {
        item,
        reviewer: reviewer.to_owned(),
        value: ReviewValue::Right,
        note: Some("looks \"good\"\n".to_owned()),
        blind: true,
        at: String::new(),
    })
}

/// A data directory with a review of two items.
fn created() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    create_review(dir.path(), &head(2), vec![item(1), item(2)]).unwrap();
    dir
}

fn path(dir: &Path) -> std::path::PathBuf {
    dir.join("reviews/first.jsonl")
}

/// How many decisions stand.
fn count(file: &ReviewFile) -> usize {
    file.book().items().iter().map(|item| file.book().decisions(item.number).len()).sum()
}

#[test]
fn lines_are_only_added() {
    let dir = created();
    let before = fs::read(path(dir.path())).unwrap();
    let mut file = ReviewFile::open(dir.path(), "first").unwrap();
    file.add(|_| Ok(vec![decision(1, "ada")])).unwrap();
    let undo = ReviewUndo { item: 1, reviewer: "ada".to_owned(), at: String::new() };
    file.add(|_| Ok(vec![ReviewRecord::Undo(undo), decision(1, "ada")])).unwrap();
    let after = fs::read(path(dir.path())).unwrap();
    assert!(after.starts_with(&before));
    assert_eq!(after.iter().filter(|byte| **byte == b'\n').count(), 6);
    let again = ReviewFile::open(dir.path(), "first").unwrap();
    assert_eq!((count(&again), again.torn()), (1, 0));
    assert_eq!(again.book().export().count(), 2);
}

#[test]
fn a_record_that_does_not_follow_writes_nothing() {
    let dir = created();
    let mut file = ReviewFile::open(dir.path(), "first").unwrap();
    let before = fs::read(path(dir.path())).unwrap();
    let failed = file.add(|_| Ok(vec![decision(1, "ada"), decision(1, "ada")])).unwrap_err();
    assert_eq!(failed.code(), Code::ReviewUnusable);
    assert_eq!(fs::read(path(dir.path())).unwrap(), before);
    assert_eq!(count(&file), 0);
}

#[test]
fn a_torn_last_line_is_ignored_and_the_next_writer_removes_it() {
    let dir = created();
    let mut file = ReviewFile::open(dir.path(), "first").unwrap();
    file.add(|_| Ok(vec![decision(1, "ada")])).unwrap();
    let whole = fs::read(path(dir.path())).unwrap();
    file.add(|_| Ok(vec![decision(2, "ada")])).unwrap();
    let all = fs::read(path(dir.path())).unwrap();
    // Whatever part of the last line is there.
    for length in whole.len() + 1..all.len() {
        fs::write(path(dir.path()), &all[..length]).unwrap();
        let mut torn = ReviewFile::open(dir.path(), "first").unwrap();
        assert_eq!((count(&torn), torn.torn()), (1, (length - whole.len()) as u64));
        torn.add(|_| Ok(vec![decision(2, "ada")])).unwrap();
        assert_eq!(fs::read(path(dir.path())).unwrap(), all);
    }
}

#[test]
fn what_is_damaged_is_told() {
    let text = |dir: &Path| fs::read_to_string(path(dir)).unwrap();
    let changed = |change: &dyn Fn(&str) -> String| {
        let dir = created();
        fs::write(path(dir.path()), change(&text(dir.path()))).unwrap();
        ReviewFile::open(dir.path(), "first").unwrap_err()
    };
    let without_item =
        |text: &str| -> String { text.lines().take(2).map(|line| format!("{line}\n")).collect() };
    let errors = [
        (changed(&|_| String::new()), "it is empty"),
        (changed(&without_item), "1 items instead of 2"),
        (changed(&|text| text.replace("synthd.review/1", "synthd.review/9")), "synthd.review/9"),
        (changed(&|text| text.replacen("\"name\":\"first\"", "\"name\":\"x\"", 1)), "another name"),
        (changed(&|text| format!("{text}{{}}\n")), "a line is no record"),
        (changed(&|text| text.replace("\"number\":2", "\"number\":3")), "out of its order"),
    ];
    for (error, said) in errors {
        assert_eq!(error.code(), Code::ReviewUnusable);
        assert!(error.to_string().contains(said), "{error} instead of {said}");
    }
}

#[test]
fn names_are_taken_once_and_lead_nowhere_else() {
    let dir = created();
    let again = create_review(dir.path(), &head(0), Vec::new()).unwrap_err();
    assert!(again.to_string().contains("it is there already"), "{again}");
    assert_eq!(review_names(dir.path()), ["first"]);
    for name in ["", "../first", "First", "-first", "a/b", &"x".repeat(65)] {
        assert_eq!(ReviewFile::open(dir.path(), name).unwrap_err().code(), Code::ReviewUnusable);
    }
    let unknown = ReviewFile::open(dir.path(), "second").unwrap_err();
    assert_eq!(unknown.hint_text(), Some("this data directory has first"));
    let left = fs::read_dir(dir.path().join("reviews")).unwrap().count();
    assert_eq!(left, 1, "no draft is left");
}

#[test]
fn a_writer_sees_what_the_other_one_has_added() {
    let dir = created();
    let mut one = ReviewFile::open(dir.path(), "first").unwrap();
    let mut other = ReviewFile::open(dir.path(), "first").unwrap();
    one.add(|_| Ok(vec![decision(1, "ada")])).unwrap();
    let twice = other.add(|_| Ok(vec![decision(1, "ada")])).unwrap_err();
    assert!(twice.to_string().contains("ada has already decided"), "{twice}");
    other.add(|book| Ok(vec![decision(book.items()[1].number, "ada")])).unwrap();
    one.refresh().unwrap();
    assert_eq!((count(&one), count(&other)), (2, 2));
}

#[test]
fn two_writers_at_once_lose_nothing() {
    let dir = created();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                let mut file = ReviewFile::open(dir, "first").unwrap();
                for number in 0..5 {
                    let reviewer = format!("r-{writer}-{number}");
                    file.add(|_| Ok(vec![decision(1, &reviewer)])).unwrap();
                }
            });
        }
    });
    let file = ReviewFile::open(dir.path(), "first").unwrap();
    assert_eq!((count(&file), file.torn()), (20, 0));
}

#[test]
fn bytes_of_somebody_else_are_no_line() {
    let dir = created();
    let mut file = OpenOptions::new().append(true).open(path(dir.path())).unwrap();
    file.write_all(b"\xff\xfe\n").unwrap();
    let error = ReviewFile::open(dir.path(), "first").unwrap_err();
    assert_eq!(error.code(), Code::ReviewUnusable);
}

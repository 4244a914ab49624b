//! The store of answers, and the shipped rubrics.

use super::RUBRICS;
use super::judge_store::{AnswerKey, JudgeStore, StoredOutcome};
use crate::config::parse_rubric;
use crate::error::Code;
use std::collections::BTreeSet;
use synthd_actors::model::{CampaignName, Money};
use synthd_actors::rubric::{RubricAnswer, RubricForm, RubricMistake, RubricOutcome};

fn key(subject: &str) -> AnswerKey {
    let (rubric, subject, model) = ("r".to_owned(), subject.to_owned(), "acme/large".to_owned());
    AnswerKey { rubric, subject, model, sample: 1 }
}

fn stored(outcome: RubricOutcome) -> StoredOutcome {
    StoredOutcome { outcome, asks: 2, cost: Money::from_nanos(7) }
}

fn answered(score: u32) -> StoredOutcome {
    stored(RubricOutcome::Answered(RubricAnswer { score, ..RubricAnswer::default() }))
}

#[test]
fn answers_outlive_a_run_and_belong_to_their_rubric() {
    let dir = tempfile::tempdir().unwrap();
    let store = JudgeStore::open(dir.path()).unwrap();
    store.put(&key("one"), &answered(250)).unwrap();
    store.put(&key("two"), &stored(RubricOutcome::Faulted(RubricMistake::Form))).unwrap();
    let account = CampaignName("judges".to_owned());
    store.end_attempt(&account, 3).unwrap();
    drop(store);
    let store = JudgeStore::open(dir.path()).unwrap();
    assert_eq!(store.attempt(&account).unwrap(), 3);
    assert_eq!(store.attempt(&CampaignName("other".to_owned())).unwrap(), 0);
    let known = store.answers("r").unwrap();
    let scores = |subject: &str| {
        let answers = known.about(subject).iter();
        answers.map(|one| (one.sample, one.score, one.cost.nanos())).collect::<Vec<_>>()
    };
    assert_eq!(scores("one"), [(1, Some(250), 7)]);
    assert_eq!(scores("two"), [(1, None, 7)], "a fault has no score");
    assert!(scores("three").is_empty());
    assert!(store.answers("other").unwrap().about("one").is_empty());
    assert_ne!(known.digest(), store.answers("other").unwrap().digest());
}

#[test]
fn a_fault_can_be_asked_again_and_an_answer_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let store = JudgeStore::open(dir.path()).unwrap();
    let has = |subject: &str, faults_count| store.has(&key(subject), faults_count).unwrap();
    assert!(!has("one", true) && !has("one", false));
    store.put(&key("one"), &stored(RubricOutcome::Faulted(RubricMistake::Cut))).unwrap();
    assert!(has("one", true) && !has("one", false));
    store.put(&key("one"), &answered(1_000)).unwrap();
    assert!(has("one", true) && has("one", false));
    assert!(!store.has(&AnswerKey { sample: 0, ..key("one") }, true).unwrap());
}

#[test]
fn a_damaged_or_newer_file_is_told_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("curation/judges.db");
    drop(JudgeStore::open(dir.path()).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(newer);
    let error = JudgeStore::open(dir.path()).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JudgeAnswers);
    let damaged = "this is no database, but long enough to look at".repeat(40);
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(dir.path().join(format!("curation/judges.db{suffix}"))).ok();
    }
    std::fs::write(&path, &damaged).unwrap();
    let error = JudgeStore::open(dir.path()).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JudgeAnswers);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged, "answers are not thrown away");
}

#[test]
fn shipped_rubrics_are_valid_and_have_their_names() {
    let mut digests = BTreeSet::new();
    for (name, text) in RUBRICS {
        let rubric = parse_rubric(name, text).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(rubric.name, name);
        assert!(rubric.criteria.iter().all(|criterion| !criterion.asks.is_empty()));
        assert_eq!(rubric.form == RubricForm::Pair, name == "better-work");
        assert_eq!(rubric.right_from.is_some(), name == "task-success");
        assert!(digests.insert(rubric.digest()), "{name}");
    }
    let more = rubric_files();
    assert_eq!(more, RUBRICS.len(), "a rubric of config/rubrics is not shipped");
}

/// How many rubrics the tree has.
fn rubric_files() -> usize {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rubrics");
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn mistakes_of_a_rubric_are_listed_all_at_once() {
    let text = "[rubric]\nname = \"My rubric\"\nshows = [\"verdict\"]\nform = \"three\"\n\
        [scale]\nlow = 5\nhigh = 1\n\
        [[criteria]]\nname = \"one\"\nasks = \"Is it?\"\n\
        [[criteria]]\nname = \"one\"\nasks = \"Is it?\"\nweight = 0\n";
    let told = parse_rubric("mine.toml", text).unwrap_err().to_string();
    for mistake in ["prompt", "shows", "form", "`high` is not larger", "given twice", "weight"] {
        assert!(told.contains(mistake), "{mistake} in {told}");
    }
}

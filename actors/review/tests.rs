//! Samples, the state machine of a review, and its figures.

use super::*;
use crate::curation::stages::RowAspect;
use crate::curation::tests::row;
use crate::model::{
    DatasetRow, ReviewDecision, ReviewState, ReviewValue, SealedVerdict, TrajectoryRow,
};
use crate::quality::tests::trajectory;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DESIGNS: [SampleDesign; 4] = [
    SampleDesign::Random,
    SampleDesign::Stratified { by: RowAspect::Template },
    SampleDesign::Disagreement,
    SampleDesign::Uncertain,
];

/// Rows with the strata that a design gives: `strata` names them by their position.
fn candidates(design: SampleDesign, strata: &[usize]) -> Vec<ReviewCandidate> {
    let name = |at: usize| match design {
        SampleDesign::Random => "all".to_owned(),
        SampleDesign::Stratified { .. } => format!("template-{at}"),
        _ if at == 0 => "wanted".to_owned(),
        _ => "other".to_owned(),
    };
    let rows = strata.iter().enumerate();
    rows.map(|(at, one)| ReviewCandidate { row: format!("ep-{at}"), stratum: name(*one) }).collect()
}

proptest! {
    #[test]
    fn each_stratum_gives_as_many_rows_as_its_chance_says(
        strata in proptest::collection::vec(0..4_usize, 1..60),
        design in 0..4_usize,
        rows in 4..40_usize,
        twice in 0..=1_000_u32,
        seed: u64,
    ) {
        let design = DESIGNS[design];
        let all = candidates(design, &strata);
        let plan = SamplePlan { rows, twice, seed };
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        all.iter().for_each(|one| *sizes.entry(&one.stratum).or_default() += 1);
        let drawn = match draw_sample(all.clone(), design, plan) {
            Ok(drawn) => drawn,
            Err(fault) => {
                prop_assert!(all.len().min(rows) < sizes.len(), "{fault}");
                return Ok(());
            }
        };
        prop_assert_eq!(drawn.len(), rows.min(all.len()));
        let ids: BTreeSet<_> = drawn.iter().map(|one| &one.row).collect();
        prop_assert_eq!(ids.len(), drawn.len(), "no row comes twice");
        for (stratum, size) in &sizes {
            let of: Vec<_> = drawn.iter().filter(|one| one.stratum == **stratum).collect();
            prop_assert!(!of.is_empty(), "no chance is zero");
            let stated = of.iter().all(|one| one.of == *size && one.drawn == of.len() as u64);
            prop_assert!(stated, "{:?}", of);
        }
        // The weights of all items are the rows of the dataset.
        let rows: f64 = drawn.iter().map(|one| one.of as f64 / one.drawn as f64).sum();
        prop_assert!((rows - all.len() as f64).abs() < 1e-6);
        let twice = (drawn.len() * twice as usize).div_ceil(1_000);
        prop_assert_eq!(drawn.iter().filter(|one| one.twice).count(), twice);
        let reversed: Vec<_> = all.into_iter().rev().collect();
        prop_assert_eq!(draw_sample(reversed, design, plan), Ok(drawn));
    }

    #[test]
    fn alpha_is_one_if_all_agree_and_does_not_mind_the_order(
        units in proptest::collection::vec(proptest::collection::vec(0..3_u8, 0..5), 0..20),
    ) {
        let equal: Vec<Vec<u8>> = units.iter().map(|unit| vec![unit.len() as u8; 2]).collect();
        if equal.iter().any(|unit| unit[0] != equal[0][0]) {
            prop_assert_eq!(nominal_alpha(&equal), Some(1.0));
        }
        let turned: Vec<Vec<u8>> =
            units.iter().rev().map(|unit| unit.iter().rev().copied().collect()).collect();
        match (nominal_alpha(&units), nominal_alpha(&turned)) {
            (Some(one), Some(other)) => {
                prop_assert!((one - other).abs() < 1e-9 && one <= 1.0 + 1e-9);
            }
            (one, other) => prop_assert_eq!(one, other),
        }
    }
}

#[test]
fn every_row_is_drawn_as_often_as_its_chance_says() {
    // 10 wanted rows and 30 others; 12 are drawn, half of them wanted.
    let strata: Vec<usize> = (0..40).map(|at| usize::from(at >= 10)).collect();
    let all = candidates(SampleDesign::Disagreement, &strata);
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..2_000 {
        let plan = SamplePlan { rows: 12, twice: 150, seed };
        for one in draw_sample(all.clone(), SampleDesign::Disagreement, plan).unwrap() {
            *counts.entry(one.row).or_default() += 1;
        }
    }
    // Means of 1,200 and 400 with standard deviations of 22 and 18; the seeds are fixed.
    for (at, stratum) in strata.iter().enumerate() {
        let (mean, most) = if *stratum == 0 { (1_200, 130) } else { (400, 110) };
        let count = counts[&format!("ep-{at}")];
        assert!(count.abs_diff(mean) < most, "ep-{at} was drawn {count} times");
    }
}

#[test]
fn a_sample_that_cannot_have_all_strata_is_refused() {
    let by = SampleDesign::Stratified { by: RowAspect::Template };
    let plan = SamplePlan { rows: 2, twice: 0, seed: 1 };
    let drawn = draw_sample(candidates(by, &[0, 1, 2, 2]), by, plan);
    assert_eq!(drawn, Err(SampleFault::TooFew { rows: 2, strata: 3 }));
    assert_eq!(draw_sample(Vec::new(), by, plan), Err(SampleFault::NoRows));
}

/// A trajectory with this verdict, score and labels.
fn judged(verdict: &str, score: f64, labels: &[&str]) -> DatasetRow {
    let mut row: TrajectoryRow = trajectory();
    row.final_result = verdict.to_owned();
    row.verification.score = score;
    row.labels = labels.iter().map(|label| (*label).to_owned()).collect();
    row.reverified = None;
    row.into()
}

#[test]
fn what_contradicts_a_verdict_is_found_and_nothing_else_is() {
    let found = |row: &DatasetRow, noted: &[&str]| {
        let noted: Vec<String> = noted.iter().map(|kind| (*kind).to_owned()).collect();
        contradictions(row, &noted).join("; ")
    };
    let solved = |labels: &[&str]| judged("resolved", 1.0, labels);
    let unsolved = |score, labels: &[&str]| judged("unresolved", score, labels);
    assert_eq!(found(&solved(&["stop:submitted", "mixed-models"]), &["cap"]), "");
    assert_eq!(
        found(&solved(&["leak"]), &["secrets"]),
        "the label leak; a note of the stage secrets"
    );
    assert_eq!(found(&unsolved(0.0, &["loops"]), &["loops"]), "");
    assert_eq!(
        found(&unsolved(0.5, &["stop:submitted"]), &[]),
        "a score of 0.50; the model submitted"
    );
    assert_eq!(found(&judged("flaky", 0.0, &[]), &[]), "the checks contradict each other");
    assert_eq!(
        found(&row(0, "yes").row, &["refusal"]),
        "the label loops; a note of the stage refusal"
    );
}

#[test]
fn strata_follow_from_rows() {
    let mut rated: TrajectoryRow = trajectory();
    let rate = |solved| crate::model::PassRate { tries: 4, solved, low: 0.0, high: 1.0 };
    rated.pass_rate = Some(rate(2));
    assert_eq!(SampleDesign::Uncertain.stratum(&rated.clone().into(), &[]), "wanted");
    rated.pass_rate = Some(rate(4));
    assert_eq!(SampleDesign::Uncertain.stratum(&rated.into(), &[]), "other");
    let by = SampleDesign::Stratified { by: RowAspect::Model };
    assert_eq!(by.stratum(&row(0, "yes").row, &[]), "acme/large");
    assert_eq!(by.to_string(), "stratified:model");
}

/// A review with an item for each `(verdict, reviewers, drawn, of)`.
fn book(items: &[(SealedVerdict, u32, u64, u64)]) -> ReviewBook {
    let head = ReviewHead {
        schema: REVIEW_SCHEMA.to_owned(),
        name: "first".to_owned(),
        dir: "v1".to_owned(),
        dataset: "agents".to_owned(),
        version: 1,
        digest: "digest".to_owned(),
        design: SampleDesign::Random,
        seed: 1,
        rows: 100,
        items: items.len() as u64,
        created_at: String::new(),
    };
    let mut book = ReviewBook::begin(ReviewRecord::Review(head)).unwrap();
    for (at, (verdict, reviewers, drawn, of)) in items.iter().enumerate() {
        let item = ReviewItem {
            number: at as u64 + 1,
            row: format!("ep-{at}"),
            digest: String::new(),
            stratum: "all".to_owned(),
            drawn: *drawn,
            of: *of,
            reviewers: *reviewers,
            verdict: *verdict,
            contradictions: Vec::new(),
        };
        book.apply(ReviewRecord::Item(item)).unwrap();
    }
    book
}

fn decision(item: u64, reviewer: &str, value: ReviewValue) -> ReviewRecord {
    ReviewRecord::Decision(ReviewDecision {
        item,
        reviewer: reviewer.to_owned(),
        value,
        note: None,
        blind: true,
        at: String::new(),
    })
}

fn undo(item: u64, reviewer: &str) -> ReviewRecord {
    ReviewRecord::Undo(ReviewUndo { item, reviewer: reviewer.to_owned(), at: String::new() })
}

/// The numbers of the items that wait for a reviewer.
fn waiting(book: &ReviewBook, reviewer: &str) -> Vec<u64> {
    book.waiting(reviewer).map(|item| item.number).collect()
}

use ReviewValue::{Right, Unsure, Wrong};
use SealedVerdict::{Flaky, Resolved, Unresolved};

#[test]
fn an_item_goes_from_open_to_settled_and_back() {
    let mut book = book(&[(Resolved, 2, 1, 1), (Resolved, 1, 1, 1)]);
    let state = |book: &ReviewBook| book.state(&book.items()[0]);
    assert_eq!(state(&book), ReviewState::Open);
    book.apply(decision(1, "ada", Right)).unwrap();
    assert_eq!((state(&book), book.consensus(&book.items()[0])), (ReviewState::Begun, None));
    assert_eq!((waiting(&book, "ada"), waiting(&book, "bob")), (vec![2], vec![1, 2]));
    book.apply(decision(1, "bob", Wrong)).unwrap();
    assert_eq!(state(&book), ReviewState::Disputed);
    assert_eq!((waiting(&book, "bob"), waiting(&book, "eve")), (vec![2], vec![1, 2]));
    book.apply(decision(1, "eve", Wrong)).unwrap();
    assert_eq!(
        (state(&book), book.consensus(&book.items()[0])),
        (ReviewState::Settled, Some(Wrong))
    );
    assert_eq!(waiting(&book, "joe"), [2]);
    book.apply(undo(1, "ada")).unwrap();
    assert_eq!(state(&book), ReviewState::Agreed);
    assert!(book.has_seen(1, "ada") && !book.has_seen(2, "ada"));
    assert_eq!(book.last_of("ada"), None);
    assert_eq!(book.last_of("eve").unwrap().number, 1);
}

#[test]
fn a_second_decision_takes_the_first_one_back_and_is_not_blind() {
    let mut book = book(&[(Resolved, 1, 1, 1)]);
    let of = |value| match decision(1, "ada", value) {
        ReviewRecord::Decision(decision) => decision,
        other => panic!("{other:?}"),
    };
    for value in [Right, Wrong] {
        let records = book.decided(of(value));
        records.into_iter().for_each(|record| book.apply(record).unwrap());
    }
    assert_eq!(book.decisions(1), [ReviewDecision { blind: false, ..of(Wrong) }]);
    let undone = book.undone("ada", String::new()).unwrap();
    book.apply(ReviewRecord::Undo(undone)).unwrap();
    assert_eq!((book.decisions(1).len(), book.undone("ada", String::new())), (0, None));
}

#[test]
fn a_record_that_does_not_follow_changes_nothing() {
    let mut book = book(&[(Resolved, 1, 1, 1)]);
    book.apply(decision(1, "ada", Right)).unwrap();
    let before = format!("{book:?}");
    let again = ReviewFault::DecidedAlready { reviewer: "ada".to_owned(), item: 1 };
    assert_eq!(book.apply(decision(1, "ada", Wrong)), Err(again));
    assert_eq!(book.apply(decision(2, "ada", Wrong)), Err(ReviewFault::UnknownItem(2)));
    let nothing = ReviewFault::NothingToUndo { reviewer: "bob".to_owned(), item: 1 };
    assert_eq!(book.apply(undo(1, "bob")), Err(nothing));
    let item = ReviewRecord::Item(book.items()[0].clone());
    assert_eq!(book.apply(item), Err(ReviewFault::ItemOutOfOrder(1)));
    let head = ReviewRecord::Review(book.head().clone());
    assert_eq!(book.apply(head), Err(ReviewFault::SecondHead));
    assert_eq!(format!("{book:?}"), before);
    assert_eq!(ReviewBook::begin(undo(1, "ada")).unwrap_err(), ReviewFault::NoHead);
    let head = ReviewHead { items: 2, ..book.head().clone() };
    let mut short = ReviewBook::begin(ReviewRecord::Review(head)).unwrap();
    assert_eq!(
        short.apply(decision(1, "ada", Right)),
        Err(ReviewFault::ItemsMissing { found: 0, stated: 2 })
    );
}

/// The values of one observer in each column; `.` is none.
fn units(observers: &[&str]) -> Vec<Vec<char>> {
    let length = observers[0].len();
    let values = |at| observers.iter().filter_map(move |said| said.chars().nth(at));
    (0..length).map(|at| values(at).filter(|value| *value != '.').collect()).collect()
}

/// The examples of Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): two observers and
/// two values, two observers and five values, four observers with gaps.
#[test]
fn alpha_is_that_of_published_examples() {
    let examples: [(&[&str], f64); 3] = [
        (&["0100000010", "1110010000"], 0.095),
        (&["aabbdcccedda", "babbbccceddd"], 0.692),
        (&["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
    ];
    for (observers, wanted) in examples {
        let found = nominal_alpha(&units(observers)).unwrap();
        assert!((found - wanted).abs() < 0.000_5, "{found} instead of {wanted}");
    }
}

#[test]
fn alpha_needs_two_values() {
    assert_eq!(nominal_alpha(&units(&["11", "11"])), None);
    assert_eq!(nominal_alpha(&units(&["12", ".."])), None);
    assert_eq!(nominal_alpha::<u8>(&[]), None);
}

#[test]
fn the_label_error_is_a_plain_share_if_all_rows_had_the_same_chance() {
    let items =
        [(Resolved, 1, 1, 10), (Unresolved, 1, 2, 20), (Resolved, 1, 1, 10), (Flaky, 1, 1, 10)];
    let mut book = book(&items);
    for (item, value) in [(1, Right), (2, Right), (3, Unsure), (4, Wrong)] {
        book.apply(decision(item, "ada", value)).unwrap();
    }
    let figures = ReviewFigures::of(&book);
    let error = figures.label_error.unwrap();
    assert_eq!((error.items, error.wrong, error.rate, error.estimator), (2, 1, 0.5, "plain"));
    assert_eq!((error.low, error.high), crate::policy::wilson(1, 2));
    assert_eq!(figures.sealed_agreement, Some(0.5));
    assert_eq!(figures.sealed[&Unresolved], ValueCounts { right: 1, wrong: 0, unsure: 0 });
    assert_eq!(figures.states[&ReviewState::Agreed], 4);
    assert_eq!(figures.reviewers["ada"].blind, 4);
    assert_eq!((figures.agreement.items, figures.agreement.alpha), (0, None));
}

#[test]
fn the_label_error_weighs_items_by_the_rows_that_they_stand_for() {
    // One wrong label of two among 10 suspicious rows, none of two among 90 others: 5 of 100 rows.
    let items =
        [(Resolved, 1, 2, 10), (Resolved, 1, 2, 10), (Resolved, 1, 2, 90), (Resolved, 1, 2, 90)];
    let mut book = book(&items);
    for (item, value) in [(1, Wrong), (2, Right), (3, Right), (4, Right)] {
        book.apply(decision(item, "ada", value)).unwrap();
    }
    let error = ReviewFigures::of(&book).label_error.unwrap();
    assert!((error.rate - 0.05).abs() < 1e-9, "{error:?}");
    assert_eq!(error.estimator, "horvitz-thompson-ratio");
    // Kish: 100² / (2·5² + 2·45²).
    assert!((error.effective - 10_000.0 / 4_100.0).abs() < 1e-9, "{error:?}");
    assert!(error.low < 0.05 && error.high > 0.5);
}

const VERDICTS: [SealedVerdict; 4] = [Resolved, Unresolved, Flaky, SealedVerdict::Unchecked];

proptest! {
    #[test]
    fn figures_count_every_item_and_their_intervals_hold_the_rate(
        items in proptest::collection::vec((0..4_usize, 1..3_u32, 1..5_u64, 5..20_u64), 1..30),
        said in proptest::collection::vec((0..30_u64, 0..3_usize, 0..3_usize), 0..80),
    ) {
        let item = |(verdict, wanted, drawn, of): (usize, u32, u64, u64)| (VERDICTS[verdict], wanted, drawn, of);
        let items: Vec<(SealedVerdict, u32, u64, u64)> = items.into_iter().map(item).collect();
        let mut book = book(&items);
        let mut stands = 0;
        for (item, reviewer, value) in said {
            let reviewer = ["ada", "bob", "eve"][reviewer];
            // Some are refused: the item is not there, or the reviewer has decided.
            let record = decision(item, reviewer, ReviewValue::ALL[value].1);
            stands += u64::from(book.apply(record).is_ok());
        }
        let figures = ReviewFigures::of(&book);
        prop_assert_eq!(figures.states.values().sum::<u64>(), items.len() as u64);
        let values = figures.reviewers.values().map(|counts| counts.values);
        let all: u64 = values.map(|counts| counts.right + counts.wrong + counts.unsure).sum();
        prop_assert_eq!(all, stands);
        let decided = figures.states[&ReviewState::Agreed] + figures.states[&ReviewState::Settled];
        let sealed = figures.sealed.values().map(|counts| counts.right + counts.wrong + counts.unsure);
        prop_assert_eq!(sealed.sum::<u64>(), decided);
        if let Some(error) = figures.label_error {
            prop_assert!(error.items <= decided && error.wrong <= error.items);
            prop_assert!(error.effective <= error.items as f64 + 1e-9);
            prop_assert!(0.0 <= error.low && error.low <= error.rate + 1e-9, "{:?}", error);
            prop_assert!(error.rate <= error.high + 1e-9 && error.high <= 1.0, "{:?}", error);
        }
        for item in book.items() {
            let waits = ["ada", "bob", "eve", "joe"].map(|who| waiting(&book, who).contains(&item.number));
            let wanted = book.state(item).wants_more();
            prop_assert_eq!(waits[3], wanted, "somebody new is wanted or not");
            prop_assert!(wanted || waits == [false; 4]);
        }
    }
}

#[test]
fn reviewers_who_differ_agree_less() {
    let mut book = book(&[(Resolved, 2, 1, 1); 4]);
    for (item, ada, bob) in [(1, Right, Right), (2, Wrong, Wrong), (3, Right, Wrong)] {
        book.apply(decision(item, "ada", ada)).unwrap();
        book.apply(decision(item, "bob", bob)).unwrap();
    }
    book.apply(decision(4, "ada", Unsure)).unwrap();
    let agreement = ReviewFigures::of(&book).agreement;
    assert_eq!((agreement.items, agreement.equal_items), (3, 2));
    assert!((agreement.equal_pairs.unwrap() - 2.0 / 3.0).abs() < 1e-9);
    // 1 - (1/3) / (2·3·3/30)
    assert!((agreement.alpha.unwrap() - (1.0 - (1.0 / 3.0) / 0.6)).abs() < 1e-9);
}

#[test]
fn nothing_that_is_shown_tells_the_verdict_or_the_model() {
    let mut row: TrajectoryRow = trajectory();
    row.llm_model = "secret-model".to_owned();
    row.labels = vec!["secret-label".to_owned()];
    row.verification.checks.iter_mut().for_each(|check| check.name = "secret-check".to_owned());
    let row = DatasetRow::from(row);
    let text = |sections: Vec<ReviewSection>| format!("{sections:?}");
    let shown = text(shown_sections(&row));
    assert!(!shown.contains("secret") && shown.contains("instruction"), "{shown}");
    let hidden = text(hidden_sections(&row, &["a note".to_owned()]));
    let parts = ["secret-model", "secret-label", "a note"];
    assert!(parts.iter().all(|part| hidden.contains(part)), "{hidden}");
}

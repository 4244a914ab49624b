//! What is near, what is not, and which row stays.

use super::*;
use crate::curation::tests::row;
use crate::quality::tests::trajectory;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn rule(of: ComparedText) -> NearRule {
    NearRule { of, threshold: 800, words: 5, keep: KeepRule::Drawn }
}

fn decided(rule: NearRule, rows: &[RowRecord]) -> WholeRemarks {
    let mut finder = NearRows::new(rule, 7);
    rows.iter().for_each(|row| finder.observe(row));
    finder.decide()
}

/// So many words, from one on.
fn words(from: u32, count: u32) -> String {
    (from..from + count).map(|at| format!("w{at}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn near_answers_are_found_and_others_are_not() {
    let text = words(0, 60);
    let found = |other: &str| {
        let rows = [row(0, &text), row(1, other)];
        let remarks = decided(rule(ComparedText::Answer), &rows);
        assert!(remarks.len() <= 1, "one of them stays: {remarks:?}");
        !remarks.is_empty()
    };
    let near = [
        ("the same", text.clone()),
        ("other case and punctuation", text.to_uppercase().replace(' ', ",\n  ")),
        ("a word more", format!("{text} end")),
        ("five words less", words(5, 55)),
        ("a word in the middle is another one", text.replace("w30", "other")),
    ];
    near.iter().for_each(|(what, other)| assert!(found(other), "{what}"));
    let unlike = [
        ("a half", words(0, 30)),
        ("every tenth word is another one", text.replace("1 ", "x ").replace("2 ", "y ")),
        (
            "the same words in another order",
            words(30, 30) + " " + &words(0, 30).replace("w1", "w2"),
        ),
        ("nothing", String::new()),
        ("no word", "...".to_owned()),
        ("all other", words(100, 60)),
    ];
    unlike.iter().for_each(|(what, other)| assert!(!found(other), "{what}"));
    let empty = [row(0, ""), row(1, ""), row(2, "..")];
    assert!(
        decided(rule(ComparedText::Answer), &empty).is_empty(),
        "a row without words is near none"
    );
}

#[test]
fn the_best_of_a_cluster_stays_and_is_named() {
    let rows = [row(0, &words(0, 60)), row(1, &words(0, 58)), row(2, &words(2, 58))];
    let keep = NearRule { keep: KeepRule::Shortest, ..rule(ComparedText::Answer) };
    let remarks = decided(keep, &rows);
    assert_eq!(remarks.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(remarks[&0][0].detail, "of the cluster of ep-1, 0.96 alike");
    let score = remarks[&2][0].score.unwrap();
    assert!((score - 52.0 / 56.0).abs() < 1e-9, "{score}");
}

#[test]
fn a_row_that_is_near_through_others_says_so() {
    let rows: Vec<_> = (0..4).map(|at| row(u64::from(at), &words(at * 5, 60))).collect();
    let keep = NearRule { keep: KeepRule::Shortest, ..rule(ComparedText::Answer) };
    let remarks = decided(keep, &rows);
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    let chained: Vec<_> =
        remarks.values().filter(|one| one[0].detail.contains(" through others, 0.")).collect();
    assert!(!chained.is_empty(), "{remarks:?}");
    assert!(chained.iter().all(|one| one[0].score.unwrap() < 0.8), "{remarks:?}");
}

#[test]
fn the_setting_says_what_is_compared() {
    let of = |instruction: &str, action: &str, thought: &str, ordinal: u64| {
        let mut trajectory = trajectory();
        trajectory.trajectory_id = format!("ep-{ordinal}");
        trajectory.task_instruction = instruction.to_owned();
        for step in &mut trajectory.trajectory {
            step.action.arguments = serde_json::json!({ "command": action }).to_string();
            step.reasoning = thought.to_owned();
        }
        RowRecord { row: trajectory.into(), ..row(ordinal, "") }
    };
    let (one, two) = (words(0, 40), words(100, 40));
    let found = |text, rows: &[RowRecord]| !decided(rule(text), rows).is_empty();
    let asked = [of(&one, &one, &one, 0), of(&one, &two, &two, 1)];
    assert!(found(ComparedText::Instruction, &asked));
    assert!(!found(ComparedText::Actions, &asked) && !found(ComparedText::Answer, &asked));
    let did = [of(&one, &one, &one, 0), of(&two, &one, &two, 1)];
    assert!(found(ComparedText::Actions, &did));
    assert!(!found(ComparedText::Instruction, &did) && !found(ComparedText::Answer, &did));
}

#[test]
fn rows_that_are_many_and_equal_take_no_square_of_time() {
    let rows: Vec<_> = (0..3_000).map(|at| row(at, &words(0, 12))).collect();
    assert_eq!(decided(rule(ComparedText::Answer), &rows).len(), rows.len() - 1);
}

/// Texts of a few families, so that some are near each other.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let text = (0..4_u32, 0..6_u32, 20..40_u32)
        .prop_map(|(family, from, count)| words(family * 1_000 + from, count));
    proptest::collection::vec(text, 1..25)
}

/// The exact shingles of a text.
fn exact(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split(' ').collect();
    words.windows(5).map(|words| words.join(" ")).collect()
}

/// How many clusters there are if pairs of at least so many thousandths are joined.
fn joined_by_hand(texts: &[String], least: usize) -> usize {
    let sets: Vec<_> = texts.iter().map(|text| exact(text)).collect();
    let mut cluster: Vec<usize> = (0..texts.len()).collect();
    for one in 0..texts.len() {
        for other in 0..one {
            let both = sets[one].intersection(&sets[other]).count();
            if both * 1_000 >= least * sets[one].union(&sets[other]).count() {
                let (from, to) = (cluster[one], cluster[other]);
                cluster.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
            }
        }
    }
    cluster.into_iter().collect::<BTreeSet<_>>().len()
}

proptest! {
    #[test]
    fn clusters_are_of_the_exact_similarity_in_any_order(texts in texts()) {
        let of_texts = |texts: &[(usize, &String)]| {
            let rows = texts.iter().zip(0..).map(|((id, text), ordinal)| {
                let mut record = row(*id as u64, text);
                record.ordinal = ordinal;
                record
            });
            let rows: Vec<_> = rows.collect();
            let remarks = decided(rule(ComparedText::Answer), &rows);
            let out = rows.iter().filter(|row| remarks.contains_key(&row.ordinal));
            let said = |row: &RowRecord| (row.row.id().to_owned(), remarks[&row.ordinal].clone());
            out.map(said).collect::<BTreeMap<_, _>>()
        };
        let mut all: Vec<_> = texts.iter().enumerate().collect();
        let out = of_texts(&all);
        all.reverse();
        prop_assert_eq!(&of_texts(&all), &out);
        // What is joined is alike, and what is far above the threshold is joined.
        let kept = texts.len() - out.len();
        prop_assert!(joined_by_hand(&texts, 800) <= kept, "{out:?}");
        prop_assert!(kept <= joined_by_hand(&texts, 900), "{out:?}");
    }
}

//! The figures of sets that are known to be diverse, or not.

use super::DiversitySample;
use super::ngrams::words;
use super::self_bleu::self_bleu;
use super::vendi::vendi;
use crate::curation::tests::row;
use crate::model::DiversityReport;
use proptest::prelude::*;

/// A text of sixty words that depends on `n` in every word.
fn unlike(n: u64) -> String {
    (0..60).map(|at| format!("word{} ", (n + 1) * 1_000 + at)).collect()
}

fn report(texts: &[String]) -> DiversityReport {
    let mut sample = DiversitySample::new(7);
    texts.iter().zip(0..).for_each(|(text, at)| sample.add(&row(at, text).row));
    sample.report(|texts| Some(texts.iter().map(|text| text.len()).sum::<usize>().div_ceil(2)))
}

#[test]
fn equal_texts_are_worth_one_and_unlike_texts_as_many_as_there_are() {
    let texts: Vec<String> = (0..20).map(unlike).collect();
    let (unlike, equal) = (report(&texts), report(&vec![texts[0].clone(); 20]));
    assert!((unlike.vendi.unwrap() - 20.0).abs() < 0.01, "{unlike:?}");
    assert!((equal.vendi.unwrap() - 1.0).abs() < 0.01, "{equal:?}");
    assert_eq!((unlike.self_bleu, equal.self_bleu), (Some(0.0), Some(1.0)));
    assert_eq!((unlike.repeated, equal.repeated), (Some(0.0), Some(1.0)));
    assert_eq!(unlike.distinct, [Some(1.0); 3]);
    assert!(equal.distinct[0].unwrap() < 0.06, "{equal:?}");
    assert!((unlike.compression.unwrap() - 2.0).abs() < 0.01);
    assert_eq!((unlike.rows, unlike.sampled, unlike.length), (20, 20, 500));
}

#[test]
fn a_set_without_rows_has_no_figures() {
    let empty = report(&[]);
    assert_eq!((empty.vendi, empty.self_bleu, empty.compression), (None, None, None));
    assert_eq!((empty.rows, empty.models), (0, 0.0));
}

#[test]
fn half_equal_texts_lie_between() {
    let mut texts: Vec<String> = (0..10).map(unlike).collect();
    texts.extend(vec![unlike(99); 10]);
    let vendi = report(&texts).vendi.unwrap();
    assert!((5.0..15.0).contains(&vendi), "{vendi}");
}

proptest! {
    #[test]
    fn figures_are_within_their_bounds(texts in proptest::collection::vec("[a-c ]{0,40}", 1..12)) {
        let split: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
        let vendi = vendi(&split).unwrap();
        prop_assert!(vendi >= 0.99 && vendi <= texts.len() as f64 + 0.01, "{}", vendi);
        if let Some(bleu) = self_bleu(&split) {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&bleu), "{}", bleu);
        }
    }
}

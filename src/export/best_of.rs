//! Best of n: the tries of one task in one line, the best of them first. A solved try is better than
//! one that is not solved; then the higher score is better; then, if it is wanted, the cheaper or shorter
//! one. The choice depends on the rows alone, not on their order.

use super::left_reason::LeftReason;
use super::preference::{PairRules, PairSide, PreferenceTry, TryGroup, different};
use serde::Serialize;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use synthd_actors::model::DatasetSplit;

/// The tries of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BestGroup {
    pub(super) split: DatasetSplit,
    /// The ids of the rows, the best one first.
    pub(super) ids: Vec<String>,
}

/// The groups, and the rows that are in none.
#[derive(Debug, Default)]
pub(super) struct BestChoice {
    pub(super) groups: Vec<BestGroup>,
    pub(super) left: Vec<(DatasetSplit, LeftReason)>,
}

/// A line of `best-of-n`.
#[derive(Serialize)]
pub(super) struct BestLine<'a> {
    prompt: &'a RawValue,
    /// What followed the prompt in each try, the best one first.
    completions: Vec<&'a RawValue>,
    scores: Vec<f64>,
    solved: Vec<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// The line of a group. All have the same prompt and tools. None if it has no try.
pub(super) fn joined(tries: &[PairSide]) -> Option<BestLine<'_>> {
    let best = tries.first()?;
    Some(BestLine {
        prompt: &best.prompt,
        completions: tries.iter().map(|one| &*one.completion).collect(),
        scores: tries.iter().map(|one| one.score).collect(),
        solved: tries.iter().map(|one| one.solved).collect(),
        tools: best.tools.as_deref(),
    })
}

/// Chooses the tries of all groups. A group without a better and a worse try has no line.
pub(super) fn choose_best(
    groups: BTreeMap<TryGroup, Vec<PreferenceTry>>,
    rules: PairRules,
) -> BestChoice {
    let mut choice = BestChoice::default();
    for ((split, ..), tries) in groups {
        let all = tries.len();
        let tries = different(tries);
        choice.left.extend((tries.len()..all).map(|_| (split, LeftReason::SameText)));
        let kept = kept_of(&tries, rules);
        choice.left.extend((kept.len()..tries.len()).map(|_| (split, LeftReason::NoPair)));
        if !kept.is_empty() {
            let ids = kept.iter().map(|one| one.id.clone()).collect();
            choice.groups.push(BestGroup { split, ids });
        }
    }
    choice
}

/// The tries of a group from the best to the worst. If there are more than the rules allow, those in the
/// middle are left out. Empty if the worst one is not far enough from the best one.
fn kept_of(tries: &[PreferenceTry], rules: PairRules) -> Vec<&PreferenceTry> {
    let mut sorted: Vec<&PreferenceTry> = tries.iter().collect();
    sorted.sort_by(|a, b| compared(a, b, rules).then_with(|| a.id.cmp(&b.id)));
    let (Some(best), Some(worst)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let is_apart = (best.score - worst.score) * 100.0 >= f64::from(rules.margin);
    if compared(best, worst, rules) != Ordering::Less || !is_apart {
        return Vec::new();
    }
    let kept = rules.candidates.clamp(2, sorted.len());
    let head = kept.div_ceil(2);
    let tail = sorted.len() - (kept - head);
    sorted.drain(head..tail);
    sorted
}

/// Less if the first one is better.
fn compared(a: &PreferenceTry, b: &PreferenceTry, rules: PairRules) -> Ordering {
    let by_result = b.solved.cmp(&a.solved).then_with(|| b.score.total_cmp(&a.score));
    by_result.then_with(|| match rules.among_solved.filter(|_| a.solved && b.solved) {
        Some(order) => a.weight(order).cmp(&b.weight(order)),
        None => Ordering::Equal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::preference::SolvedOrder;
    use crate::export::preference::tests::one;
    use proptest::prelude::*;

    const RULES: PairRules =
        PairRules { margin: 0, per_task: 4, candidates: 3, among_solved: None };

    fn chosen(tries: Vec<PreferenceTry>, rules: PairRules) -> Vec<Vec<String>> {
        let group = (DatasetSplit::Train, "task".to_owned(), "asked".to_owned());
        let choice = choose_best(BTreeMap::from([(group, tries)]), rules);
        choice.groups.into_iter().map(|group| group.ids).collect()
    }

    #[test]
    fn the_best_stands_first_and_the_middle_is_left_out() {
        let tries = vec![
            one("a", 0.0, 1, "a"),
            one("b", 0.5, 1, "b"),
            one("c", 1.0, 9, "c"),
            one("d", 1.0, 2, "d"),
        ];
        assert_eq!(chosen(tries.clone(), RULES), [["c", "d", "a"]]);
        let cheaper = PairRules { among_solved: Some(SolvedOrder::Cheaper), ..RULES };
        assert_eq!(chosen(tries.clone(), cheaper), [["d", "c", "a"]]);
        let all = PairRules { candidates: 64, ..RULES };
        assert_eq!(chosen(tries.clone(), all), [["c", "d", "b", "a"]]);
        let reversed = tries.into_iter().rev().collect();
        assert_eq!(chosen(reversed, RULES), [["c", "d", "a"]]);
    }

    #[test]
    fn equal_tries_have_no_best() {
        let equal = || vec![one("a", 1.0, 1, "a"), one("b", 1.0, 9, "b")];
        assert!(chosen(equal(), RULES).is_empty());
        assert!(chosen(vec![one("a", 1.0, 1, "a")], RULES).is_empty());
        assert!(chosen(Vec::new(), RULES).is_empty());
        let shorter = PairRules { among_solved: Some(SolvedOrder::Shorter), ..RULES };
        assert_eq!(chosen(equal(), shorter), [["a", "b"]]);
        let near = vec![one("a", 1.0, 1, "a"), one("b", 0.75, 1, "b")];
        assert_eq!(chosen(near.clone(), PairRules { margin: 25, ..RULES }), [["a", "b"]]);
        assert!(chosen(near, PairRules { margin: 26, ..RULES }).is_empty());
    }

    proptest! {
        #[test]
        fn no_try_is_lost_in_silence(
            scores in prop::collection::vec((0u32..=4, 0u64..9, 0u32..6), 0..24),
            candidates in 2usize..9,
        ) {
            let tries: Vec<_> = scores.iter().enumerate().map(|(at, (score, cost, text))| {
                one(&format!("{at:02}"), f64::from(*score) / 4.0, *cost, &text.to_string())
            }).collect();
            let group = (DatasetSplit::Test, "task".to_owned(), "asked".to_owned());
            let rules = PairRules { candidates, ..RULES };
            let choice = choose_best(BTreeMap::from([(group, tries.clone())]), rules);
            let written: usize = choice.groups.iter().map(|group| group.ids.len()).sum();
            prop_assert_eq!(written + choice.left.len(), tries.len());
            for group in choice.groups {
                prop_assert!((2..=candidates).contains(&group.ids.len()));
                let by_id = |id: &String| tries.iter().find(|one| one.id == *id).unwrap();
                let results = group.ids.iter().map(|id| by_id(id).score).collect::<Vec<_>>();
                prop_assert!(results.is_sorted_by(|a, b| a >= b));
                prop_assert!(results.first() > results.last());
            }
        }
    }
}

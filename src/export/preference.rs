//! Which rows of one task make pairs: one that solved it over one that did not, and if it is wanted
//! a cheaper or shorter one over another that solved it too. The choice depends on the rows alone, not
//! on their order.

use super::chat_line::chat_lines;
use super::chat_row::{ChatRow, is_own};
use super::left_reason::{LeftReason, LostParts};
use super::trl::{STYLE, is_solved};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{DatasetRow, DatasetSplit, Money, digest_of};

/// How pairs are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairRules {
    /// The least difference in percent: of the score between solved and not; of cost or length
    /// between two that solved the task.
    pub margin: u32,
    /// The most pairs of each sort for one task.
    pub per_task: usize,
    /// The most tries of one task in a line with several.
    pub candidates: usize,
    /// Which of two that solved the task is better; none if they make no pairs.
    pub among_solved: Option<SolvedOrder>,
}

/// Which of two rows that solved a task is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolvedOrder {
    /// The one that cost less.
    Cheaper,
    /// The one with fewer replies.
    Shorter,
}

impl SolvedOrder {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cheaper => "cheaper",
            Self::Shorter => "shorter",
        }
    }
}

/// What is remembered of a row until the pairs are chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PreferenceTry {
    pub(super) id: String,
    pub(super) solved: bool,
    pub(super) score: f64,
    cost: Money,
    replies: u64,
    /// The digest of all from the first reply on.
    text: String,
}

/// Rows that can be compared: the split, the task, and the digest of what was asked with which
/// tools.
pub(super) type TryGroup = (DatasetSplit, String, String);

/// The parts of a row that stand in a pair.
#[derive(Serialize, Deserialize)]
pub(super) struct PairSide {
    pub(super) prompt: Box<RawValue>,
    pub(super) completion: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tools: Option<String>,
    pub(super) solved: bool,
    pub(super) score: f64,
}

/// A line of `trl-preference`, and with scores of `reward-model`.
#[derive(Serialize)]
pub(super) struct PairLine<'a> {
    prompt: &'a RawValue,
    chosen: &'a RawValue,
    rejected: &'a RawValue,
    #[serde(flatten)]
    scores: Option<PairScores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// How far two rows are apart.
#[derive(Serialize)]
pub(super) struct PairScores {
    /// The difference of the scores.
    margin: f64,
    score_chosen: f64,
    score_rejected: f64,
}

impl PairSide {
    /// The parts of a row, and what they lack.
    pub(super) fn of(row: &DatasetRow) -> Result<(Self, LostParts), LeftReason> {
        let chat = ChatRow::of(row)?;
        let mut lost = LostParts::new();
        let prompt = raw(&chat_lines(chat.prompt(), STYLE, &mut lost)?)?;
        let completion = raw(&chat_lines(chat.completion(), STYLE, &mut lost)?)?;
        let tools = chat.tools_text().map(str::to_owned);
        let solved = is_solved(row)?;
        let score = row.as_trajectory().map_or(0.0, |row| row.verification.score);
        Ok((Self { prompt, completion, tools, solved, score }, lost))
    }

    /// The line of a pair, with scores if they are wanted. Both have the same prompt and tools.
    pub(super) fn over<'a>(&'a self, rejected: &'a Self, scored: bool) -> PairLine<'a> {
        let scores = scored.then_some(PairScores {
            margin: self.score - rejected.score,
            score_chosen: self.score,
            score_rejected: rejected.score,
        });
        PairLine {
            scores,
            prompt: &self.prompt,
            chosen: &self.completion,
            rejected: &rejected.completion,
            tools: self.tools.as_deref(),
        }
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, LeftReason> {
    let text = serde_json::to_string(value).map_err(|_| LeftReason::NoJson)?;
    RawValue::from_string(text).map_err(|_| LeftReason::NoJson)
}

impl PreferenceTry {
    /// What a row brings to its group.
    pub(super) fn of(
        split: DatasetSplit,
        row: &DatasetRow,
    ) -> Result<(TryGroup, Self), LeftReason> {
        let solved = is_solved(row)?;
        let row_values = row.as_trajectory().ok_or(LeftReason::NoVerdict)?;
        let (side, _) = PairSide::of(row)?;
        let asked = digest_of(&[side.prompt.get(), side.tools.as_deref().unwrap_or_default()]);
        let replies = row_values.messages.iter().flatten().filter(|message| is_own(message));
        let found = Self {
            id: row.id().to_owned(),
            solved,
            score: row_values.verification.score,
            cost: row_values.cost_usd,
            replies: replies.count() as u64,
            text: digest_of(&[side.completion.get()]),
        };
        Ok(((split, row.work_id().to_owned(), asked), found))
    }

    /// What is compared among rows that solved their task.
    pub(super) fn weight(&self, order: SolvedOrder) -> u64 {
        match order {
            SolvedOrder::Cheaper => self.cost.nanos(),
            SolvedOrder::Shorter => self.replies,
        }
    }
}

/// One pair of a split.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PreferencePair {
    pub(super) split: DatasetSplit,
    pub(super) chosen: String,
    pub(super) rejected: String,
}

/// The pairs, and the rows that are in none.
#[derive(Debug, Default)]
pub(super) struct PairChoice {
    pub(super) pairs: Vec<PreferencePair>,
    pub(super) left: Vec<(DatasetSplit, LeftReason)>,
}

/// Chooses the pairs of all groups.
pub(super) fn choose(
    groups: BTreeMap<TryGroup, Vec<PreferenceTry>>,
    rules: PairRules,
) -> PairChoice {
    let mut choice = PairChoice::default();
    for ((split, ..), tries) in groups {
        let all = tries.len();
        let tries = different(tries);
        let pairs = pairs_of(&tries, rules);
        let used: BTreeSet<&str> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        let alone = tries.len() - used.len();
        choice.left.extend((tries.len()..all).map(|_| (split, LeftReason::SameText)));
        choice.left.extend((0..alone).map(|_| (split, LeftReason::NoPair)));
        choice.pairs.extend(pairs.iter().map(|&(chosen, rejected)| PreferencePair {
            split,
            chosen: chosen.to_owned(),
            rejected: rejected.to_owned(),
        }));
    }
    choice
}

/// The rows by id, with the first one of each text. A damaged version may have an id twice; only the
/// first row counts.
pub(super) fn different(mut tries: Vec<PreferenceTry>) -> Vec<PreferenceTry> {
    tries.sort_by(|a, b| a.id.cmp(&b.id));
    tries.dedup_by(|a, b| a.id == b.id);
    let mut texts = BTreeSet::new();
    tries.retain(|one| texts.insert(one.text.clone()));
    tries
}

/// The pairs of one group, as ids: the chosen one and the rejected one.
fn pairs_of(tries: &[PreferenceTry], rules: PairRules) -> Vec<(&str, &str)> {
    let (solved, failed): (Vec<_>, Vec<_>) = tries.iter().partition(|one| one.solved);
    let mut pairs = solved_over_failed(solved.clone(), failed, rules);
    if let Some(order) = rules.among_solved {
        pairs.extend(better_over_worse(solved, order, rules));
    }
    pairs
}

/// Each solved one meets other failed ones as long as the cap allows, so that few rows are in many
/// pairs. Rows beyond the cap of each side are not looked at, so the work is bounded.
fn solved_over_failed<'a>(
    mut solved: Vec<&'a PreferenceTry>,
    mut failed: Vec<&'a PreferenceTry>,
    rules: PairRules,
) -> Vec<(&'a str, &'a str)> {
    let is_apart = |better: f64, worse: f64| (better - worse) * 100.0 >= f64::from(rules.margin);
    let best = solved.iter().map(|one| one.score).fold(f64::NEG_INFINITY, f64::max);
    let worst = failed.iter().map(|one| one.score).fold(f64::INFINITY, f64::min);
    // A row that is too near to every other one must not take the place of another row.
    failed.retain(|one| is_apart(best, one.score));
    solved.retain(|one| is_apart(one.score, worst));
    solved.truncate(rules.per_task);
    failed.truncate(rules.per_task);
    let rounds = (0..failed.len()).flat_map(|round| (0..solved.len()).map(move |at| (round, at)));
    rounds
        .map(|(round, at)| (solved[at], failed[(at + round) % failed.len()]))
        .filter(|(better, worse)| is_apart(better.score, worse.score))
        .take(rules.per_task)
        .map(|(better, worse)| (better.id.as_str(), worse.id.as_str()))
        .collect()
}

/// The best one over the worst one, the second over the last but one, and so on.
fn better_over_worse(
    mut solved: Vec<&PreferenceTry>,
    order: SolvedOrder,
    rules: PairRules,
) -> Vec<(&str, &str)> {
    solved.sort_by(|a, b| (a.weight(order), &a.id).cmp(&(b.weight(order), &b.id)));
    let half = solved.len() / 2;
    let kept = u128::from(100u32.saturating_sub(rules.margin));
    let is_apart = |better: u64, worse: u64| {
        better < worse && u128::from(better) * 100 <= u128::from(worse) * kept
    };
    let mirrored = solved.iter().zip(solved.iter().rev()).take(half);
    mirrored
        .filter(|(better, worse)| is_apart(better.weight(order), worse.weight(order)))
        .take(rules.per_task)
        .map(|(better, worse)| (better.id.as_str(), worse.id.as_str()))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: PairRules =
        PairRules { margin: 0, per_task: 4, candidates: 8, among_solved: None };

    pub(in crate::export) fn one(id: &str, score: f64, cost: u64, text: &str) -> PreferenceTry {
        PreferenceTry {
            id: id.to_owned(),
            solved: score >= 1.0,
            score,
            cost: Money::from_nanos(cost),
            replies: cost,
            text: text.to_owned(),
        }
    }

    fn chosen(tries: Vec<PreferenceTry>, rules: PairRules) -> Vec<String> {
        let group = (DatasetSplit::Train, "task".to_owned(), "asked".to_owned());
        let choice = choose(BTreeMap::from([(group, tries)]), rules);
        choice.pairs.iter().map(|pair| format!("{}>{}", pair.chosen, pair.rejected)).collect()
    }

    #[test]
    fn solved_stands_over_not_solved_and_each_meets_another_first() {
        let tries = vec![
            one("d", 0.5, 1, "d"),
            one("a", 1.0, 1, "a"),
            one("c", 0.0, 1, "c"),
            one("b", 1.0, 1, "b"),
        ];
        assert_eq!(chosen(tries.clone(), RULES), ["a>c", "b>d", "a>d", "b>c"]);
        assert_eq!(chosen(tries.clone(), PairRules { per_task: 1, ..RULES }), ["a>c"]);
        assert_eq!(chosen(tries.clone(), PairRules { margin: 60, ..RULES }), ["a>c", "b>c"]);
        let reversed = tries.into_iter().rev().collect();
        assert_eq!(chosen(reversed, RULES), ["a>c", "b>d", "a>d", "b>c"]);
    }

    #[test]
    fn the_cheaper_of_two_solved_is_chosen_if_it_is_wanted_and_far_enough() {
        let tries = vec![one("a", 1.0, 100, "a"), one("b", 1.0, 80, "b"), one("c", 1.0, 10, "c")];
        assert!(chosen(tries.clone(), RULES).is_empty());
        let cheaper = PairRules { among_solved: Some(SolvedOrder::Cheaper), ..RULES };
        assert_eq!(chosen(tries.clone(), cheaper), ["c>a"]);
        assert_eq!(chosen(tries.clone(), PairRules { margin: 90, ..cheaper }), ["c>a"]);
        assert!(chosen(tries, PairRules { margin: 91, ..cheaper }).is_empty());
        let equal = vec![one("a", 1.0, 5, "a"), one("b", 1.0, 5, "b")];
        assert!(chosen(equal, PairRules { margin: 0, ..cheaper }).is_empty());
    }

    #[test]
    fn rows_without_a_partner_and_repeated_texts_are_counted() {
        let group = |task: &str| (DatasetSplit::Test, task.to_owned(), "asked".to_owned());
        let groups = BTreeMap::from([
            (group("alone"), vec![one("a", 1.0, 1, "a")]),
            (group("same"), vec![one("b", 1.0, 1, "x"), one("c", 0.0, 1, "x")]),
        ]);
        let choice = choose(groups, RULES);
        assert!(choice.pairs.is_empty());
        let left = |reason| (DatasetSplit::Test, reason);
        let expected = [LeftReason::NoPair, LeftReason::SameText, LeftReason::NoPair].map(left);
        assert_eq!(choice.left, expected);
    }

    proptest! {
        #[test]
        fn pairs_keep_the_rules(
            scores in prop::collection::vec((0u32..=4, 0u64..50, 0u32..6), 0..24),
            margin in 0u32..=100,
            per_task in 1usize..6,
        ) {
            let tries: Vec<_> = scores.iter().enumerate().map(|(at, (score, cost, text))| {
                one(&format!("{at:02}"), f64::from(*score) / 4.0, *cost, &text.to_string())
            }).collect();
            let by_id: BTreeMap<_, _> = tries.iter().map(|t| (t.id.clone(), t.clone())).collect();
            let order = Some(SolvedOrder::Shorter);
            let rules = PairRules { margin, per_task, among_solved: order, ..RULES };
            let found = chosen(tries, rules);
            prop_assert!(found.len() <= per_task * 2);
            prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
            for pair in found {
                let (better, worse) = pair.split_once('>').unwrap();
                let (better, worse) = (&by_id[better], &by_id[worse]);
                prop_assert!(better.solved && better.text != worse.text);
                prop_assert!(!worse.solved || better.replies < worse.replies);
            }
        }
    }
}

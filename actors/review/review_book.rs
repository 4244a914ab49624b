//! A review with all its decisions. It is built from the records of its file, one after the other, and
//! refuses a record that does not follow from those before it.

use super::review_record::{REVIEW_SCHEMA, ReviewHead, ReviewItem, ReviewRecord, ReviewUndo};
use crate::model::{ReviewDecision, ReviewState, ReviewValue, ReviewedRow};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A review as far as it is.
#[derive(Clone, Debug)]
pub struct ReviewBook {
    head: ReviewHead,
    items: Vec<ReviewItem>,
    /// The decisions that stand, by item, in the order in which they were made.
    decisions: BTreeMap<u64, Vec<ReviewDecision>>,
    /// The items that each reviewer has decided and not undone, the newest last.
    order: BTreeMap<String, Vec<u64>>,
    /// Who has seen what is hidden, of which item: everybody who ever decided on it.
    seen: BTreeSet<(String, u64)>,
}

/// Why a record does not follow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReviewFault {
    #[error("the review has no head")]
    NoHead,
    #[error("the review has the format {0:?}, which is not {REVIEW_SCHEMA}")]
    OtherFormat(String),
    #[error("the head of a review comes twice")]
    SecondHead,
    #[error("item {0} is out of its order")]
    ItemOutOfOrder(u64),
    #[error("the review has {found} items instead of {stated}")]
    ItemsMissing { found: u64, stated: u64 },
    #[error("the review has no item {0}")]
    UnknownItem(u64),
    #[error("{reviewer} has already decided on item {item}")]
    DecidedAlready { reviewer: String, item: u64 },
    #[error("{reviewer} has no decision on item {item} to take back")]
    NothingToUndo { reviewer: String, item: u64 },
}

impl ReviewBook {
    /// A review from its first record.
    pub fn begin(record: ReviewRecord) -> Result<Self, ReviewFault> {
        let ReviewRecord::Review(head) = record else { return Err(ReviewFault::NoHead) };
        if head.schema != REVIEW_SCHEMA {
            return Err(ReviewFault::OtherFormat(head.schema));
        }
        Ok(Self {
            head,
            items: Vec::new(),
            decisions: BTreeMap::new(),
            order: BTreeMap::new(),
            seen: BTreeSet::new(),
        })
    }

    /// Adds the next record. After an error nothing has changed.
    pub fn apply(&mut self, record: ReviewRecord) -> Result<(), ReviewFault> {
        match record {
            ReviewRecord::Review(_) => Err(ReviewFault::SecondHead),
            ReviewRecord::Item(item) => self.add_item(item),
            ReviewRecord::Decision(decision) => self.decide(decision),
            ReviewRecord::Undo(undo) => self.undo(&undo),
        }
    }

    fn add_item(&mut self, item: ReviewItem) -> Result<(), ReviewFault> {
        let expected = self.count() + 1;
        let sound = item.number == expected && item.drawn > 0 && item.drawn <= item.of;
        if !sound || expected > self.head.items {
            return Err(ReviewFault::ItemOutOfOrder(item.number));
        }
        self.items.push(item);
        Ok(())
    }

    fn decide(&mut self, decision: ReviewDecision) -> Result<(), ReviewFault> {
        self.whole()?;
        let (item, reviewer) = (decision.item, decision.reviewer.clone());
        self.item(item).ok_or(ReviewFault::UnknownItem(item))?;
        if self.decision_of(item, &reviewer).is_some() {
            return Err(ReviewFault::DecidedAlready { reviewer, item });
        }
        self.order.entry(reviewer.clone()).or_default().push(item);
        self.seen.insert((reviewer, item));
        self.decisions.entry(item).or_default().push(decision);
        Ok(())
    }

    fn undo(&mut self, undo: &ReviewUndo) -> Result<(), ReviewFault> {
        let (item, reviewer) = (undo.item, &undo.reviewer);
        if self.decision_of(item, reviewer).is_none() {
            return Err(ReviewFault::NothingToUndo { reviewer: reviewer.clone(), item });
        }
        if let Some(decisions) = self.decisions.get_mut(&item) {
            decisions.retain(|decision| decision.reviewer != *reviewer);
        }
        if let Some(order) = self.order.get_mut(reviewer) {
            order.retain(|decided| *decided != item);
        }
        Ok(())
    }

    /// Whether all items are there that the head states.
    pub fn whole(&self) -> Result<(), ReviewFault> {
        let (found, stated) = (self.count(), self.head.items);
        if found == stated { Ok(()) } else { Err(ReviewFault::ItemsMissing { found, stated }) }
    }

    pub fn head(&self) -> &ReviewHead {
        &self.head
    }

    pub fn items(&self) -> &[ReviewItem] {
        &self.items
    }

    fn count(&self) -> u64 {
        u64::try_from(self.items.len()).unwrap_or(u64::MAX)
    }

    /// The item of a number.
    pub fn item(&self, number: u64) -> Option<&ReviewItem> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.items.get(at)
    }

    /// The item that has this number, or whose row has this id.
    pub fn named(&self, name: &str) -> Option<&ReviewItem> {
        let by_number = name.parse().ok().and_then(|number| self.item(number));
        by_number.or_else(|| self.items.iter().find(|item| item.row == name))
    }

    /// The decisions that stand on an item.
    pub fn decisions(&self, item: u64) -> &[ReviewDecision] {
        self.decisions.get(&item).map_or(&[], Vec::as_slice)
    }

    /// The decision of a reviewer on an item, if it stands.
    pub fn decision_of(&self, item: u64, reviewer: &str) -> Option<&ReviewDecision> {
        self.decisions(item).iter().find(|decision| decision.reviewer == reviewer)
    }

    /// Whether a reviewer was shown what is hidden of an item: everybody is who decides.
    pub fn has_seen(&self, item: u64, reviewer: &str) -> bool {
        self.seen.contains(&(reviewer.to_owned(), item))
    }

    /// The item on which a reviewer has decided last.
    pub fn last_of(&self, reviewer: &str) -> Option<&ReviewItem> {
        let last = self.order.get(reviewer)?.last()?;
        self.item(*last)
    }

    /// The records of a decision. An older one of the same reviewer is taken back before. Who was shown
    /// what is hidden is not blind any more.
    pub fn decided(&self, decision: ReviewDecision) -> Vec<ReviewRecord> {
        let (item, reviewer, at) = (decision.item, decision.reviewer.clone(), decision.at.clone());
        let blind = decision.blind && !self.has_seen(item, &reviewer);
        let older = self.decision_of(item, &reviewer).is_some();
        let undo = older.then_some(ReviewRecord::Undo(ReviewUndo { item, reviewer, at }));
        let decision = ReviewRecord::Decision(ReviewDecision { blind, ..decision });
        undo.into_iter().chain([decision]).collect()
    }

    /// The record that takes the last decision of a reviewer back; none if there is no decision.
    pub fn undone(&self, reviewer: &str, at: String) -> Option<ReviewUndo> {
        let item = self.last_of(reviewer)?.number;
        Some(ReviewUndo { item, reviewer: reviewer.to_owned(), at })
    }

    /// How far an item is.
    pub fn state(&self, item: &ReviewItem) -> ReviewState {
        let decisions = self.decisions(item.number);
        let wanted = usize::try_from(item.reviewers).unwrap_or(usize::MAX);
        let most = self.most(item.number).map_or(0, |(_, count)| count);
        match decisions.len() {
            0 => ReviewState::Open,
            count if count < wanted => ReviewState::Begun,
            count if most == count => ReviewState::Agreed,
            count if most * 2 > count => ReviewState::Settled,
            _ => ReviewState::Disputed,
        }
    }

    /// What more than half of the reviewers say, once enough have decided.
    pub fn consensus(&self, item: &ReviewItem) -> Option<ReviewValue> {
        let decided = matches!(self.state(item), ReviewState::Agreed | ReviewState::Settled);
        self.most(item.number).filter(|_| decided).map(|(value, _)| value)
    }

    /// The value that most reviewers say of an item, and how many.
    fn most(&self, item: u64) -> Option<(ReviewValue, usize)> {
        let mut counts: BTreeMap<ReviewValue, usize> = BTreeMap::new();
        for decision in self.decisions(item) {
            *counts.entry(decision.value).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count)
    }

    /// Whether a decision of this reviewer is wanted on an item.
    fn wants(&self, item: &ReviewItem, reviewer: &str) -> bool {
        self.state(item).wants_more() && self.decision_of(item.number, reviewer).is_none()
    }

    /// The items that wait for a reviewer, in their order.
    pub fn waiting<'a>(&'a self, reviewer: &'a str) -> impl Iterator<Item = &'a ReviewItem> {
        self.items.iter().filter(move |item| self.wants(item, reviewer))
    }

    /// A line of the export for each item.
    pub fn export(&self) -> impl Iterator<Item = ReviewedRow> {
        self.items.iter().map(|item| ReviewedRow {
            review: self.head.name.clone(),
            version: self.head.digest.clone(),
            item: item.number,
            row: item.row.clone(),
            probability: item.probability(),
            verdict: item.verdict,
            state: self.state(item),
            consensus: self.consensus(item),
            decisions: self.decisions(item.number).to_vec(),
        })
    }
}

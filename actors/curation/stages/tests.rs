//! Stages over the whole set: what stays does not depend on the order of the rows.

use super::{KeepRule, MeasuredRate, RowAspect, RowBalance, RowCap};
use crate::curation::tests::row;
use crate::curation::{WholeFinder, WholeRemarks};
use crate::model::{DatasetRow, RowRecord};
use crate::quality::tests::trajectory;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A completion of a model.
fn of_model(ordinal: u64, model: &str, response: &str) -> RowRecord {
    let mut record = row(ordinal, response);
    if let DatasetRow::Completion(row) = &mut record.row {
        row.llm_model = model.to_owned();
    }
    record
}

/// A trajectory of a task, solved or not.
fn tried(ordinal: u64, task: &str, solved: bool) -> RowRecord {
    let mut trajectory = trajectory();
    trajectory.task_id = task.to_owned();
    trajectory.final_result = if solved { "resolved" } else { "unresolved" }.to_owned();
    RowRecord { row: trajectory.into(), ..row(ordinal, "") }
}

fn decided(mut finder: impl WholeFinder, rows: &[RowRecord]) -> WholeRemarks {
    rows.iter().for_each(|row| finder.observe(row));
    finder.decide()
}

/// The ids of the rows that stay.
fn kept(rows: &[RowRecord], remarks: &WholeRemarks) -> BTreeSet<String> {
    let left = rows.iter().filter(|row| !remarks.contains_key(&row.ordinal));
    left.map(|row| row.row.id().to_owned()).collect()
}

/// The same rows in another order, with the ordinals of that order.
fn reversed(rows: &[RowRecord]) -> Vec<RowRecord> {
    let again = rows.iter().rev().cloned().enumerate();
    again.map(|(at, row)| RowRecord { ordinal: at as u64, ..row }).collect()
}

const MODELS: [&str; 3] = ["small", "large", "huge"];

proptest! {
    #[test]
    fn a_cap_keeps_as_many_as_it_says_in_any_order(
        models in proptest::collection::vec(0..3_usize, 1..40),
        most in 1..6_u32,
        seed: u64,
    ) {
        let rows = models.iter().enumerate();
        let rows: Vec<_> = rows.map(|(at, model)| of_model(at as u64, MODELS[*model], "x")).collect();
        let cap = || RowCap::new(vec![RowAspect::Model], most, KeepRule::Drawn, seed);
        let remarks = decided(cap(), &rows);
        for model in 0..3 {
            let all = models.iter().filter(|one| **one == model).count();
            let beyond = models.iter().enumerate().filter(|(at, one)| {
                **one == model && remarks.contains_key(&(*at as u64))
            });
            prop_assert_eq!(all - beyond.count(), all.min(most as usize));
        }
        let other = reversed(&rows);
        prop_assert_eq!(kept(&rows, &remarks), kept(&other, &decided(cap(), &other)));
    }

    #[test]
    fn a_balance_keeps_a_multiple_of_the_rarest(
        models in proptest::collection::vec(0..3_usize, 1..40),
        ratio in 1_000..4_000_u32,
        seed: u64,
    ) {
        let rows: Vec<_> =
            models.iter().enumerate().map(|(at, model)| of_model(at as u64, MODELS[*model], "x")).collect();
        let balance = || RowBalance::new(RowAspect::Model, ratio, seed);
        let remarks = decided(balance(), &rows);
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        models.iter().for_each(|model| *counts.entry(*model).or_default() += 1);
        let rarest = *counts.values().min().unwrap();
        let most = rarest * ratio as usize / 1_000;
        let all: usize = counts.values().map(|count| (*count).min(most)).sum();
        prop_assert_eq!(rows.len() - remarks.len(), all);
        let other = reversed(&rows);
        prop_assert_eq!(kept(&rows, &remarks), kept(&other, &decided(balance(), &other)));
    }
}

#[test]
fn the_rule_says_which_rows_stay() {
    let rows =
        [of_model(0, "a", "a long answer"), of_model(1, "a", "short"), of_model(2, "a", "longer")];
    let cap = RowCap::new(vec![RowAspect::Model], 1, KeepRule::Shortest, 3);
    let remarks = decided(cap, &rows);
    assert_eq!(remarks.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(remarks[&0][0].detail, "more than 1 of model acme/a");
}

#[test]
fn tasks_that_are_always_or_never_solved_are_said() {
    let solved =
        [("always", true), ("always", true), ("often", true), ("often", false), ("once", true)];
    let rows: Vec<_> = solved
        .iter()
        .enumerate()
        .map(|(at, (task, solved))| tried(at as u64, task, *solved))
        .collect();
    let remarks = decided(MeasuredRate::new([200, 800], 2), &rows);
    assert_eq!(remarks.keys().copied().collect::<Vec<_>>(), [0, 1, 4]);
    assert_eq!(remarks[&0][0].detail, "solved 2 of 2 times, 1.00 (0.34 to 1.00)");
    assert_eq!(remarks[&4][0].detail, "tried 1 times only");
}

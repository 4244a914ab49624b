//! Draws tasks, so that kinds, categories, skills and difficulties have their shares.
//!
//! Each task is drawn of the template that is first in this order:
//!
//! 1. It brings no value above a cap that the campaign states, or the fewest tasks above.
//! 2. Its values with stated shares lack most, measured against what should have been drawn by then.
//! 3. The same as 1 for the usual caps, and as 2 for the values that are to be equal.
//! 4. It has the fewest tasks. The seed decides between equal ones.
//!
//! Only whole numbers are used, so the result is the same on every machine.

use super::aspect_table::{AspectTable, ShareLine};
use super::candidate::DrawCandidate;
use super::tie_break;
use crate::model::{DrawAspect, TaskDraw};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A draw of tasks by shares. It never ends, unless the shares exclude every template.
#[derive(Clone, Debug)]
pub struct ShareDraw {
    tables: Vec<AspectTable>,
    /// The places of the templates by their ids.
    places: HashMap<String, usize>,
    /// The keys of the templates for ties.
    keys: Vec<u64>,
    /// The templates that may be drawn, as places.
    allowed: Vec<usize>,
    /// The index that the next task of each template has.
    next: Vec<u32>,
    /// The number of tasks drawn so far.
    drawn: u64,
}

impl ShareDraw {
    /// A draw of which nothing is drawn. `candidates` are the templates, sorted by id.
    pub fn new(draw: &TaskDraw, seed: u64, candidates: &[DrawCandidate]) -> Self {
        let table = |aspect| AspectTable::new(aspect, draw, draw.steers(aspect), candidates);
        let tables: Vec<AspectTable> = DrawAspect::ALL.into_iter().filter_map(table).collect();
        let is_allowed =
            |candidate: &usize| !tables.iter().any(|table| table.excludes(*candidate, draw));
        let place = |(place, one): (usize, &DrawCandidate)| (one.template.clone(), place);
        Self {
            allowed: (0..candidates.len()).filter(is_allowed).collect(),
            places: candidates.iter().enumerate().map(place).collect(),
            keys: candidates.iter().map(|one| tie_break::key(seed, &one.template)).collect(),
            next: vec![0; candidates.len()],
            tables,
            drawn: 0,
        }
    }

    /// Counts a task that was drawn before. Shares are those of the templates that are there, so a task
    /// of another template does not count.
    pub fn take(&mut self, template: &str, index: u32) {
        let Some(candidate) = self.places.get(template).copied() else { return };
        self.next[candidate] = self.next[candidate].max(index.saturating_add(1));
        self.tables.iter_mut().for_each(|table| table.count(candidate));
        self.drawn += 1;
    }

    /// Draws the next task: the place of its template among the candidates, and its index.
    pub fn draw(&mut self) -> Option<(usize, u32)> {
        let best = self.allowed.iter().copied().min_by_key(|one| self.rank(*one))?;
        let index = self.next[best];
        self.next[best] = index.saturating_add(1);
        self.tables.iter_mut().for_each(|table| table.count(best));
        self.drawn += 1;
        Some((best, index))
    }

    /// The rank of a candidate for the next task; the lowest is drawn.
    fn rank(&self, candidate: usize) -> DrawRank {
        let excess = |is_stated: bool| {
            let tables = self.tables.iter().filter(|table| table.has_stated_caps == is_stated);
            tables.map(|table| table.excess(candidate, self.drawn)).max().unwrap_or(0)
        };
        let lack = |is_stated: bool| {
            let tables = self.tables.iter().filter(|table| table.is_stated == is_stated);
            Reverse(tables.map(|table| table.lack(candidate, self.drawn)).sum::<i128>())
        };
        let tie = tie_break::at_place(self.keys[candidate], self.drawn);
        (excess(true), lack(true), excess(false), lack(false), self.next[candidate], tie)
    }
}

/// How early a candidate is drawn, as the module says it.
type DrawRank = (u64, Reverse<i128>, u64, Reverse<i128>, u32, u64);

/// The table of shares after the draw of `count` tasks, and the number of tasks of each candidate.
pub fn share_lines(
    draw: &TaskDraw,
    seed: u64,
    candidates: &[DrawCandidate],
) -> (Vec<ShareLine>, Vec<u32>) {
    let mut drawing = ShareDraw::new(draw, seed, candidates);
    for _ in 0..draw.count {
        if drawing.draw().is_none() {
            break;
        }
    }
    let lines = drawing.tables.iter().flat_map(|table| table.lines(draw, drawing.drawn));
    (lines.collect(), drawing.next)
}

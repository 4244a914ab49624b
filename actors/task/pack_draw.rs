//! Draws entries of a pack for a task, and finds the texts that an edit needs: the window around a
//! change that occurs once in its file, with the change and without it.

use super::draw::TaskRng;
use super::pack_spec::PackSpec;
use crate::pack::{ChangeKind, LONG_SIZES, PackChange, ProjectPack, own_tests};
use std::collections::BTreeMap;

/// How often entries are drawn until some have windows.
pub(super) const TRIES: usize = 64;
/// How many lines a window may get.
const MOST_LINES: usize = 24;

/// The changes of one task, in the order of their places.
pub(super) struct DrawnChanges<'p> {
    pub(super) changes: Vec<DrawnChange<'p>>,
    /// The files of the project that have changes, with them.
    pub(super) wrong: BTreeMap<&'p str, String>,
}

/// A change with its window.
pub(super) struct DrawnChange<'p> {
    pub(super) change: &'p PackChange,
    /// The window in the project's own file.
    pub(super) right: String,
    /// The window in the file of the task.
    pub(super) wrong: String,
}

/// Draws the changes of a task. None if the pack has none of this kind.
pub(super) fn draw<'p>(
    pack: &'p ProjectPack,
    spec: &PackSpec,
    rng: &mut TaskRng,
) -> Option<DrawnChanges<'p>> {
    (0..TRIES).find_map(|_| windows(pack, drawn(pack, spec, rng)?))
}

/// The changes of one draw.
fn drawn<'p>(
    pack: &'p ProjectPack,
    spec: &PackSpec,
    rng: &mut TaskRng,
) -> Option<Vec<&'p PackChange>> {
    let range = spec.count();
    let count = rng.between(i64::from(range.min), i64::from(range.max));
    let count = usize::try_from(count).unwrap_or(1);
    let kind = spec.change_kind()?;
    if count == 1 { alone(pack, kind, rng) } else { together(pack, kind, count, rng) }
}

/// One change. The function is drawn first, so that a function with many faults is not drawn more
/// often than others.
pub(super) fn alone<'p>(
    pack: &'p ProjectPack,
    kind: ChangeKind,
    rng: &mut TaskRng,
) -> Option<Vec<&'p PackChange>> {
    let mut functions: BTreeMap<&str, Vec<&PackChange>> = BTreeMap::new();
    for change in pack.good_changes(kind) {
        functions.entry(&change.function).or_default().push(change);
    }
    let changes = functions.values().nth(rng.index(functions.len()))?;
    changes.get(rng.index(changes.len())).map(|change| vec![*change])
}

/// Changes that were tried together.
fn together<'p>(
    pack: &'p ProjectPack,
    kind: ChangeKind,
    count: usize,
    rng: &mut TaskRng,
) -> Option<Vec<&'p PackChange>> {
    let mut groups = match LONG_SIZES.contains(&count) {
        true => pack.long_groups_of(kind),
        false => pack.good_groups(kind),
    };
    groups.retain(|group| group.len() == count);
    groups.get(rng.index(groups.len())).cloned()
}

/// The changes with their windows. None if one has no window, or if the repairs cannot be made one
/// after the other.
pub(super) fn windows<'p>(
    pack: &'p ProjectPack,
    mut changes: Vec<&'p PackChange>,
) -> Option<DrawnChanges<'p>> {
    changes.sort_by_key(|change| (&change.file, change.at));
    let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
    for change in changes.iter().rev() {
        let text = wrong.entry(&change.file).or_default();
        if text.is_empty() {
            pack.text(&change.file)?.clone_into(text);
        }
        text.replace_range(change.at.0..change.at.1, &change.text);
    }
    let with_window = |change: &&'p PackChange| {
        let (right, wrong) = window(pack, change, &changes, wrong.get(change.file.as_str())?)?;
        Some(DrawnChange { change, right, wrong })
    };
    let changes = changes.iter().map(with_window).collect::<Option<Vec<_>>>()?;
    let drawn = DrawnChanges { changes, wrong };
    let order = 0..drawn.changes.len();
    drawn.can_be_repaired(pack, order).then_some(drawn)
}

/// The smallest window of whole lines around a change that occurs once in both files. It touches no
/// other change.
fn window(
    pack: &ProjectPack,
    change: &PackChange,
    all: &[&PackChange],
    wrong: &str,
) -> Option<(String, String)> {
    let right = pack.text(&change.file)?;
    let others: Vec<(usize, usize)> = all
        .iter()
        .filter(|other| other.file == change.file && other.id != change.id)
        .map(|other| other.at)
        .collect();
    window_at(right, change.at, &change.text, wrong, &others)
}

/// The smallest window of whole lines around the bytes `at` of the right text that occurs once in both
/// texts. In the wrong text, `text` stands there. It touches none of `others`, bytes of the right text.
pub(super) fn window_at(
    right: &str,
    at: (usize, usize),
    text: &str,
    wrong: &str,
    others: &[(usize, usize)],
) -> Option<(String, String)> {
    let (mut from, mut to) = (line_start(right, at.0), line_end(right, at.1));
    for grown in 0..MOST_LINES {
        if others.iter().any(|(start, end)| from < *end && *start < to) {
            return None;
        }
        let before = right.get(from..at.0)?;
        let after = right.get(at.1..to)?;
        let (good, bad) = (right.get(from..to)?, format!("{before}{text}{after}"));
        let is_found_once = occurs_once(right, good) && occurs_once(wrong, &bad);
        if is_found_once && !bad.trim().is_empty() {
            return Some((good.to_owned(), bad));
        }
        match grown % 2 {
            0 if from > 0 => from = line_start(right, from - 1),
            _ if to < right.len() => to = line_end(right, to + 1),
            _ => from = line_start(right, from.saturating_sub(1)),
        }
    }
    None
}

/// Whether a text occurs exactly once. Occurrences may overlap.
fn occurs_once(text: &str, part: &str) -> bool {
    let first = text.find(part);
    !part.is_empty() && first.is_some() && first == text.rfind(part)
}

/// The place at which the line with a byte begins.
fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// The place of the newline behind a byte, or the end.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline)
}

impl DrawnChanges<'_> {
    /// Whether the changes are a long group, so that each has tests of its own.
    pub(super) fn is_long(&self) -> bool {
        LONG_SIZES.contains(&self.changes.len())
    }

    /// The tests of each change that none of the others breaks.
    pub(super) fn own_tests(&self) -> Vec<Vec<usize>> {
        own_tests(&self.changes.iter().map(|drawn| drawn.change).collect::<Vec<_>>())
    }

    /// Whether the repairs can be made in this order of their places, and then give the project's own
    /// files.
    pub(super) fn can_be_repaired(
        &self,
        pack: &ProjectPack,
        order: impl Iterator<Item = usize>,
    ) -> bool {
        let mut texts = self.wrong.clone();
        for drawn in order.filter_map(|place| self.changes.get(place)) {
            let Some(text) = texts.get_mut(drawn.change.file.as_str()) else { return false };
            if !occurs_once(text, &drawn.wrong) {
                return false;
            }
            *text = text.replacen(&drawn.wrong, &drawn.right, 1);
        }
        texts.iter().all(|(path, text)| pack.text(path) == Some(text.as_str()))
    }
}

//! What several commands of one turn did to the files, as one list.

use crate::model::{Change, ChangeKind, ExecReport};
use std::collections::BTreeMap;

/// The changes between the state before the first command and after the last one.
pub(super) fn changes_of(reports: &[ExecReport]) -> Vec<Change> {
    let scans = reports.iter().filter_map(|report| report.scan.as_ref());
    let mut each = scans.map(|scan| scan.changes.as_slice());
    let first = each.next().unwrap_or_default().to_vec();
    each.fold(first, merge)
}

fn merge(earlier: Vec<Change>, later: &[Change]) -> Vec<Change> {
    let by_path = |change: &Change| (change.path.clone(), change.clone());
    if later.is_empty() {
        return earlier;
    }
    let mut merged: BTreeMap<String, Change> = earlier.iter().map(by_path).collect();
    for change in later {
        match (merged.get(&change.path).map(|before| before.kind), change.kind) {
            (Some(ChangeKind::Added), ChangeKind::Removed) => {
                merged.remove(&change.path);
            }
            (before, now) => {
                let kind = kind_of(before, now);
                merged.insert(change.path.clone(), Change { kind, ..change.clone() });
            }
        }
    }
    merged.into_values().collect()
}

fn kind_of(before: Option<ChangeKind>, now: ChangeKind) -> ChangeKind {
    match (before, now) {
        (Some(ChangeKind::Added), ChangeKind::Modified) => ChangeKind::Added,
        (Some(ChangeKind::Removed), ChangeKind::Added) => ChangeKind::Modified,
        (_, now) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChangeKind::{Added, Modified, Removed};

    fn change(kind: ChangeKind) -> Change {
        Change { path: "f".to_owned(), kind, size: 1, sha256: None }
    }

    #[test]
    fn two_changes_of_a_file_are_what_came_of_them() {
        for (first, second, both) in [
            (Added, Modified, Some(Added)),
            (Added, Removed, None),
            (Removed, Added, Some(Modified)),
            (Modified, Removed, Some(Removed)),
            (Modified, Modified, Some(Modified)),
        ] {
            let merged = merge(vec![change(first)], &[change(second)]);
            assert_eq!(merged.first().map(|change| change.kind), both, "{first:?} {second:?}");
        }
    }
}

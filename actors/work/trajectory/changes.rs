//! The file changes of several operations in one turn, merged into one list. Each operation's scan
//! lists what changed since the scan before it.

use crate::model::{FileChangeKind, WorkspaceChange, WorkspaceScan};
use std::collections::BTreeMap;

/// What changed between the state before the first operation and the state after the last one. A file
/// that was added and then removed is not listed.
pub(super) fn changes_of(scans: &[WorkspaceScan]) -> Vec<WorkspaceChange> {
    let mut each = scans.iter().map(|scan| scan.changes.as_slice());
    let first = each.next().unwrap_or_default().to_vec();
    each.fold(first, merge)
}

/// Merges a later list of changes into an earlier one. The result is in order of paths.
fn merge(earlier: Vec<WorkspaceChange>, later: &[WorkspaceChange]) -> Vec<WorkspaceChange> {
    let by_path = |change: &WorkspaceChange| (change.path.clone(), change.clone());
    if later.is_empty() {
        return earlier;
    }
    let mut merged: BTreeMap<String, WorkspaceChange> = earlier.iter().map(by_path).collect();
    for change in later {
        match (merged.get(&change.path).map(|before| before.kind), change.kind) {
            // The file existed neither before nor after.
            (Some(FileChangeKind::Added), FileChangeKind::Removed) => {
                merged.remove(&change.path);
            }
            // The later scan has the current size and checksum.
            (before, now) => {
                let kind = kind_of(before, now);
                merged.insert(change.path.clone(), WorkspaceChange { kind, ..change.clone() });
            }
        }
    }
    merged.into_values().collect()
}

/// The kind of two changes together: added and then modified is added; removed and then added is
/// modified. Otherwise the later kind counts.
fn kind_of(before: Option<FileChangeKind>, now: FileChangeKind) -> FileChangeKind {
    match (before, now) {
        (Some(FileChangeKind::Added), FileChangeKind::Modified) => FileChangeKind::Added,
        (Some(FileChangeKind::Removed), FileChangeKind::Added) => FileChangeKind::Modified,
        (_, now) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FileChangeKind::{Added, Modified, Removed};

    fn change(kind: FileChangeKind) -> WorkspaceChange {
        WorkspaceChange { path: "f".to_owned(), kind, size: 1, sha256: None }
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

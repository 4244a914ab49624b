//! Compares editions of templates: those with which a campaign was made, and those with which it
//! would continue. The preparation of a campaign refuses to continue without the user's consent if
//! something has changed.

use crate::model::TemplateEdition;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What has changed in one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedTemplate {
    /// The id of the template.
    pub template: String,
    /// The changed files, sorted by path.
    pub files: Vec<ChangedFile>,
    /// The number of tasks before and now, if there are fewer now.
    pub fewer: Option<(u32, u32)>,
}

/// One changed file of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// The path relative to the templates directory.
    pub path: String,
    pub how: FileChange,
}

/// How a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    Added,
    Changed,
    Removed,
}

/// For messages, such as `debugging/off-by-one.yaml changed`.
impl fmt::Display for ChangedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            FileChange::Added => "is new",
            FileChange::Changed => "changed",
            FileChange::Removed => "is gone",
        };
        write!(f, "{} {how}", self.path)
    }
}

/// The templates that are in both lists and differ. A template in only one list is not a change,
/// because a campaign may add and drop templates. More tasks of a template are not a change either,
/// because a plan may grow.
pub fn changed_templates(
    before: &[TemplateEdition],
    now: &[TemplateEdition],
) -> Vec<ChangedTemplate> {
    let known: BTreeMap<&str, &TemplateEdition> =
        before.iter().map(|edition| (edition.template.as_str(), edition)).collect();
    let change = |now: &TemplateEdition| {
        let before = known.get(now.template.as_str())?;
        let files = changed_files(&before.files, &now.files);
        let fewer = (now.tasks < before.tasks).then_some((before.tasks, now.tasks));
        let is_change = !files.is_empty() || fewer.is_some();
        is_change.then(|| ChangedTemplate { template: now.template.clone(), files, fewer })
    };
    now.iter().filter_map(change).collect()
}

/// The files that differ, sorted by path. The maps give the digest of each file.
fn changed_files(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<ChangedFile> {
    let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = |path: &String| {
        let how = match (before.get(path), now.get(path)) {
            (None, _) => FileChange::Added,
            (_, None) => FileChange::Removed,
            (Some(old), Some(new)) if old != new => FileChange::Changed,
            _ => return None,
        };
        Some(ChangedFile { path: path.clone(), how })
    };
    paths.into_iter().filter_map(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edition(template: u8, files: BTreeMap<String, String>, tasks: u32) -> TemplateEdition {
        TemplateEdition { template: template.to_string(), digest: String::new(), files, tasks }
    }

    fn files() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[ab]", "[01]", 0..3)
    }

    fn editions() -> impl Strategy<Value = Vec<TemplateEdition>> {
        proptest::collection::btree_map(0u8..4, (files(), 0u32..4), 0..4).prop_map(|all| {
            all.into_iter().map(|(id, (files, tasks))| edition(id, files, tasks)).collect()
        })
    }

    proptest! {
        #[test]
        fn nothing_is_different_from_itself(all in editions()) {
            prop_assert_eq!(changed_templates(&all, &all), []);
            prop_assert_eq!(changed_templates(&[], &all), []);
            prop_assert_eq!(changed_templates(&all, &[]), []);
        }

        #[test]
        fn what_is_told_is_what_differs(before in editions(), now in editions()) {
            let changed = changed_templates(&before, &now);
            for old in &before {
                let new = now.iter().find(|new| new.template == old.template);
                let told = changed.iter().find(|change| change.template == old.template);
                let differs = new.is_some_and(|n| n.files != old.files || n.tasks < old.tasks);
                prop_assert_eq!(told.is_some(), differs);
                let (Some(new), Some(told)) = (new, told) else { continue };
                for path in ["a", "b"] {
                    let named = told.files.iter().any(|file| file.path == path);
                    prop_assert_eq!(named, old.files.get(path) != new.files.get(path));
                }
                prop_assert_eq!(told.fewer.is_some(), new.tasks < old.tasks);
            }
        }
    }
}

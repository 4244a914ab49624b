//! What of a workspace a judge's sandbox has: regular files and directories, as data. Links are left
//! out, because a check could follow them. What git would obey is left out too: a repository may name
//! programs in its settings, and then `git log` in a check would run a program of the agent beside the
//! sealed files.

use super::{TreeEntry, TreeEntryKind, WorkspaceCopy};
use std::collections::BTreeSet;
use std::iter;

/// Entries of a repository's own directory that git obeys, with everything below them.
const SETTINGS: [&str; 7] =
    ["config", "config.worktree", "hooks", "modules", "worktrees", "commondir", "gitdir"];
/// Files deeper in it that git obeys.
const DEEPER_SETTINGS: [&str; 3] =
    ["info/attributes", "objects/info/alternates", "objects/info/http-alternates"];

/// The entries of a workspace, as a judge's sandbox takes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SubmissionEntries<'c> {
    /// Regular files and directories, which are laid.
    pub laid: Vec<&'c TreeEntry>,
    /// Links, which are left out.
    pub links: Vec<&'c TreeEntry>,
    /// Settings of repositories, which are left out with everything below them.
    pub settings: Vec<&'c TreeEntry>,
}

impl WorkspaceCopy {
    /// What of the copy a judge's sandbox has and what not.
    pub fn submission(&self) -> SubmissionEntries<'_> {
        let repositories = repositories(&self.entries);
        let mut submission = SubmissionEntries::default();
        for entry in &self.entries {
            match (&entry.kind, setting(&repositories, entry)) {
                (TreeEntryKind::Symlink { .. }, _) => submission.links.push(entry),
                (_, Some(setting)) if setting == entry.path => submission.settings.push(entry),
                (_, Some(_)) => {}
                (_, None) => submission.laid.push(entry),
            }
        }
        submission
    }
}

/// The directories that git may take for a repository's own, whatever their names are: those with a
/// `HEAD`. Those with the name `.git` are such without it, too.
fn repositories(entries: &[TreeEntry]) -> BTreeSet<&str> {
    let parts = entries.iter().map(|entry| parted(&entry.path));
    parts.filter(|(_, name)| *name == "HEAD").map(|(above, _)| above).collect()
}

/// The directory and the name of a path.
fn parted(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The path of the setting that an entry is, or is below of.
fn setting<'e>(repositories: &BTreeSet<&str>, entry: &'e TreeEntry) -> Option<&'e str> {
    let path = entry.path.as_str();
    let is_file = matches!(entry.kind, TreeEntryKind::File { .. });
    if is_file && parted(path).1 == ".git" {
        // It names another directory.
        return Some(path);
    }
    let whole = iter::once(("", path));
    let mut places =
        whole.chain(path.match_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..])));
    places.find_map(|(above, below)| {
        let is_git = parted(above).1 == ".git" || repositories.contains(above);
        let name = below.split('/').next().filter(|_| is_git)?;
        let end = path.len() - below.len() + name.len();
        let deeper = DEEPER_SETTINGS.contains(&below).then_some(path);
        deeper.or_else(|| SETTINGS.contains(&name).then(|| &path[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory where a path ends with a slash, a link where it has an `@`, a file otherwise.
    fn entry(path: &str) -> TreeEntry {
        let kind = match path {
            _ if path.ends_with('/') => TreeEntryKind::Directory { mode: 0o755 },
            _ if path.contains('@') => TreeEntryKind::Symlink { target: "/".to_owned() },
            _ => TreeEntryKind::File { mode: 0o644, content: Vec::new() },
        };
        TreeEntry { path: path.trim_end_matches('/').to_owned(), kind }
    }

    /// The paths that are laid, and the settings.
    fn split(paths: &[&str]) -> (Vec<String>, Vec<String>) {
        let entries = paths.iter().map(|path| entry(path)).collect();
        let copy = WorkspaceCopy { entries, ..WorkspaceCopy::default() };
        let submission = copy.submission();
        let paths = |of: Vec<&TreeEntry>| of.into_iter().map(|entry| entry.path.clone()).collect();
        (paths(submission.laid), paths(submission.settings))
    }

    #[test]
    fn what_git_would_obey_is_no_data() {
        let (laid, settings) = split(&[
            ".git/",
            ".git/HEAD",
            ".git/config",
            ".git/hooks/",
            ".git/hooks/pre-commit",
            ".git/info/attributes",
            ".git/modules/",
            ".git/modules/x/config",
            ".git/objects/ab/cd",
            ".git/objects/info/alternates",
            ".git/refs/heads/config",
            "app/config",
            "app/hooks/x",
            "sub/.git",
        ]);
        let data = [".git", ".git/HEAD", ".git/objects/ab/cd", ".git/refs/heads/config"];
        assert_eq!(laid, [&data[..], &["app/config", "app/hooks/x"]].concat());
        let left = [".git/config", ".git/hooks", ".git/info/attributes", ".git/modules"];
        assert_eq!(settings, [&left[..], &[".git/objects/info/alternates", "sub/.git"]].concat());
    }

    /// git takes a directory for a repository without its usual name: a bare one, or one whose settings
    /// are those of another directory.
    #[test]
    fn a_repository_of_any_name_has_no_settings() {
        let (laid, settings) = split(&["HEAD", "commondir", "config", "objects/", "x/config"]);
        assert_eq!(
            (laid.join(" "), settings.join(" ")),
            ("HEAD objects x/config".to_owned(), "commondir config".to_owned(),)
        );
        let (laid, settings) = split(&["a/b.git/HEAD", "a/b.git/hooks/", "a/config"]);
        assert_eq!(
            (laid.join(" "), settings.join(" ")),
            ("a/b.git/HEAD a/config".to_owned(), "a/b.git/hooks".to_owned(),)
        );
    }
}

//! What of a workspace is not judged, in words: for the checks as a file, and behind what a failed
//! check has said. The agent has made these names, and as many as it wanted. So both are bounded, and
//! both begin with what matters.

use crate::model::{FileComparison, SkippedEntry, Task, TreeEntry, TreeEntryKind, WorkspaceCopy};
use crate::task::path_matches;

/// Lines that a failed check lists, at most, and characters of each.
const LINES_TOLD: usize = 5;
const LINE_TOLD: usize = 120;
/// Characters of a link's target that are listed.
const LONGEST_TARGET: usize = 256;
/// Bytes of all lines.
const LEFT_OUT_BYTES: usize = 256 << 10;
/// Characters of a check's output in which names are looked for.
const LOOKED_AT: usize = 4_000;

/// What is left out of one workspace.
#[derive(Debug, Default)]
pub(super) struct LeftOutList {
    /// Those that a comparison of the task names come first, then links, then settings of git, then
    /// special files and odd names.
    lines: Vec<LeftOutLine>,
    /// Lines that had no room.
    more: usize,
    /// Special files and odd names. Only the first have lines of their own.
    skipped: u32,
}

/// One entry that is left out.
#[derive(Debug)]
struct LeftOutLine {
    path: String,
    text: String,
    /// A comparison of the task is about this place.
    is_compared: bool,
}

impl LeftOutList {
    pub(super) fn of(task: &Task, copy: &WorkspaceCopy) -> Self {
        let submission = copy.submission();
        let left = submission.links.into_iter().chain(submission.settings);
        let mut lines: Vec<LeftOutLine> = left.map(|entry| LeftOutLine::of(task, entry)).collect();
        lines.extend(copy.skipped_entries.iter().map(|entry| LeftOutLine::skipped(task, entry)));
        lines.sort_by_key(|line| !line.is_compared);
        let mut room = LEFT_OUT_BYTES;
        let fits = |line: &&LeftOutLine| {
            room = room.saturating_sub(line.text.len());
            room > 0
        };
        let fitting = lines.iter().take_while(fits).count();
        let more = lines.len() - fitting;
        lines.truncate(fitting);
        Self { lines, more, skipped: copy.skipped }
    }

    /// The content of the file with the whole list.
    pub(super) fn file(&self) -> String {
        let mut lines: Vec<&str> = self.lines.iter().map(|line| line.text.as_str()).collect();
        let (others, more) = (self.others(), format!("and {} more", self.more));
        lines.extend(others.as_deref());
        lines.extend((self.more > 0).then_some(more.as_str()));
        lines.into_iter().map(|line| format!("{line}\n")).collect()
    }

    /// What a failed check tells of the list, on one line; none if nothing is left out. `said` is the
    /// check with what it wrote: what is named there comes first.
    pub(super) fn told(&self, said: &str) -> Option<String> {
        let said: String = said.chars().take(LOOKED_AT).collect();
        let others = self.others();
        let mut lines: Vec<(bool, &LeftOutLine)> =
            self.lines.iter().map(|line| (is_named(&said, &line.path), line)).collect();
        lines.sort_by_key(|(is_named, _)| !is_named);
        let matters = lines.iter().filter(|(is_named, line)| *is_named || line.is_compared).count();
        let mut texts: Vec<&str> = lines.iter().map(|(_, line)| line.text.as_str()).collect();
        if let Some(others) = &others {
            texts.insert(matters.min(LINES_TOLD - 1), others);
        }
        let count = texts.len() + self.more;
        let short = |text: &&str| text.chars().take(LINE_TOLD).collect::<String>();
        let mut shown = texts.iter().take(LINES_TOLD).map(short).collect::<Vec<_>>().join(", ");
        if count > LINES_TOLD {
            shown.push_str(&format!(", and {} more", count - LINES_TOLD));
        }
        (count > 0).then_some(shown)
    }

    /// The line that counts special files and odd names.
    fn others(&self) -> Option<String> {
        let skipped = self.skipped;
        let line = || format!("{skipped} other entries: FIFOs, sockets, devices, odd names");
        (skipped > 0).then(line)
    }
}

impl LeftOutLine {
    fn of(task: &Task, entry: &TreeEntry) -> Self {
        let name = entry.path.escape_debug();
        let text = match &entry.kind {
            TreeEntryKind::Symlink { target } => {
                let target: String = target.chars().take(LONGEST_TARGET).collect();
                format!("{name} -> {}", target.escape_debug())
            }
            _ => format!("{name}: a setting of git"),
        };
        Self { path: entry.path.clone(), text, is_compared: is_compared(task, &entry.path) }
    }

    /// The line of an entry that was not copied.
    fn skipped(task: &Task, entry: &SkippedEntry) -> Self {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let text = format!("{}: {}", entry.shown_path(), entry.kind.words());
        Self { text, is_compared: is_compared(task, &path), path }
    }
}

/// Whether a comparison of the task is about a place.
fn is_compared(task: &Task, path: &str) -> bool {
    let verification = &task.verification;
    let checks = verification.checks.iter().chain(&verification.milestones);
    checks.filter_map(|check| check.compare.as_ref()).any(|compare| match compare {
        FileComparison::Same { path: compared, .. } => compared == path,
        FileComparison::Unchanged(globs)
        | FileComparison::Absent(globs)
        | FileComparison::Present(globs) => globs.iter().any(|glob| path_matches(glob, path)),
    })
}

/// Whether a text has a path as a word.
fn is_named(text: &str, path: &str) -> bool {
    let is_apart = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || "_-.".contains(c)));
    let after = |at: usize| text[at + path.len()..].chars().find(|c| *c != '.');
    let mut places = text.match_indices(path).map(|(at, _)| at);
    places.any(|at| is_apart(text[..at].chars().next_back()) && is_apart(after(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SkippedKind, TaskCheck};
    use crate::testkit::catalog;

    fn link(path: &str, target: &str) -> TreeEntry {
        let kind = TreeEntryKind::Symlink { target: target.to_owned() };
        TreeEntry { path: path.to_owned(), kind }
    }

    /// A task that compares these places.
    fn task(globs: &[&str]) -> Task {
        let mut task = catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
        let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
        task.verification.checks = vec![TaskCheck {
            name: "there".to_owned(),
            weight: 1.0,
            run: String::new(),
            part: None,
            compare: Some(FileComparison::Present(globs)),
        }];
        task
    }

    fn list(globs: &[&str], entries: Vec<TreeEntry>, skipped: u32) -> LeftOutList {
        let copy = WorkspaceCopy { entries, skipped, ..WorkspaceCopy::default() };
        LeftOutList::of(&task(globs), &copy)
    }

    /// The agent makes these texts: the list must fit into the judge's sandbox, whatever they are.
    #[test]
    fn the_list_is_bounded() {
        let entries = (0..7_500).map(|at| link(&format!("link-{at}"), &"\u{1}".repeat(4_000)));
        let file = list(&[], entries.collect(), 3).file();
        assert!(file.starts_with("link-0 -> \\u{1}"), "{}", &file[..20]);
        assert!(file.len() < LEFT_OUT_BYTES + 1_000, "{}", file.len());
        let last: Vec<&str> = file.lines().rev().take(2).collect();
        let more = 7_500 - (file.lines().count() - 2);
        let expected = "3 other entries: FIFOs, sockets, devices, odd names";
        assert_eq!(last, [format!("and {more} more").as_str(), expected]);
    }

    #[test]
    fn what_matters_comes_first_and_the_rest_is_counted() {
        let mut entries: Vec<_> = (0..9).map(|at| link(&format!("a{at}"), "/x")).collect();
        entries.extend([link("out/report", "/y"), link("tool/run", "/z")]);
        let left_out = list(&["out/*"], entries, 2);
        assert!(left_out.file().starts_with("out/report -> /y\na0 -> /x\n"));
        let others = "2 other entries: FIFOs, sockets, devices, odd names";
        let told = format!("out/report -> /y, {others}, a0 -> /x, a1 -> /x, a2 -> /x, and 7 more");
        assert_eq!(left_out.told("nothing"), Some(told));
        let told =
            format!("tool/run -> /z, out/report -> /y, {others}, a0 -> /x, a1 -> /x, and 7 more");
        assert_eq!(left_out.told("sh /sealed/check.sh\nno file tool/run."), Some(told));
    }

    /// What is no file has a name too, and the agent has chosen its bytes.
    #[test]
    fn special_files_and_odd_names_are_told() {
        let skipped = |path: &[u8], kind| SkippedEntry { path: path.to_vec(), kind };
        let skipped_entries = vec![
            skipped(b"a\x1b[2J\xff", SkippedKind::OddName),
            skipped(b"out/pipe", SkippedKind::Fifo),
        ];
        let copy = WorkspaceCopy { skipped: 7, skipped_entries, ..WorkspaceCopy::default() };
        let left_out = LeftOutList::of(&task(&["out/*"]), &copy);
        let (pipe, odd) = ("out/pipe: a FIFO", "a\\u{1b}[2J\\xff: a name that is not UTF-8");
        let others = "7 other entries: FIFOs, sockets, devices, odd names";
        assert_eq!(left_out.file(), format!("{pipe}\n{odd}\n{others}\n"));
        assert_eq!(left_out.told(""), Some(format!("{pipe}, {others}, {odd}")));
    }

    #[test]
    fn names_are_words() {
        for (text, path, named) in [
            ("no file at out/a.txt.", "out/a.txt", true),
            ("/sealed/submission/out/a", "out/a", true),
            ("about", "out", false),
            ("out-2", "out", false),
            ("", "out", false),
        ] {
            assert_eq!(is_named(text, path), named, "{text}");
        }
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        let left_out = list(&["**"], Vec::new(), 0);
        assert_eq!((left_out.file(), left_out.told("")), (String::new(), None));
    }
}

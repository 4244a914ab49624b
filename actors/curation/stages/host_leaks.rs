//! Stage `host-leaks`: what tells of the machine that made the rows: home directories of its users, its temporary
//! directories, and given names of users and hosts.

use super::allow_list::AllowList;
use super::byte_set::{ByteSet, before, begins_word, ends_word};
use super::given_names::GivenNames;
use super::gram_filter::GramFilter;
use crate::curation::{TextFinder, TextMatch, TextSource};

/// What looks at the place of a literal.
type LeakCheck = fn(&str, usize) -> Option<TextMatch>;

/// The literals of paths, each with what looks at its place.
const PATHS: &[(&str, LeakCheck)] = &[
    ("/home/", linux_home),
    ("/root/", root_home),
    ("/Users/", mac_home),
    (":\\Users\\", windows_home),
    (":\\\\Users\\\\", windows_home),
    ("/var/folders/", mac_temporary),
    ("/tmp/synthd-", engine_temporary),
    ("/tmp/.tmp", engine_temporary),
];

/// Users of sandboxes, and names that documentation uses.
const NOBODY: &[&str] =
    &["agent", "judge", "user", "username", "you", "yourname", "your-name", "me"];
/// Directories beside those of users.
const SHARED: &[&str] = &["Shared", "Public", "Default", "Guest"];

/// The characters of a user's name in a path.
const USER: ByteSet = ByteSet::WORD.with(".-");
/// The characters of a path.
const PATH: ByteSet = ByteSet::WORD.with(".-+/@");

/// Finds traces of the machine.
pub(super) struct HostLeaks {
    filter: GramFilter,
    names: GivenNames,
    allowed: AllowList,
}

impl HostLeaks {
    /// A finder of paths and of these names, that leaves what `allow` says.
    pub(super) fn new(names: &[String], allow: &[String]) -> Self {
        let filter = GramFilter::new(PATHS.iter().map(|(literal, _)| *literal));
        Self { filter, names: GivenNames::new(names), allowed: AllowList::new(allow) }
    }
}

impl TextFinder for HostLeaks {
    fn find(&self, text: &str, _: TextSource) -> Vec<TextMatch> {
        let mut found = Vec::new();
        self.filter.scan(text.as_bytes(), |number, at| {
            // The filter does not tell upper from lower case.
            let (literal, check) = PATHS[number];
            if text[at..].starts_with(literal) {
                found.extend(check(text, at));
            }
        });
        self.names.scan(text, "host-name", &mut found);
        self.allowed.settle(text, found)
    }
}

/// Whether a path may begin here: the text in front is no other path.
fn begins_path(bytes: &[u8], at: usize) -> bool {
    let is_other = |byte: u8| ByteSet::of(".-~}$*").contains(byte);
    begins_word(bytes, at) && !before(bytes, at).is_some_and(is_other)
}

/// The directory of a user, whose name begins at `begin`.
fn home(text: &str, at: usize, begin: usize, nobody: &[&str]) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let name = text.get(begin..begin + USER.run(bytes, begin, 64))?;
    let name = name.trim_end_matches(['.', '-']);
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let is_open = NOBODY.iter().chain(nobody).any(|open| name.eq_ignore_ascii_case(open));
    let end = begin + name.len();
    (is_name && !is_open && ends_word(bytes, end))
        .then_some(TextMatch { at: at..end, what: "home-directory" })
}

fn linux_home(text: &str, at: usize) -> Option<TextMatch> {
    let is_path = begins_path(text.as_bytes(), at);
    if is_path { home(text, at, at + "/home/".len(), &[]) } else { None }
}

fn mac_home(text: &str, at: usize) -> Option<TextMatch> {
    let is_path = begins_path(text.as_bytes(), at);
    if is_path { home(text, at, at + "/Users/".len(), SHARED) } else { None }
}

/// The home of `root`, if there is something in it. The directory itself is on every machine.
fn root_home(text: &str, at: usize) -> Option<TextMatch> {
    let (bytes, end) = (text.as_bytes(), at + "/root".len());
    let has_more = bytes.get(end + 1).is_some_and(|byte| USER.contains(*byte));
    (begins_path(bytes, at) && has_more)
        .then_some(TextMatch { at: at..end, what: "home-directory" })
}

/// `C:\Users\NAME`, also with escaped separators. The drive stands in front of `at`.
fn windows_home(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let drive = at.checked_sub(1).filter(|drive| begins_word(bytes, *drive))?;
    let is_drive = ByteSet::LETTERS.contains(bytes[drive]);
    let separators = ByteSet::of("\\");
    let users = at + 1 + separators.run(bytes, at + 1, 2);
    let begin = users + "Users".len();
    let begin = begin + separators.run(bytes, begin, 2);
    if is_drive { home(text, drive, begin, SHARED) } else { None }
}

/// A whole path that begins at `at`.
fn path(text: &str, at: usize, least: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let length = PATH.run(bytes, at, 512);
    let said = text.get(at..at + length)?.trim_end_matches(['.', '-', '/', '@', '+']);
    let is_path = begins_path(bytes, at) && said.len() > least;
    is_path.then(|| TextMatch { at: at..at + said.len(), what: "temporary-directory" })
}

fn mac_temporary(text: &str, at: usize) -> Option<TextMatch> {
    path(text, at, "/var/folders/".len())
}

/// The directory alone: what is in it may belong to the task.
fn engine_temporary(text: &str, at: usize) -> Option<TextMatch> {
    let whole = path(text, at, "/tmp/.tmp".len())?;
    let name = at + "/tmp/".len();
    let length = USER.run(text.as_bytes(), name, 128);
    Some(TextMatch { at: at..whole.at.end.min(name + length), what: whole.what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<&str> {
        let names = ["build-7".to_owned(), "ada".to_owned()];
        let finder = HostLeaks::new(&names, &["/home/ci".to_owned()]);
        let all = finder.find(text, TextSource::Shown);
        all.into_iter().map(|one| &text[one.at]).collect()
    }

    #[test]
    fn homes_temporary_directories_and_names_are_found() {
        let cases: [(&str, &[&str]); 9] = [
            ("File \"/home/quill/x.py\", line 3", &["/home/quill"]),
            ("cd /home/quill.b; ls", &["/home/quill.b"]),
            ("in /root/.cargo/bin", &["/root"]),
            ("PATH=/Users/quill/bin:/Users/Shared/x", &["/Users/quill"]),
            (
                "at C:\\Users\\Quill\\x and d:\\\\Users\\\\q",
                &["C:\\Users\\Quill", "d:\\\\Users\\\\q"],
            ),
            ("/var/folders/zz/zyx/T/tmp.1.", &["/var/folders/zz/zyx/T/tmp.1"]),
            ("'/tmp/synthd-guest-1000/a'", &["/tmp/synthd-guest-1000"]),
            ("/tmp/.tmpQ1w2E3/work", &["/tmp/.tmpQ1w2E3"]),
            ("Ada@BUILD-7 file:///home/quill", &["Ada", "BUILD-7", "/home/quill"]),
        ];
        cases.iter().for_each(|(text, all)| assert_eq!(found(text), *all, "{text}"));
    }

    #[test]
    fn the_sandbox_and_paths_of_other_kinds_are_left() {
        let none = [
            "/home/agent/x",
            "/home/agent",
            "cd /home/ && ls",
            "/home/<name>",
            "/home/$USER",
            "/home/user/x",
            "root:x:0:0:root:/root:/bin/sh",
            "/app/root/x",
            "ls /root",
            "https://quill.dev/home/page",
            "./home/x",
            "GET /Users/42",
            "/users/quill",
            "/Users/Shared/x",
            "/Users/{id}",
            "/tmp/x",
            "/tmp/synthd",
            "/work/home/x",
            "/home/ci/x",
            "C:\\Users\\Public\\x",
            "adas build-70",
            "$PREFIX/home/x",
            "/home/judge/x",
            "~/home/x",
        ];
        none.iter().for_each(|text| assert!(found(text).is_empty(), "{text}: {:?}", found(text)));
    }

    proptest! {
        #[test]
        fn passages_are_in_order_and_at_boundaries_of_characters(
            text in "(/home/|/Users/|[A-Z]:\\\\Users\\\\|/root/|/var/folders/|/tmp/synthd-|[a-z.é \\\\/]){0,30}",
        ) {
            let mut end = 0;
            for one in HostLeaks::new(&[], &[]).find(&text, TextSource::Shown) {
                prop_assert!(one.at.start >= end && one.at.end > one.at.start);
                prop_assert!(text.get(one.at.clone()).is_some());
                end = one.at.end;
            }
        }
    }
}

//! The names of a project that a side of a merge may change, and what it changes them to. A name is changed by
//! its letters, wherever it stands as a word in the sources, so it must mean one and the same function there.

use super::draw::TaskRng;
use super::pack_git::{function_name, shuffle};
use super::project_state::{has_word, word_places};
use crate::pack::{PackFile, PackRunner, ProjectPack};
use std::collections::{BTreeMap, BTreeSet};

/// What may be added to the name of a helper.
const ENDINGS: [&str; 5] = ["_of", "_once", "_here", "_again", "_part"];
/// What stands before a name that is a member of something, or is put into a text.
const MEMBERS: [char; 5] = ['.', '>', '"', '\'', '`'];
/// What stands behind the first part of a name that is put together while the program runs, or is built.
const PUT_TOGETHER: [char; 5] = ['$', '#', '"', '\'', '`'];

/// Helpers that may have another name.
pub(super) fn helpers(pack: &ProjectPack) -> Vec<String> {
    match pack.head.runner {
        PackRunner::Unittest => defined_helpers(pack),
        PackRunner::Cases => known_helpers(pack),
    }
}

/// Helpers of a project in any language: functions of entries, of which nothing but sources speaks. Their
/// names have several parts, so that they are no words of the language or of its library.
fn known_helpers(pack: &ProjectPack) -> Vec<String> {
    let (sources, others): (Vec<&PackFile>, Vec<&PackFile>) =
        pack.files.iter().partition(|file| pack.head.is_source(&file.path));
    let mut functions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for change in pack.faults.iter().chain(&pack.stubs) {
        functions.entry(function_name(&change.function)).or_default().insert(&change.function);
    }
    functions.retain(|name, whole| {
        let is_free = !others.iter().any(|file| has_word(&file.content, name));
        whole.len() == 1 && !first_parts(name).is_empty() && is_free && is_plain(name, &sources)
    });
    functions.into_keys().map(str::to_owned).collect()
}

/// Whether a name is called by its letters alone: it stands at two places at least, is nowhere a member of
/// something or a part of a text, and is nowhere put together.
fn is_plain(name: &str, sources: &[&PackFile]) -> bool {
    let stands_plain = |text: &str, at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| MEMBERS.contains(&c))
    };
    let is_put_together = |text: &str, part: &str| {
        let mut ends = text.match_indices(part).filter_map(|(at, _)| text.get(at + part.len()..));
        ends.any(|after| after.starts_with(PUT_TOGETHER))
    };
    let mut count = 0;
    for file in sources {
        let text = file.content.as_str();
        let all_plain = word_places(text, name).all(|at| stands_plain(text, at));
        if !all_plain || first_parts(name).iter().any(|part| is_put_together(text, part)) {
            return false;
        }
        count += word_places(text, name).count();
    }
    count > 1
}

/// The beginnings of a name with several parts: `read_` of `read_date`, and `read` of `readDate`.
fn first_parts(name: &str) -> Vec<&str> {
    let inner = name.char_indices().filter(|(at, _)| 0 < *at && at + 1 < name.len());
    let ends = inner.filter_map(|(at, c)| match c {
        '_' => Some(at + 1),
        _ if c.is_ascii_uppercase() => Some(at),
        _ => None,
    });
    ends.filter_map(|end| name.get(..end)).collect()
}

/// Helpers that may have another name: private functions of which there is one, and of which nothing but
/// sources speaks.
fn defined_helpers(pack: &ProjectPack) -> Vec<String> {
    let (sources, others): (Vec<&PackFile>, Vec<&PackFile>) =
        pack.files.iter().partition(|file| pack.head.is_source(&file.path));
    let defined = sources.iter().flat_map(|file| {
        let after = file.content.match_indices("def _").map(|(at, _)| at + "def ".len());
        let names = after.filter_map(|at| file.content.get(at..)?.split('(').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for name in defined {
        *times.entry(name).or_default() += 1;
    }
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_private = |name: &str| is_plain(name) && !name.starts_with("__");
    let is_spoken_of = |name: &str| others.iter().any(|file| has_word(&file.content, name));
    times.retain(|name, count| *count == 1 && is_private(name) && !is_spoken_of(name));
    times.into_keys().collect()
}

/// Another name for a helper that nothing has yet.
pub(super) fn new_name(pack: &ProjectPack, old: &str, rng: &mut TaskRng) -> Option<String> {
    let mut endings = ENDINGS.to_vec();
    shuffle(&mut endings, rng);
    let is_new = |name: &String| !pack.files.iter().any(|file| has_word(&file.content, name));
    endings.into_iter().map(|ending| format!("{old}{ending}")).find(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(content: &str) -> PackFile {
        PackFile { path: "a".to_owned(), content: content.to_owned(), executable: false }
    }

    #[test]
    fn a_name_with_several_parts_has_beginnings() {
        assert_eq!(first_parts("read_the_date"), ["read_", "read_the_"]);
        assert_eq!(first_parts("readDate"), ["read"]);
        assert_eq!(first_parts("_date"), [""; 0]);
        assert_eq!(first_parts("date_"), [""; 0]);
        assert_eq!(first_parts("date"), [""; 0]);
    }

    #[test]
    fn a_name_is_plain_if_it_is_called_by_its_letters_alone() {
        let is_plain_in = |content: &str| is_plain("read_date", &[&source(content)]);
        assert!(is_plain_in("read_date() {\n}\nread_date 1\n"));
        assert!(!is_plain_in("read_date() {\n}\n"), "nothing calls it");
        assert!(!is_plain_in("read_date()\nread_date(1)\ndates.read_date(2)\n"));
        assert!(!is_plain_in("read_date()\nread_date(1)\ncall(\"read_date\")\n"));
        assert!(!is_plain_in("read_date() {\n}\nread_date 1\nread_$kind 1\n"));
        assert!(!is_plain_in("int read_date(int);\nread_date(1);\n#define READ(x) read_##x\n"));
    }
}

//! Whether sources can still be built when several changes stand in them at once. Each change was tried
//! alone, and the groups of a pack together; a history puts changes together that nobody has tried. Go
//! refuses a source that imports a package and does not use it: two changes may take both uses away, and
//! then every case fails, at commits that have not the fault.

use super::project_state::{file_of, word_places};
use crate::pack::{PackChange, PackFile, PackLanguage, ProjectPack};
use std::collections::BTreeSet;

/// Whether any of these changes can stand in the sources together.
pub(super) fn can_stand_together(pack: &ProjectPack, changes: &[&PackChange]) -> bool {
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.file.as_str()).collect();
    pack.head.language != PackLanguage::Go
        || paths.into_iter().all(|path| {
            let of = changes.iter().copied().filter(|change| change.file == path);
            let of: Vec<&PackChange> = of.collect();
            file_of(pack, path).is_none_or(|file| of.len() < 2 || keeps_imports(file, &of))
        })
}

/// Whether what no change touches uses all imports of a source of Go. Then it does so with all changes,
/// and with some of them.
fn keeps_imports(file: &PackFile, changes: &[&PackChange]) -> bool {
    let kept = outside(&file.content, changes);
    imported_names(&file.content).into_iter().all(|name| is_used(&kept, name))
}

/// A text without the places of changes, and without comments.
fn outside(content: &str, changes: &[&PackChange]) -> String {
    let mut places: Vec<(usize, usize)> = changes.iter().map(|change| change.at).collect();
    places.sort_unstable();
    let (mut kept, mut done) = (String::new(), 0);
    for (start, end) in places {
        kept.push_str(content.get(done..start).unwrap_or_default());
        done = done.max(end);
    }
    kept.push_str(content.get(done..).unwrap_or_default());
    let code = kept.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The names under which a source of Go uses its imports, as far as its text says them.
fn imported_names(content: &str) -> Vec<&str> {
    let (mut names, mut is_open) = (Vec::new(), false);
    for line in content.lines().map(str::trim) {
        let spec = line.strip_prefix("import ").map(str::trim);
        is_open = (is_open || spec == Some("(")) && line != ")";
        names.extend(spec.or(is_open.then_some(line)).and_then(imported_name));
    }
    names
}

/// The name of one import, such as `"fmt"` or `text "strings"`. None if it needs no use, or if its path
/// does not say the name of its package.
fn imported_name(spec: &str) -> Option<&str> {
    let (name, rest) = spec.split_once('"')?;
    let path = rest.split('"').next()?;
    let last = path.rsplit('/').next()?;
    let is_version = last.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
    match name.trim() {
        "" if !is_version && is_word(last) => Some(last),
        "_" => None,
        name => is_word(name).then_some(name),
    }
}

/// Whether a text is a name without anything else.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a text has a name with a dot behind it.
fn is_used(text: &str, name: &str) -> bool {
    let mut places = word_places(text, name);
    places.any(|at| text.get(at + name.len()..).is_some_and(|after| after.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::FailureSign;

    const SOURCE: &str = "\
package main

import (
\t\"fmt\"
\ttext \"strings\"
\t_ \"embed\"
\t\"example.net/some/v2\"
)
import \"sort\"

// fmt.Println is not called here.
func one() { fmt.Print(1) }
func two() { fmt.Print(2); sort.Ints(nil) }
func three() { text.Fields(\"\"); sort.Ints(nil) }
";

    fn file() -> PackFile {
        PackFile { path: "a.go".to_owned(), content: SOURCE.to_owned(), executable: false }
    }

    /// A change that takes a text away.
    fn without(text: &str) -> PackChange {
        let start = SOURCE.find(text).unwrap();
        PackChange {
            id: text.to_owned(),
            file: "a.go".to_owned(),
            at: (start, start + text.len()),
            text: String::new(),
            operator: "stmt_drop".to_owned(),
            function: "f".to_owned(),
            failure: FailureSign::Wrong,
            tests: vec![0],
            example: 0,
            says: String::new(),
        }
    }

    #[test]
    fn imports_have_the_names_that_the_source_uses() {
        assert_eq!(imported_names(SOURCE), ["fmt", "text", "sort"]);
    }

    #[test]
    fn two_changes_may_not_take_the_last_uses_of_an_import() {
        let (one, two) = (without("fmt.Print(1)"), without("fmt.Print(2)"));
        assert!(keeps_imports(&file(), &[&one]));
        assert!(!keeps_imports(&file(), &[&one, &two]), "a comment is no use");
        let third = without("text.Fields(\"\"); ");
        assert!(!keeps_imports(&file(), &[&third]), "the name is the one given to the import");
    }
}

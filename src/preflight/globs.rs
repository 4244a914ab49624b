//! Finds globs in `[tasks]` that match no template id. The reason is usually a typing mistake, or a
//! template directory that was not named. For example, with the shipped templates `debuging/*`
//! matches nothing, and the finding asks whether `debugging/*` was meant.

use crate::error::{Code, Error};
use crate::templates::nothing_matches;
use crate::word_suggestion::closest;
use std::collections::BTreeSet;
use synthd_actors::model::TaskSelection;
use synthd_actors::task::{Catalog, glob_matches};

/// One finding for each glob of `templates` and `exclude` that matches no template. If nothing at
/// all is selected, one finding says so and carries the others. An empty list means that all is well.
pub fn unmatched(catalog: &Catalog, tasks: &TaskSelection) -> Vec<Error> {
    let of = |key: &'static str, globs: &[String]| -> Vec<Error> {
        let lost = globs.iter().filter(|glob| !catalog.ids().any(|id| glob_matches(glob, id)));
        lost.map(|glob| unmatched_glob(catalog, key, glob)).collect()
    };
    let (mut findings, excluded) =
        (of("templates", &tasks.templates), of("exclude", &tasks.exclude));
    if !catalog.select(&tasks.templates, &tasks.exclude).is_empty() {
        findings.extend(excluded);
        return findings;
    }
    // With a single glob, the finding "no template matches" names it already. A second finding for
    // the same glob would repeat it.
    if tasks.templates.len() == 1 {
        findings.clear();
    }
    findings.extend(excluded);
    vec![nothing_matches(&tasks.templates).with_others(findings)]
}

/// The finding for one glob. `key` is the key of the file: `templates` or `exclude`.
fn unmatched_glob(catalog: &Catalog, key: &str, glob: &str) -> Error {
    let what = format!("[tasks] {key}: {glob:?} matches no template");
    Error::new(Code::GlobUnmatched, what).hint(match near(catalog, glob) {
        Some(near) => format!("did you mean {near:?}? `synthd template list` shows every id"),
        None => "`synthd template list` shows every id; your own templates need --templates or \
             tasks.template_dirs"
            .to_owned(),
    })
}

/// The known id, or the glob over a whole category such as `git/*`, that is nearest to what the
/// user wrote. None if nothing is near.
fn near(catalog: &Catalog, glob: &str) -> Option<String> {
    let whole: BTreeSet<String> = catalog
        .ids()
        .filter_map(|id| id.split_once('/').map(|(category, _)| format!("{category}/*")))
        .collect();
    let known = catalog.ids().chain(whole.iter().map(String::as_str));
    closest(glob, known).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(templates: &[&str], exclude: &[&str]) -> Vec<String> {
        let catalog = crate::templates::load(&[]).unwrap();
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        let (templates, exclude) = (owned(templates), owned(exclude));
        let tasks = TaskSelection {
            templates,
            exclude,
            template_dirs: vec![],
            per_template: 1,
            draw: Default::default(),
            samples: Default::default(),
        };
        unmatched(&catalog, &tasks).iter().map(Error::report).collect()
    }

    #[test]
    fn every_glob_must_match() {
        assert_eq!(found(&["**"], &[]), [""; 0]);
        assert_eq!(found(&["debugging/*"], &["git/*"]), [""; 0]);
        let told = found(&["debugging/*", "debuging/*"], &["secruity/*"]);
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains("[tasks] templates: \"debuging/*\" matches no template"));
        assert!(told[0].contains("did you mean \"debugging/*\"?"), "{}", told[0]);
        assert!(told[1].contains("[tasks] exclude: \"secruity/*\""), "{}", told[1]);
        let told = found(&["nothing/here"], &[]);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains("SYN-0104"), "{}", told[0]);
    }

    #[test]
    fn a_mistake_in_exclude_is_told_beside_an_empty_selection() {
        for templates in ["nothing/here", "git/*"] {
            let told = found(&[templates], &["git/*", "secruity/*"]);
            assert_eq!(told.len(), 1, "{told:#?}");
            assert!(told[0].contains("SYN-0104"), "{}", told[0]);
            assert!(told[0].contains("[tasks] exclude: \"secruity/*\""), "{}", told[0]);
            assert!(!told[0].contains("[tasks] templates:"), "{}", told[0]);
        }
    }
}

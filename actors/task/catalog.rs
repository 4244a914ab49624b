//! The catalog: all templates that a campaign can use, by id.

use super::{ContainerTask, MeasuredDifficulty, Template, TemplateError, TemplateFolder};
use crate::pack::{EmptyShelf, PackShelf};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Templates by id, sorted by id. A task of a container is a template that makes one task.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    templates: BTreeMap<String, Arc<Template>>,
    /// Tasks of containers that cannot be used, by their ids or places, with the reasons.
    refused: BTreeMap<String, String>,
}

impl Catalog {
    /// Reads `(id, text)` pairs of templates in one file each. See [`Catalog::read_folders`].
    pub fn read<'a>(
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<TemplateError>> {
        let single = |(id, text): (&'a str, &'a str)| {
            (id, Arc::new(TemplateFolder::single(text.as_bytes().to_vec())))
        };
        Self::read_folders(sources.into_iter().map(single))
    }

    /// Reads templates from their files. A later template replaces an earlier one with the same id, so
    /// that a user's directory can override a shipped template. Err has all errors of all templates.
    pub fn read_folders<'a>(
        sources: impl IntoIterator<Item = (&'a str, Arc<TemplateFolder>)>,
    ) -> Result<Self, Vec<TemplateError>> {
        Self::read_with_packs(sources, &EmptyShelf)
    }

    /// The same for templates that may take their tasks from these packs.
    pub fn read_with_packs<'a>(
        sources: impl IntoIterator<Item = (&'a str, Arc<TemplateFolder>)>,
        shelf: &dyn PackShelf,
    ) -> Result<Self, Vec<TemplateError>> {
        let mut catalog = Self::default();
        let mut errors = Vec::new();
        for (id, folder) in sources {
            match Template::read_with_packs(id, folder, shelf) {
                Ok(template) => {
                    catalog.templates.insert(id.to_owned(), Arc::new(template));
                }
                Err(mistakes) => errors.extend(mistakes),
            }
        }
        if errors.is_empty() { Ok(catalog) } else { Err(errors) }
    }

    /// The templates of both catalogs. If both have an id, that of `others` is used.
    #[must_use]
    pub fn with(&self, others: Self) -> Self {
        let mut both = self.clone();
        both.templates.extend(others.templates);
        both.refused.extend(others.refused);
        both
    }

    /// The same templates with what calibrations have found out. `measured` has it by id, with the
    /// digest of the edition that was calibrated; another edition stays as it declares.
    #[must_use]
    pub fn calibrated<'a>(
        &self,
        measured: impl IntoIterator<Item = (&'a str, &'a str, MeasuredDifficulty)>,
    ) -> Self {
        let mut catalog = self.clone();
        for (id, digest, found) in measured {
            if let Some(template) = catalog.templates.get_mut(id)
                && template.digest() == digest
            {
                Arc::make_mut(template).measured = Some(found);
            }
        }
        catalog
    }

    /// The catalog of tasks of containers. A task whose id another one has is refused. `refused` are
    /// those that cannot be used, with the reasons.
    pub fn of_containers(
        tasks: impl IntoIterator<Item = ContainerTask>,
        refused: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut catalog = Self { refused: refused.into_iter().collect(), ..Self::default() };
        for task in tasks {
            let id = task.task.template.clone();
            match catalog.templates.entry(id) {
                Entry::Occupied(known) => {
                    let digest: String = task.task.digest.chars().take(12).collect();
                    let place = format!("{} ({digest})", known.key());
                    catalog.refused.insert(place, "another task has this name".to_owned());
                }
                Entry::Vacant(place) => {
                    place.insert(Arc::new(Template::of_container(task)));
                }
            }
        }
        catalog
    }

    /// The tasks of containers that cannot be used, with the reasons.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.refused.iter().map(|(place, why)| (place.as_str(), why.as_str()))
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Template>> {
        self.templates.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.templates.values()
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    /// The templates that match one of the globs in `include` and none in `exclude`, sorted by id.
    pub fn select(&self, include: &[String], exclude: &[String]) -> Vec<Arc<Template>> {
        let hit = |globs: &[String], id: &str| globs.iter().any(|glob| glob_matches(glob, id));
        self.templates
            .iter()
            .filter(|(id, _)| hit(include, id) && !hit(exclude, id))
            .map(|(_, template)| template.clone())
            .collect()
    }
}

/// Whether an id matches a glob: `*` matches any characters except a slash, `**` any characters,
/// and `?` one byte that is not a slash. For example, `shell/*` matches `shell/sum` but not
/// `shell/a/b`.
///
/// The matcher keeps the set of all positions in the id that the glob can have reached so far. So
/// the work is at most the length of the glob times the length of the id, also for a hostile glob
/// on which backtracking would take for ever.
pub fn glob_matches(glob: &str, id: &str) -> bool {
    reaches_end(glob, id, false)
}

/// Whether the path of a file matches a glob. The glob means the same as in [`glob_matches`], but `**/`
/// stands for no directory as well. For example, `**/*.orig` matches `a.orig` and `x/y/a.orig`.
pub fn path_matches(glob: &str, path: &str) -> bool {
    reaches_end(glob, path, true)
}

/// Whether a glob reaches the end of an id. With `no_directory`, `**/` at the beginning of a part may
/// be left out.
fn reaches_end(glob: &str, id: &str, no_directory: bool) -> bool {
    let mut reached = vec![false; id.len() + 1];
    reached[0] = true;
    let mut rest = glob.as_bytes();
    let mut last = b'/';
    while let [first, tail @ ..] = rest {
        let begins = std::mem::replace(&mut last, *first) == b'/';
        rest = match (first, tail) {
            (b'*', [b'*', b'/', tail @ ..]) if no_directory && begins => {
                let before = reached.clone();
                stretch(&mut reached, id, |_| true);
                advance(&mut reached, id, |byte| byte == b'/');
                reached.iter_mut().zip(before).for_each(|(now, before)| *now |= before);
                last = b'/';
                tail
            }
            (b'*', [b'*', tail @ ..]) => {
                stretch(&mut reached, id, |_| true);
                tail
            }
            (b'*', _) => {
                stretch(&mut reached, id, |byte| byte != b'/');
                tail
            }
            (b'?', _) => {
                advance(&mut reached, id, |byte| byte != b'/');
                tail
            }
            (byte, _) => {
                advance(&mut reached, id, |other| other == *byte);
                tail
            }
        };
    }
    reached[id.len()]
}

/// For `*` and `**`: from a reached position, every later position is reached, as long as `passes`
/// accepts the bytes in between.
fn stretch(reached: &mut [bool], id: &str, passes: impl Fn(u8) -> bool) {
    for (at, byte) in id.bytes().enumerate() {
        reached[at + 1] |= reached[at] && passes(byte);
    }
}

/// For `?` and ordinary characters: each reached position moves on by one byte, if `passes` accepts
/// this byte. It goes from the end to the front, so that each position moves only once.
fn advance(reached: &mut [bool], id: &str, passes: impl Fn(u8) -> bool) {
    for (at, byte) in id.bytes().enumerate().rev() {
        reached[at + 1] = reached[at] && passes(byte);
    }
    reached[0] = false;
}

#[cfg(test)]
mod tests {
    use super::{glob_matches, path_matches};
    use crate::model::Difficulty;
    use crate::task::{MeasuredDifficulty, StepRange};
    use proptest::prelude::*;

    /// What was measured stands in every task; the task itself stays the same.
    #[test]
    fn a_calibration_holds_for_the_edition_that_was_calibrated() {
        let declared = crate::testkit::catalog();
        let letter = declared.get("unit/letter").unwrap();
        let found = |steps| MeasuredDifficulty {
            date: "2026-11-30".to_owned(),
            difficulty: Difficulty::Hard,
            expected_steps: steps,
        };
        let steps = Some(StepRange { min: 11, max: 17 });
        let digest = letter.digest();
        let measured = declared.calibrated([("unit/letter", digest.as_str(), found(steps))]);
        let now = measured.get("unit/letter").unwrap();
        let (before, after) = (letter.task(1, 0).unwrap(), now.task(1, 0).unwrap());
        assert_eq!((before.difficulty, before.expected_steps), (Difficulty::Easy, (2, 9)));
        assert_eq!((after.difficulty, after.expected_steps), (Difficulty::Hard, (11, 17)));
        assert_eq!((&after.id, &after.digest), (&before.id, &before.digest));
        assert_eq!(now.difficulty, Difficulty::Easy, "what is declared stays known");
        let unsolved = declared.calibrated([("unit/letter", digest.as_str(), found(None))]);
        let unsolved = unsolved.get("unit/letter").unwrap().task(1, 0).unwrap();
        assert_eq!((unsolved.difficulty, unsolved.expected_steps), (Difficulty::Hard, (2, 9)));
        let older = [("unit/letter", "another edition", found(None)), ("unit/x", "", found(None))];
        let older = declared.calibrated(older);
        assert_eq!(older.get("unit/letter").unwrap().measured, None);
    }

    #[test]
    fn globs() {
        for (glob, id, expected) in [
            ("**", "shell/a", true),
            ("*", "shell/a", false),
            ("shell/*", "shell/a", true),
            ("shell/*", "shell/a/b", false),
            ("*/a", "shell/a", true),
            ("shell/?", "shell/ab", false),
            ("shell/a", "shell/a", true),
            ("**/b", "shell/a/b", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob_matches(glob, id), expected, "{glob} {id}");
        }
    }

    #[test]
    fn globs_of_files() {
        for (glob, path, expected) in [
            ("**/*.orig", "a.orig", true),
            ("**/*.orig", "x/y/a.orig", true),
            ("**/*.orig", "x/a.orig/b", false),
            ("data/**/a", "data/a", true),
            ("data/**/**/a", "data/x/a", true),
            ("**/a/**/b", "x/a/b", true),
            ("data/**", "data", false),
            ("data/**", "data/x/y", true),
            ("x**/a", "xa", false),
            ("*", "a/b", false),
        ] {
            assert_eq!(path_matches(glob, path), expected, "{glob} {path}");
        }
    }

    /// A matcher that tries one way after the other would not come back.
    #[test]
    fn a_hostile_glob_costs_no_more_than_its_length() {
        let id = format!("{}b", "a".repeat(200));
        for part in ["**a", "*a", "**a*", "**/"] {
            assert!(!glob_matches(&format!("{}c", part.repeat(100)), &id), "{part}");
            assert!(!path_matches(&format!("{}c", part.repeat(100)), &id), "{part}");
        }
        assert!(glob_matches(&"**".repeat(10_000), &id));
    }

    /// What a glob means, tried way by way.
    fn by_definition(glob: &[u8], id: &[u8]) -> bool {
        let beyond = |rest: &[u8], any: bool| {
            let slash = id.iter().position(|byte| *byte == b'/').filter(|_| !any);
            (0..=slash.unwrap_or(id.len())).any(|skip| by_definition(rest, &id[skip..]))
        };
        match (glob, id) {
            ([], _) => id.is_empty(),
            ([b'*', b'*', rest @ ..], _) => beyond(rest, true),
            ([b'*', rest @ ..], _) => beyond(rest, false),
            ([b'?', rest @ ..], [byte, id @ ..]) => *byte != b'/' && by_definition(rest, id),
            ([byte, rest @ ..], [first, id @ ..]) => byte == first && by_definition(rest, id),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_means_what_it_says(glob in "[ab/*?]{0,7}", id in "[ab/]{0,8}") {
            let expected = by_definition(glob.as_bytes(), id.as_bytes());
            prop_assert_eq!(glob_matches(&glob, &id), expected);
        }
    }
}

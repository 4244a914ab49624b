//! The templates at hand, by id.

use super::{Template, TemplateError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Templates by id, in order.
#[derive(Clone, Debug, Default)]
pub struct Catalog(BTreeMap<String, Arc<Template>>);

impl Catalog {
    /// Reads `(id, text)` pairs; a later one replaces an earlier one of the same id, so a
    /// user's directory may override a shipped template. All errors are collected.
    pub fn read<'a>(
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<TemplateError>> {
        let mut catalog = Self::default();
        let mut errors = Vec::new();
        for (id, text) in sources {
            match Template::parse(id, text) {
                Ok(template) => {
                    catalog.0.insert(id.to_owned(), Arc::new(template));
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(catalog) } else { Err(errors) }
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Template>> {
        self.0.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.0.values()
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Templates that match one of `include` and none of `exclude`.
    pub fn select(&self, include: &[String], exclude: &[String]) -> Vec<Arc<Template>> {
        let hit = |globs: &[String], id: &str| globs.iter().any(|glob| glob_matches(glob, id));
        self.0
            .iter()
            .filter(|(id, _)| hit(include, id) && !hit(exclude, id))
            .map(|(_, template)| template.clone())
            .collect()
    }
}

/// Globs over ids: `*` stands for anything but a slash, `**` for anything, `?` for one
/// character.
pub fn glob_matches(glob: &str, id: &str) -> bool {
    matches(glob.as_bytes(), id.as_bytes())
}

fn matches(glob: &[u8], id: &[u8]) -> bool {
    match glob {
        [] => id.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=id.len()).any(|skip| matches(rest, &id[skip..])),
        [b'*', rest @ ..] => {
            let reach = id.iter().position(|b| *b == b'/').unwrap_or(id.len());
            (0..=reach).any(|skip| matches(rest, &id[skip..]))
        }
        [b'?', rest @ ..] => {
            id.split_first().is_some_and(|(b, id)| *b != b'/' && matches(rest, id))
        }
        [byte, rest @ ..] => id.split_first().is_some_and(|(b, id)| b == byte && matches(rest, id)),
    }
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

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
        ] {
            assert_eq!(glob_matches(glob, id), expected, "{glob} {id}");
        }
    }
}

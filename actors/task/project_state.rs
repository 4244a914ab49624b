//! A project of a pack at a moment of its history: which changes stand in its sources, which of its tests
//! are there, and what was written beside.

use super::pack_draw::window_at;
use super::pack_task::{PackTaskBuilder, laid};
use super::rewording::RewordedStatement;
use super::source_text::is_definition;
use crate::model::FileSpec;
use crate::pack::{NameSites, PackChange, PackFile, PackLanguage, ProjectPack};
use std::collections::{BTreeMap, BTreeSet};

/// The project at a moment. All that differs from the pack's own files is here.
#[derive(Clone)]
pub(super) struct ProjectState<'p> {
    builder: &'p PackTaskBuilder<'p>,
    /// The changes that stand in the sources. Their bytes do not overlap.
    pub(super) changes: Vec<&'p PackChange>,
    /// The numbers of the tests that are not there.
    pub(super) hidden: BTreeSet<usize>,
    /// Comments, by file and place: whole lines before the line that begins there.
    pub(super) comments: BTreeMap<(String, usize), String>,
    /// Statements that are written differently, by file and place. Those that a change takes away are not there.
    pub(super) rewordings: BTreeMap<(String, usize), RewordedStatement>,
    /// Variables of functions that have other names in a file: the new ones, by file and old name.
    pub(super) variables: BTreeMap<(String, String), String>,
    /// What stands at the ends of files.
    pub(super) tails: BTreeMap<String, String>,
    /// Files that the project does not have.
    pub(super) pages: BTreeMap<String, String>,
    /// A helper that has another name in all sources: the old one and the new one.
    pub(super) renamed: Option<(String, String)>,
}

impl<'p> ProjectState<'p> {
    pub(super) fn new(builder: &'p PackTaskBuilder<'p>) -> Self {
        Self {
            builder,
            changes: Vec::new(),
            hidden: BTreeSet::new(),
            comments: BTreeMap::new(),
            rewordings: BTreeMap::new(),
            variables: BTreeMap::new(),
            tails: BTreeMap::new(),
            pages: BTreeMap::new(),
            renamed: None,
        }
    }

    /// Files as they are now. Those that are not there are left out.
    pub(super) fn files<'s>(&self, paths: impl IntoIterator<Item = &'s str>) -> Vec<FileSpec> {
        paths.into_iter().filter_map(|path| self.file(path)).collect()
    }

    /// A file as it is now.
    pub(super) fn file(&self, path: &str) -> Option<FileSpec> {
        if let Some(content) = self.pages.get(path) {
            let (path, content) = (path.to_owned(), content.clone());
            return Some(FileSpec { path, content, mode: 0o644 });
        }
        if self.builder.is_engine_file(path) {
            return self.builder.engine_files().into_iter().find(|file| file.path == path);
        }
        if self.builder.is_away(path, &self.hidden) {
            return None;
        }
        let file = file_of(self.builder.pack, path)?;
        let mut content = match self.builder.pack.head.is_source(path) {
            true => self.part(file, 0, file.content.len()),
            false => self.builder.shown(file, &self.hidden),
        };
        self.add_tail(path, &mut content);
        Some(laid(file, path.to_owned(), content))
    }

    /// The text of a change with whole lines around it that occurs once in its file: without the change,
    /// and with it. Everything else is as it is now, whether the change stands in it or not.
    pub(super) fn window(&self, change: &PackChange) -> Option<(String, String)> {
        let file = file_of(self.builder.pack, &change.file)?;
        let mut others = self.clone();
        others.changes.retain(|other| other.id != change.id);
        let before = others.part(file, 0, change.at.0);
        let mut after = others.part(file, change.at.1, file.content.len());
        self.add_tail(&change.file, &mut after);
        let old = others.part(file, change.at.0, change.at.1);
        let new = self.with_names(&self.changed_text(change));
        let at = (before.len(), before.len() + old.len());
        let (right, wrong) = (format!("{before}{old}{after}"), format!("{before}{new}{after}"));
        window_at(&right, at, &new, &wrong, &[])
    }

    /// The bytes `from` to `to` of a source, with everything that stands in them.
    fn part(&self, file: &PackFile, from: usize, to: usize) -> String {
        let mut edits = self.edits(file);
        edits.retain(|((start, end), _)| from <= *start && *end <= to);
        let (mut text, mut done) = (String::new(), from);
        for ((start, end), new) in edits {
            text.push_str(file.content.get(done..start).unwrap_or_default());
            text.push_str(&new);
            done = end;
        }
        text.push_str(file.content.get(done..to).unwrap_or_default());
        self.with_names(&text)
    }

    /// All bytes of a source that are replaced, in their order, and what stands there. What lies within a
    /// change is not there while the change stands.
    fn edits(&self, file: &PackFile) -> Vec<((usize, usize), String)> {
        let is_here = |path: &String| *path == file.path;
        let changes: Vec<&PackChange> =
            self.changes.iter().copied().filter(|change| is_here(&change.file)).collect();
        let rewordings = self.rewordings.iter().filter(|((path, _), _)| is_here(path));
        let mut edits: Vec<((usize, usize), String)> =
            rewordings.flat_map(|(_, rewording)| rewording.edits.iter().cloned()).collect();
        for ((_, name), new) in self.variables.iter().filter(|((path, _), _)| is_here(path)) {
            let sites = self.sites(name).and_then(|sites| sites.files.get(&file.path));
            let sites = sites.into_iter().flatten();
            edits.extend(sites.map(|site| ((*site, *site + name.len()), new.clone())));
        }
        let is_away = |at: (usize, usize)| {
            changes.iter().any(|change| change.at.0 <= at.0 && at.1 <= change.at.1)
        };
        edits.retain(|(at, _)| !is_away(*at));
        edits.extend(changes.iter().map(|change| (change.at, self.changed_text(change))));
        let comments = self.comments.iter().filter(|((path, _), _)| is_here(path));
        edits.extend(comments.map(|((_, at), line)| ((*at, *at), line.clone())));
        edits.sort_unstable();
        edits
    }

    /// The text of a change with the present names of variables.
    fn changed_text(&self, change: &PackChange) -> String {
        let mut edits: Vec<(usize, usize, &str)> = Vec::new();
        for ((path, name), new) in &self.variables {
            let sites = self.sites(name).and_then(|sites| sites.entries.get(&change.id));
            let sites = sites.into_iter().flatten().filter(|_| *path == change.file);
            edits.extend(sites.map(|site| (*site, site + name.len(), new.as_str())));
        }
        edits.sort_unstable();
        let mut text = change.text.clone();
        for (start, end, new) in edits.into_iter().rev() {
            text.replace_range(start..end, new);
        }
        text
    }

    /// Where a variable stands in the pack.
    fn sites(&self, name: &str) -> Option<&'p NameSites> {
        self.builder.pack.names.iter().find(|sites| sites.name == name)
    }

    /// Adds what stands at the end of a file.
    fn add_tail(&self, path: &str, text: &mut String) {
        let Some(tail) = self.tails.get(path) else { return };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(tail);
    }

    /// A text with the present name of the helper.
    fn with_names(&self, text: &str) -> String {
        match &self.renamed {
            Some((old, new)) => with_word(text, old, new),
            None => text.to_owned(),
        }
    }
}

/// A file of the project.
pub(super) fn file_of<'p>(pack: &'p ProjectPack, path: &str) -> Option<&'p PackFile> {
    pack.files.iter().find(|file| file.path == path)
}

/// The places of a source before which a comment may stand: definitions at the left margin. None of them
/// touches one of the changes.
pub(super) fn comment_places(
    language: PackLanguage,
    file: &PackFile,
    changes: &[&PackChange],
) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0);
    let mut lines = file.content.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if is_definition(language, line, lines.peek().copied().unwrap_or_default()) {
            places.push(at);
        }
        at += line.len();
    }
    let touches = |change: &PackChange, place: usize| {
        change.file == file.path && change.at.0 <= place && place <= change.at.1
    };
    places.retain(|place| !changes.iter().any(|change| touches(change, *place)));
    places
}

/// The places of a word in a text.
pub(super) fn word_places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let places = text.match_indices(word).map(|(at, _)| at);
    places.filter(move |at| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}

/// Whether a text has a word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    word_places(text, word).next().is_some()
}

/// A text with another word in place of each `old`.
fn with_word(text: &str, old: &str, new: &str) -> String {
    let (mut changed, mut done) = (String::new(), 0);
    for at in word_places(text, old) {
        changed.push_str(text.get(done..at).unwrap_or_default());
        changed.push_str(new);
        done = at + old.len();
    }
    changed.push_str(text.get(done..).unwrap_or_default());
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_no_part_of_another_word() {
        let text = "_cut(x) + x_cut + self._cut + _cuts + _cut";
        assert_eq!(
            with_word(text, "_cut", "_cropped"),
            "_cropped(x) + x_cut + self._cropped + _cuts + _cropped"
        );
        assert!(has_word(text, "_cuts") && !has_word(text, "cut"));
    }

    #[test]
    fn comments_stand_before_definitions_that_no_change_touches() {
        let content = "import os\n\n\ndef one():\n    return 1\n\n\nclass Two:\n    def three(self):\n        pass\n";
        let file = PackFile { path: "a.py".into(), content: content.into(), executable: false };
        let places = [content.find("def one").unwrap(), content.find("class").unwrap()];
        assert_eq!(comment_places(PackLanguage::Python, &file, &[]), places);
    }
}

//! Commits that write sources differently without changing what they do, so that a fault is one hunk of
//! many: in Python, statements and names of variables; in all languages, comments within functions.

use super::pack_git::shuffle;
use super::pack_history::PackHistory;
use super::project_state::{file_of, has_word};
use super::rewording::{RewordedStatement, plain_statements, rewordings};
use super::source_text::may_have_comment;
use crate::pack::{NameKind, NameSites, PackChange, PackFile, PackLanguage};

/// How many statements one commit writes differently, and how many comments it puts into functions.
const REWORDED: (usize, usize) = (3, 7);
const INNER_COMMENTS: (usize, usize) = (1, 3);
/// Other names of variables. The first ones that are no words of the source are taken.
const VARIABLES: [&str; 16] = [
    "entry",
    "piece",
    "mark",
    "spot",
    "chosen",
    "given",
    "thing",
    "share",
    "extra",
    "known",
    "latest",
    "current",
    "pending",
    "number_of",
    "left_over",
    "this_one",
];

impl<'p> PackHistory<'p> {
    /// A commit that writes much of a source differently, without changing what it does.
    pub(super) fn rework(&mut self, path: &str) {
        self.reword(path);
        match self.rng.index(4) {
            0 => self.helper(path),
            _ => self.comment(path),
        }
        let message = self.message(path, true);
        self.commit(&message, [path]);
    }

    /// A commit that changes nothing which counts. Mostly it writes much of a source differently.
    pub(super) fn noise_or_rework(&mut self) {
        let sources = self.sources();
        match (self.rng.index(4), sources.get(self.rng.index(sources.len())).copied()) {
            (1.., Some(path)) => self.rework(path),
            _ => self.noise(),
        }
    }

    /// Writes statements of a source differently, gives a variable another name, and puts comments into
    /// functions. What no scanner of text can tell to be the same stays: of other languages than Python, all
    /// but the comments.
    pub(super) fn reword(&mut self, path: &str) {
        let Some(file) = file_of(self.builder.pack, path) else { return };
        let changes: Vec<&'p PackChange> =
            self.changes.iter().copied().filter(|change| change.file == path).collect();
        if self.language() == PackLanguage::Python {
            self.reword_statements(file, &changes);
            self.rename_variable(file, &changes);
        }
        let mut places = self.inner_places(file);
        let touches = |place: usize| {
            changes.iter().any(|change| change.at.0 <= place && place <= change.at.1)
        };
        places.retain(|place| !touches(*place));
        shuffle(&mut places, &mut self.rng);
        let count = INNER_COMMENTS.0 + self.rng.index(INNER_COMMENTS.1);
        for place in places.into_iter().take(count) {
            self.comment_at(path, place);
        }
    }

    /// Writes some statements differently. Those that are already so come last, and are as before then.
    fn reword_statements(&mut self, file: &PackFile, changes: &[&PackChange]) {
        let mut free: Vec<((String, usize), RewordedStatement)> = rewordings(&file.content)
            .into_iter()
            .filter(|one| changes.iter().all(|change| one.goes_with(change)))
            .map(|one| ((file.path.clone(), one.span().0), one))
            .collect();
        shuffle(&mut free, &mut self.rng);
        free.sort_by_key(|(place, _)| self.state.rewordings.contains_key(place));
        let count = REWORDED.0 + self.rng.index(REWORDED.1);
        for (place, one) in free.into_iter().take(count) {
            if self.state.rewordings.remove(&place).is_none() {
                self.state.rewordings.insert(place, one);
            }
        }
    }

    /// Gives a variable of functions another name in a source, if one has still its own there.
    fn rename_variable(&mut self, file: &PackFile, changes: &[&PackChange]) {
        let pack = self.builder.pack;
        let variables = &self.state.variables;
        let is_own = |sites: &&NameSites| {
            let place = (file.path.clone(), sites.name.clone());
            let is_here = sites.kind == NameKind::Local && sites.files.contains_key(&file.path);
            is_here && !variables.contains_key(&place)
        };
        let own: Vec<&NameSites> = pack.names.iter().filter(is_own).collect();
        let is_free = |name: &&&str| {
            let is_taken =
                variables.iter().any(|((path, _), new)| *path == file.path && new == **name);
            let in_change = changes.iter().any(|change| has_word(&change.text, name));
            !is_taken && !in_change && !has_word(&file.content, name)
        };
        let new = VARIABLES.iter().find(is_free).copied();
        let drawn = own.get(self.rng.index(own.len()));
        if let (Some(sites), Some(new)) = (drawn, new) {
            let place = (file.path.clone(), sites.name.clone());
            self.state.variables.insert(place, new.to_owned());
        }
    }

    /// The beginnings of lines in functions before which a comment may stand.
    fn inner_places(&self, file: &PackFile) -> Vec<usize> {
        let (language, content) = (self.language(), file.content.as_str());
        if language == PackLanguage::Python {
            return plain_statements(content).iter().map(|statement| statement.line).collect();
        }
        let starts = content.match_indices('\n').map(|(at, _)| at + 1);
        let is_place = |at: &usize| *at < content.len() && may_have_comment(language, content, *at);
        starts.filter(is_place).collect()
    }
}

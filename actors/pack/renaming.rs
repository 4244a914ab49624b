//! A pack with other names. Bytes move, so the places of tests, entries, twins and slow forms move
//! with them. To change a text and then to rename it gives the same bytes as the other way round.

use super::index::{PackChange, PackTest, TestTwin};
use super::names::{NameKind, NameSites, is_word};
use super::project_pack::ProjectPack;
use std::collections::{BTreeMap, BTreeSet};

/// Replacements of bytes of one text, sorted and apart.
#[derive(Clone, Debug, Default)]
struct TextEdits<'n>(BTreeMap<usize, (usize, &'n str)>);

impl<'n> TextEdits<'n> {
    /// Replaces so many bytes from a place on.
    fn add(&mut self, at: usize, size: usize, new: &'n str) {
        self.0.insert(at, (size, new));
    }

    /// The text with all replacements.
    fn applied(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (at, (size, new)) in self.0.iter().rev() {
            text.replace_range(*at..*at + *size, new);
        }
        text
    }

    /// Where a byte is after all replacements. It is not within one of them.
    fn moved(&self, at: usize) -> usize {
        let before = self.0.range(..at).map(|(_, edit)| edit);
        let (removed, added) = before.fold((0_usize, 0_usize), |(removed, added), (size, new)| {
            (removed + *size, added + new.len())
        });
        at + added - removed
    }

    fn moved_range(&self, at: (usize, usize)) -> (usize, usize) {
        (self.moved(at.0), self.moved(at.1))
    }
}

/// The replacements of a pack.
struct PackEdits<'n> {
    files: BTreeMap<&'n str, TextEdits<'n>>,
    entries: BTreeMap<&'n str, TextEdits<'n>>,
    /// New names by the old ones: of tests, and of functions.
    tests: BTreeMap<&'n str, &'n str>,
    private: BTreeMap<&'n str, &'n str>,
}

impl<'n> PackEdits<'n> {
    fn of(names: &'n [NameSites], new: &'n [String]) -> Self {
        let mut edits = Self {
            files: BTreeMap::new(),
            entries: BTreeMap::new(),
            tests: BTreeMap::new(),
            private: BTreeMap::new(),
        };
        for (name, new) in names.iter().zip(new) {
            let size = name.name.len();
            for (path, sites) in &name.files {
                let file = edits.files.entry(path).or_default();
                sites.iter().for_each(|site| file.add(*site, size, new));
            }
            for (id, sites) in &name.entries {
                let entry = edits.entries.entry(id).or_default();
                sites.iter().for_each(|site| entry.add(*site, size, new));
            }
            match name.kind {
                NameKind::Local => None,
                NameKind::Private => edits.private.insert(&name.name, new),
                NameKind::Test => edits.tests.insert(&name.name, new),
            };
        }
        edits
    }

    fn file(&self, path: &str, text: &str) -> String {
        self.files.get(path).map_or_else(|| text.to_owned(), |edits| edits.applied(text))
    }

    fn entry(&self, id: &str, text: &str) -> String {
        self.entries.get(id).map_or_else(|| text.to_owned(), |edits| edits.applied(text))
    }

    fn place(&self, path: &str, at: (usize, usize)) -> (usize, usize) {
        self.files.get(path).map_or(at, |edits| edits.moved_range(at))
    }

    fn test(&self, test: &mut PackTest) {
        test.at = self.place(&test.file, test.at);
        if let Some(new) = self.tests.get(test.method()) {
            let top = test.name.len() - test.method().len();
            test.name.replace_range(top.., new);
        }
    }

    fn change(&self, change: &mut PackChange) {
        change.at = self.place(&change.file, change.at);
        change.text = self.entry(&change.id, &change.text);
        change.function = self.function(&change.function);
        change.says = self.message(&change.says);
    }

    fn twin(&self, twin: &mut TestTwin) {
        twin.at = self.place(&twin.file, twin.at);
        twin.text = self.entry(&twin.id, &twin.text);
    }

    /// The name of a function with its modules and classes.
    fn function(&self, function: &str) -> String {
        let parts = function.split('.');
        let parts = parts.map(|part| self.private.get(part).copied().unwrap_or(part));
        parts.collect::<Vec<&str>>().join(".")
    }

    /// What a test says, which may name private things.
    fn message(&self, text: &str) -> String {
        let mut said = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let starts_word = rest.as_bytes().first().is_some_and(|byte| is_word(*byte));
            let end = rest.bytes().position(|byte| is_word(byte) != starts_word);
            let (part, more) = rest.split_at(end.unwrap_or(rest.len()));
            said.push_str(self.private.get(part).copied().unwrap_or(part));
            rest = more;
        }
        said
    }
}

impl ProjectPack {
    /// Every word of the pack: no new name may be one of them.
    pub fn words(&self) -> BTreeSet<&str> {
        let files = self.files.iter().map(|file| file.content.as_str());
        let changes = self.all_changes().map(|change| change.text.as_str());
        let twins = self.twins.iter().map(|twin| twin.text.as_str());
        let workloads = self.workloads.values().map(String::as_str);
        let texts = files.chain(changes).chain(twins).chain(workloads);
        let is_between = |c: char| c.is_ascii() && c != '_' && !c.is_ascii_alphanumeric();
        texts.flat_map(|text| text.split(is_between)).collect()
    }

    /// The pack with other names: `new` has one for each of [`ProjectPack::names`], and no two are
    /// equal. All places move with the bytes. The digest stays that of the pack.
    #[must_use]
    pub fn renamed(&self, new: &[String]) -> Self {
        let edits = PackEdits::of(&self.names, new);
        // Its names do not stand where they were, and those of written out helpers are not known.
        let mut pack = self.clone();
        pack.names.clear();
        pack.inlines.clear();
        for file in &mut pack.files {
            file.content = edits.file(&file.path, &file.content);
        }
        pack.tests.iter_mut().chain(&mut pack.deselected).for_each(|test| edits.test(test));
        pack.faults.iter_mut().chain(&mut pack.stubs).for_each(|change| edits.change(change));
        pack.twins.iter_mut().for_each(|twin| edits.twin(twin));
        for form in &mut pack.slow {
            form.function = edits.function(&form.function);
            form.places.iter_mut().for_each(|place| edits.change(place));
        }
        pack.listing = pack.listed();
        pack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A text of words and gaps, and which words are renamed.
    fn text() -> impl Strategy<Value = Vec<(String, String, bool)>> {
        prop::collection::vec(("[a-d]{1,3}", "[ .(é]{1,2}", any::<bool>()), 1..12)
    }

    /// The text, and the edits that rename words to `new`.
    fn with_edits<'n>(
        words: &[(String, String, bool)],
        new: &'n str,
    ) -> (String, TextEdits<'n>, Vec<usize>) {
        let (mut text, mut edits, mut ends) = (String::new(), TextEdits::default(), Vec::new());
        for (word, gap, is_renamed) in words {
            ends.push(text.len());
            if *is_renamed {
                edits.add(text.len(), word.len(), new);
            }
            text.push_str(word);
            ends.push(text.len());
            text.push_str(gap);
        }
        ends.push(text.len());
        (text, edits, ends)
    }

    proptest! {
        /// To change a text and to rename it commute.
        #[test]
        fn changes_and_renames_commute(
            words in text(), other in text(), one in any::<prop::sample::Index>(),
            two in any::<prop::sample::Index>(), new in "[x-z]{1,9}",
        ) {
            let (right, edits, ends) = with_edits(&words, &new);
            let (entry, entry_edits, _) = with_edits(&other, &new);
            let (from, to) = (*one.get(&ends), *two.get(&ends));
            let at = (from.min(to), from.max(to));
            // First the names, then the change at its new place.
            let mut renamed = edits.applied(&right);
            let moved = edits.moved_range(at);
            renamed.replace_range(moved.0..moved.1, &entry_edits.applied(&entry));
            // First the change, then the names of what is left and of the new text.
            let mut changed = right.clone();
            changed.replace_range(at.0..at.1, &entry);
            let mut left = TextEdits::default();
            for (site, (size, new)) in &edits.0 {
                if *site < at.0 {
                    left.add(*site, *size, new);
                } else if *site >= at.1 {
                    left.add(site + entry.len() - (at.1 - at.0), *size, new);
                }
            }
            for (site, (size, new)) in &entry_edits.0 {
                left.add(at.0 + site, *size, new);
            }
            prop_assert_eq!(left.applied(&changed), renamed);
        }

        /// The text of a place is the renamed text of the old place.
        #[test]
        fn a_place_keeps_its_text(
            words in text(), one in any::<prop::sample::Index>(),
            two in any::<prop::sample::Index>(), new in "[x-z]{1,9}",
        ) {
            let (right, edits, ends) = with_edits(&words, &new);
            let (from, to) = (*one.get(&ends), *two.get(&ends));
            let at = (from.min(to), from.max(to));
            let inner = edits.0.range(at.0..at.1);
            let inner = inner.map(|(site, edit)| (site - at.0, *edit)).collect();
            let moved = edits.moved_range(at);
            let renamed = edits.applied(&right);
            prop_assert_eq!(&renamed[moved.0..moved.1], TextEdits(inner).applied(&right[at.0..at.1]));
        }
    }

    #[test]
    fn functions_and_messages_have_the_new_names() {
        let edits = PackEdits {
            files: BTreeMap::new(),
            entries: BTreeMap::new(),
            tests: BTreeMap::new(),
            private: BTreeMap::from([("_groups", "_velo")]),
        };
        assert_eq!(edits.function("tabq.engine._groups"), "tabq.engine._velo");
        let said = edits.message("AttributeError: é '_groups' in _groups_2");
        assert_eq!(said, "AttributeError: é '_velo' in _groups_2");
    }
}

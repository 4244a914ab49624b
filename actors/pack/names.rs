//! Names of a project that can be others: private ones, variables of functions, and methods that are
//! tests. The miner finds out where they stand, and lets all tests run with every one of them
//! renamed. So renaming is work on bytes, and needs no parser (`renaming.rs`).

use super::index::PackChange;
use super::project_pack::{PackProblem, ProjectPack, json_lines, wrong};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The list of names. A pack may have none.
pub const NAMES_FILE: &str = "names.jsonl";

/// What a name is of. Its other name begins as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// A variable of functions.
    Local,
    /// What begins with `_`.
    Private,
    /// A method that is a test, and begins with `test_`.
    Test,
}

impl NameKind {
    /// What every name of the kind begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Local => "",
            Self::Private => "_",
            Self::Test => "test_",
        }
    }
}

/// A name, and the bytes at which it begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameSites {
    pub name: String,
    pub kind: NameKind,
    /// In the files of the project.
    pub files: BTreeMap<String, Vec<usize>>,
    /// In the texts of entries and slow forms, by their ids.
    pub entries: BTreeMap<String, Vec<usize>>,
}

impl NameSites {
    /// The names of [`NAMES_FILE`], checked against a pack that has all else already.
    pub(super) fn read(text: &str, pack: &ProjectPack) -> Result<Vec<Self>, PackProblem> {
        let places = NamePlaces::of(pack);
        let mut known = BTreeSet::new();
        let mut names = Vec::new();
        for (line, name) in json_lines::<Self>(NAMES_FILE, text)? {
            name.check(&places).map_err(|why| wrong(NAMES_FILE, line, why))?;
            if !known.insert(name.name.clone()) {
                let why = format!("the name {:?} is there twice", name.name);
                return Err(wrong(NAMES_FILE, line, why));
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Checks that the name is a whole word at each of its places, and that no place of the pack
    /// begins or ends within it.
    fn check(&self, places: &NamePlaces<'_>) -> Result<(), String> {
        if self.name.is_empty() || !self.name.bytes().all(is_word) {
            return Err(format!("{:?} is no name", self.name));
        }
        for (path, sites) in &self.files {
            let text = places.files.get(path.as_str());
            let text = text.ok_or_else(|| format!("the project has no file {path:?}"))?;
            self.check_sites(path, text, sites)?;
            let size = self.name.len();
            let ends = places.ends.get(path.as_str()).map_or(&[][..], Vec::as_slice);
            // Both are sorted.
            let cut = sites.iter().find(|site| {
                let next = ends.partition_point(|end| *end <= **site);
                ends.get(next).is_some_and(|end| *end < *site + size)
            });
            if let Some(site) = cut {
                return Err(format!(
                    "a place of {path} begins or ends in the word at the byte {site}"
                ));
            }
        }
        for (id, sites) in &self.entries {
            let text = places.entries.get(id.as_str());
            let text = text.ok_or_else(|| format!("there is no entry {id:?}"))?;
            self.check_sites(id, text, sites)?;
        }
        Ok(())
    }

    /// Checks the places in one text: sorted, apart, and each the whole word.
    fn check_sites(&self, place: &str, text: &str, sites: &[usize]) -> Result<(), String> {
        if !sites.iter().zip(sites.iter().skip(1)).all(|(one, next)| one < next) {
            return Err(format!("its bytes in {place} are not in order"));
        }
        match sites.iter().find(|site| !is_whole_word(text, &self.name, **site)) {
            Some(site) => {
                Err(format!("{:?} does not stand at the byte {site} of {place}", self.name))
            }
            None => Ok(()),
        }
    }
}

/// What names are checked against.
struct NamePlaces<'p> {
    files: BTreeMap<&'p str, &'p str>,
    entries: BTreeMap<&'p str, &'p str>,
    /// Where places of the pack begin and end in files, sorted.
    ends: BTreeMap<&'p str, Vec<usize>>,
}

impl<'p> NamePlaces<'p> {
    fn of(pack: &'p ProjectPack) -> Self {
        let file = |file: &'p super::PackFile| (file.path.as_str(), file.content.as_str());
        let changes: Vec<&PackChange> = pack.all_changes().collect();
        let of_change = |change: &&'p PackChange| (change.id.as_str(), change.text.as_str());
        let twins = pack.twins.iter().map(|twin| (twin.id.as_str(), twin.text.as_str()));
        let mut ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let tests = pack.tests.iter().chain(&pack.deselected);
        let tests = tests.map(|test| (test.file.as_str(), test.at));
        let of_twins = pack.twins.iter().map(|twin| (twin.file.as_str(), twin.at));
        let of_changes = changes.iter().map(|change| (change.file.as_str(), change.at));
        for (path, (start, end)) in tests.chain(of_twins).chain(of_changes) {
            ends.entry(path).or_default().extend([start, end]);
        }
        ends.values_mut().for_each(|ends| ends.sort_unstable());
        Self {
            files: pack.files.iter().map(file).collect(),
            entries: changes.iter().map(of_change).chain(twins).collect(),
            ends,
        }
    }
}

/// Whether a name stands at a byte of a text, with no letter before it and behind it.
fn is_whole_word(text: &str, name: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let end = at.saturating_add(name.len());
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let is_apart = [before, bytes.get(end)].into_iter().flatten().all(|byte| !is_word(*byte));
    is_apart && bytes.get(at..end) == Some(name.as_bytes())
}

/// Whether a byte may be in a name: also each byte of a letter that is not in ASCII.
pub(super) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::PackParts;
    use crate::pack::tests::{CODE, parts};
    use serde_json::{Value, json};

    /// The parameter `n`, at every place where it stands.
    fn line() -> Value {
        let sites: Vec<usize> =
            (0..CODE.len()).filter(|at| is_whole_word(CODE, "n", *at)).collect();
        json!({"name": "n", "kind": "local", "files": {"lib.py": sites}, "entries": {"f0001": [0, 4]}})
    }

    fn read(names: String) -> Result<ProjectPack, PackProblem> {
        ProjectPack::read(PackParts { names, ..parts() })
    }

    fn problem(change: impl Fn(&mut Value)) -> String {
        let mut line = line();
        change(&mut line);
        read(line.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn a_name_is_a_whole_word_at_each_place() {
        let pack = read(line().to_string()).unwrap();
        assert_eq!(pack.names[0].files["lib.py"].len(), 4);
        assert_eq!(pack.names[0].kind, NameKind::Local);
        assert!(is_whole_word("a.n", "n", 2) && is_whole_word("n", "n", 0));
        assert!(!is_whole_word("an", "n", 1) && !is_whole_word("n_", "n", 0));
        assert!(!is_whole_word("én", "n", 2) && !is_whole_word("x", "n", 0));
        assert!(!is_whole_word("n", "n", 9));
    }

    #[test]
    fn names_count_for_the_digest_and_their_absence_does_not() {
        let plain = ProjectPack::read(parts()).unwrap().digest;
        assert_eq!(read(String::new()).unwrap().digest, plain);
        assert_ne!(read(line().to_string()).unwrap().digest, plain);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let place = problem(|line| line["files"]["lib.py"] = json!([1]));
        assert_eq!(place, "names.jsonl:1: \"n\" does not stand at the byte 1 of lib.py");
        let order = problem(|line| line["entries"]["f0001"] = json!([4, 0]));
        assert_eq!(order, "names.jsonl:1: its bytes in f0001 are not in order");
        let file = problem(|line| line["files"] = json!({"x.py": [0]}));
        assert_eq!(file, "names.jsonl:1: the project has no file \"x.py\"");
        let entry = problem(|line| line["entries"] = json!({"f0009": [0]}));
        assert_eq!(entry, "names.jsonl:1: there is no entry \"f0009\"");
        let word = problem(|line| line["name"] = json!("n + n"));
        assert_eq!(word, "names.jsonl:1: \"n + n\" is no name");
        let twice = read(format!("{}\n{}\n", line(), line())).unwrap_err().to_string();
        assert_eq!(twice, "names.jsonl:2: the name \"n\" is there twice");
    }

    #[test]
    fn no_entry_begins_within_a_name() {
        let def = CODE.find("twice").unwrap();
        let line =
            json!({"name": "twice", "kind": "local", "files": {"lib.py": [def]}, "entries": {}});
        assert!(read(line.to_string()).is_ok());
        let mut parts = parts();
        let at = format!("[{},{}]", def + 2, def + 3);
        let old = CODE.find("n + n").unwrap();
        parts.index = parts.index.replace(&format!("[{old},{}]", old + 5), &at);
        parts.names = line.to_string();
        let said = ProjectPack::read(parts).unwrap_err().to_string();
        let expected = format!(
            "names.jsonl:1: a place of lib.py begins or ends in the word at the byte {def}"
        );
        assert_eq!(said, expected);
    }
}

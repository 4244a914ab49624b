//! A pack in memory, and the rules for its parts.

use super::cases;
use super::head::{PACK_SCHEMA, PackHead, PackRunner, is_below};
use super::helper_inline::HelperInline;
use super::index::{
    ChangeGroup, ChangeKind, FailureSign, IndexLine, PackChange, PackTest, TestTwin,
};
use super::names::NameSites;
use super::slow::{SlowForm, SlowParts};
use crate::model::digest_of_bytes;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path};

/// The directory in a pack's folder with the files of the project.
pub const PROJECT_DIRECTORY: &str = "project";
/// The list of tests.
pub const MAP_FILE: &str = "map.jsonl";
/// The list of entries. A pack without one was not mined yet.
pub const INDEX_FILE: &str = "index.jsonl";
/// The licences of what the project has.
pub const NOTICES_FILE: &str = "notices";

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFile {
    /// The path in the project.
    pub path: String,
    pub content: String,
    /// Whether the owner may execute it.
    pub executable: bool,
}

/// The parts of a pack as they were read, before they are checked.
#[derive(Clone, Debug)]
pub struct PackParts {
    pub head: PackHead,
    /// The bytes of `pack.toml`, for the digest.
    pub head_text: String,
    /// The files of the project, sorted by path.
    pub files: Vec<PackFile>,
    pub map: String,
    pub index: String,
    pub names: String,
    pub slow: SlowParts,
    pub notices: String,
}

/// What is wrong with a pack, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackProblem {
    /// The file in the pack's folder.
    pub file: String,
    /// The line, from one; 0 for the whole file.
    pub line: usize,
    pub message: String,
}

impl PackProblem {
    /// A problem of a whole file.
    pub fn of(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, message: message.into() }
    }
}

/// The place and the message: `index.jsonl:7: it breaks no test`.
impl fmt::Display for PackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// A checked pack. Every range and every number in it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPack {
    pub head: PackHead,
    /// The digest over all parts. It counts for the digests of tasks.
    pub digest: String,
    pub files: Vec<PackFile>,
    pub tests: Vec<PackTest>,
    /// Tests that decide nothing: nobody sees them or runs them.
    pub deselected: Vec<PackTest>,
    pub faults: Vec<PackChange>,
    pub stubs: Vec<PackChange>,
    pub groups: Vec<ChangeGroup>,
    pub twins: Vec<TestTwin>,
    pub inlines: Vec<HelperInline>,
    pub slow: Vec<SlowForm>,
    /// The workloads of the slow forms by their names.
    pub(super) workloads: BTreeMap<String, String>,
    /// Names that can be others.
    pub names: Vec<NameSites>,
    /// The licences of what the project has, as they came.
    pub notices: String,
    /// The tests that have twins.
    twinned: BTreeSet<usize>,
    /// What the sealed check is told of the pack, as JSON. It is the same for all tasks.
    pub listing: String,
}

/// The digest of the files of a project: paths, bytes, and who may execute them. The order of the
/// files does not count.
pub fn project_digest(files: &[PackFile]) -> String {
    let mut sorted: Vec<&PackFile> = files.iter().collect();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    let mut parts: Vec<&[u8]> = vec![b"project"];
    for file in sorted {
        let mode: &[u8] = if file.executable { b"program" } else { b"file" };
        parts.extend([file.path.as_bytes(), mode, file.content.as_bytes()]);
    }
    digest_of_bytes(&parts)
}

/// The digest over all parts of a pack.
fn digest_of_parts(parts: &PackParts) -> String {
    let mut digested: Vec<&[u8]> = vec![
        b"pack".as_slice(),
        parts.head_text.as_bytes(),
        parts.head.project_sha256.as_bytes(),
        parts.map.as_bytes(),
        parts.index.as_bytes(),
        parts.notices.as_bytes(),
    ];
    digested.extend(parts.slow.digested());
    if !parts.names.is_empty() {
        digested.extend([b"names".as_slice(), parts.names.as_bytes()]);
    }
    digest_of_bytes(&digested)
}

impl ProjectPack {
    /// Checks the parts of a pack against each other. The error is the first mistake.
    pub fn read(parts: PackParts) -> Result<Self, PackProblem> {
        check_head(&parts)?;
        cases::check(&parts)?;
        let digest = digest_of_parts(&parts);
        let PackParts {
            head, files, map, index, slow: slow_parts, names: name_lines, notices, ..
        } = parts;
        let (tests, deselected) = (Vec::new(), Vec::new());
        let (faults, stubs, groups, twins) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (inlines, twinned, listing) = (Vec::new(), BTreeSet::new(), String::new());
        let (slow, workloads, names) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut pack = Self {
            head,
            digest,
            files,
            tests,
            deselected,
            faults,
            stubs,
            groups,
            twins,
            inlines,
            slow,
            workloads,
            names,
            notices,
            twinned,
            listing,
        };
        for (line, test) in json_lines::<PackTest>(MAP_FILE, &map)? {
            let bytes = pack.text(&test.file).map_or(0, str::len);
            let checked = pack.check_range(&test.file, test.at);
            let checked = checked.and_then(|_| cases::check_test(&pack.head, &test, bytes));
            checked.map_err(|why| wrong(MAP_FILE, line, why))?;
            match (test.left_out.is_some(), pack.deselected.is_empty()) {
                (true, _) => pack.deselected.push(test),
                (false, true) => pack.tests.push(test),
                (false, false) => {
                    let why = "it stands behind a test that is left out";
                    return Err(wrong(MAP_FILE, line, why));
                }
            }
        }
        pack.check_tests_apart()?;
        let mut reader = IndexReader { pack, known: BTreeMap::new() };
        for (line, entry) in json_lines::<IndexLine>(INDEX_FILE, &index)? {
            reader.add(entry).map_err(|why| wrong(INDEX_FILE, line, why))?;
        }
        let listing = reader.pack.listed();
        let slow = slow_parts.read(&reader.pack)?;
        let pack = Self { listing, slow, workloads: slow_parts.workloads, ..reader.pack };
        let names = NameSites::read(&name_lines, &pack)?;
        Ok(Self { names, ..pack })
    }

    /// What the sealed check is told of the pack.
    pub(super) fn listed(&self) -> String {
        if self.head.runner == PackRunner::Cases {
            return cases::listed(self);
        }
        let others = self.files.iter().filter(|file| !self.head.is_source(&file.path));
        let test = |test: &PackTest| json!({ "file": test.file, "class": test.group, "name": test.method(), "at": test.at });
        let twin = |twin: &TestTwin| json!({ "test": twin.test, "at": twin.at, "text": twin.text });
        let listing = json!({
            "source": self.head.source,
            "others": others.map(|file| &file.path).collect::<Vec<_>>(),
            "seconds": self.head.test_seconds,
            "tests": self.tests.iter().map(test).collect::<Vec<_>>(),
            "left_out": self.deselected.iter().map(test).collect::<Vec<_>>(),
            "twins": self.twins.iter().map(twin).collect::<Vec<_>>(),
        });
        format!("{listing}\n")
    }

    /// The text of a file of the project.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.content.as_str())
    }

    /// The text of the workload of a slow form.
    pub fn workload(&self, form: &SlowForm) -> &str {
        self.workloads.get(&form.workload).map_or("", String::as_str)
    }

    /// The changes of a kind.
    pub fn changes(&self, kind: ChangeKind) -> &[PackChange] {
        match kind {
            ChangeKind::Fault => &self.faults,
            ChangeKind::Stub => &self.stubs,
        }
    }

    /// All changes: faults, stubs, and the places of slow forms.
    pub(super) fn all_changes(&self) -> impl Iterator<Item = &PackChange> {
        let slow = self.slow.iter().flat_map(|form| &form.places);
        self.faults.iter().chain(&self.stubs).chain(slow)
    }

    /// The changes of a kind that make a good task alone.
    pub fn good_changes(&self, kind: ChangeKind) -> impl Iterator<Item = &PackChange> {
        let changes = self.changes(kind).iter();
        changes.filter(move |change| self.is_good(kind, change, &[change.example]))
    }

    /// The changes of the groups of a kind of which each is good, whatever the others quote.
    pub fn good_groups(&self, kind: ChangeKind) -> Vec<Vec<&PackChange>> {
        let changes = self.changes(kind);
        let parts = |group: &ChangeGroup| {
            let parts = group.parts.iter();
            parts.filter_map(|part| changes.get(*part)).collect::<Vec<_>>()
        };
        let is_good = |parts: &Vec<&PackChange>| {
            let quoted: Vec<usize> = parts.iter().map(|change| change.example).collect();
            parts.iter().all(|change| self.is_good(kind, change, &quoted))
        };
        let groups = self.groups.iter().filter(|group| group.kind == kind);
        groups.map(parts).filter(is_good).collect()
    }

    /// Whether a change makes a good task. A fault is seen by a wrong result, not by a crash. Of a
    /// missing function, some tests are shown and others are kept back. One test that no report
    /// quotes has a twin: else code that knows the quoted ones and makes others pass is not found out.
    /// Cases have no twins, see `cases::is_judged`.
    fn is_good(&self, kind: ChangeKind, change: &PackChange, quoted: &[usize]) -> bool {
        let is_told = match kind {
            ChangeKind::Fault => change.failure == FailureSign::Wrong,
            ChangeKind::Stub => change.tests.len() > 1,
        };
        is_told && self.is_judged(change, quoted)
    }

    /// Whether tests that are none of `others` tell a change from right code.
    pub fn is_judged(&self, change: &PackChange, others: &[usize]) -> bool {
        let mut tests = change.tests.iter();
        match self.head.runner {
            PackRunner::Unittest => {
                tests.any(|test| !others.contains(test) && self.twinned.contains(test))
            }
            PackRunner::Cases => cases::is_judged(&self.tests, change, others),
        }
    }

    /// Checks that no two tests share bytes of a file.
    fn check_tests_apart(&self) -> Result<(), PackProblem> {
        let tests = self.tests.iter().chain(&self.deselected);
        match overlapping(tests.map(|test| (test.file.as_str(), test.at))) {
            Some(file) => Err(PackProblem::of(MAP_FILE, format!("two tests in {file} overlap"))),
            None => Ok(()),
        }
    }

    /// The text of a byte range of a file. Err says what is wrong with it.
    pub(super) fn check_range(&self, path: &str, at: (usize, usize)) -> Result<&str, String> {
        let text = self.text(path).ok_or_else(|| format!("the project has no file {path:?}"))?;
        let range = (at.0 <= at.1).then(|| text.get(at.0..at.1)).flatten();
        range.ok_or_else(|| format!("the bytes {} to {} are no part of {path}", at.0, at.1))
    }

    /// Checks numbers of tests: there is one at least, and all are there.
    fn check_tests(&self, tests: &[usize]) -> Result<(), String> {
        match tests.iter().find(|test| **test >= self.tests.len()) {
            Some(test) => Err(format!("there is no test number {test}")),
            None if tests.is_empty() => Err("it breaks no test".to_owned()),
            None => Ok(()),
        }
    }

    /// Checks what a change does to a text: it stands in a source, and is another one.
    pub(super) fn check_text(&self, change: &PackChange) -> Result<(), String> {
        let old = self.check_range(&change.file, change.at)?;
        if old == change.text {
            return Err("it changes nothing".to_owned());
        }
        if !self.head.is_source(&change.file) {
            return Err(format!("{} is no source of the pack", change.file));
        }
        Ok(())
    }

    /// Checks a fault or a stub.
    fn check_change(&self, change: &PackChange) -> Result<(), String> {
        self.check_text(change)?;
        self.check_tests(&change.tests)?;
        if !change.tests.contains(&change.example) {
            return Err(format!("its example {} is not among its tests", change.example));
        }
        Ok(())
    }

    /// Checks a twin: it is a part of its test.
    fn check_twin(&self, twin: &TestTwin) -> Result<(), String> {
        self.check_range(&twin.file, twin.at)?;
        self.check_tests(&[twin.test])?;
        let is_inside = self.tests.get(twin.test).is_some_and(|test| {
            test.file == twin.file && test.at.0 <= twin.at.0 && twin.at.1 <= test.at.1
        });
        is_inside.then_some(()).ok_or_else(|| "it is not inside of its test".to_owned())
    }
}

/// Reads the lines of an index in their order. A group names only earlier lines.
struct IndexReader {
    pack: ProjectPack,
    /// Where the changes are, by their ids.
    known: BTreeMap<String, (ChangeKind, usize)>,
}

impl IndexReader {
    fn add(&mut self, line: IndexLine) -> Result<(), String> {
        match line {
            IndexLine::Fault(change) => self.add_change(ChangeKind::Fault, change),
            IndexLine::Stub(change) => self.add_change(ChangeKind::Stub, change),
            IndexLine::Twin(twin) => {
                self.pack.check_twin(&twin)?;
                self.pack.twinned.insert(twin.test);
                self.pack.twins.push(twin);
                Ok(())
            }
            IndexLine::Inline(inline) => {
                inline.check(&self.pack)?;
                self.pack.inlines.push(inline);
                Ok(())
            }
            IndexLine::Group { id, of, parts, tests } => {
                if !tests.is_empty() {
                    self.pack.check_tests(&tests)?;
                }
                let parts: Vec<usize> =
                    parts.iter().map(|part| self.part(of, part)).collect::<Result<_, _>>()?;
                self.check_apart(of, &parts)?;
                self.pack.groups.push(ChangeGroup { id, kind: of, parts, tests });
                Ok(())
            }
        }
    }

    fn add_change(&mut self, kind: ChangeKind, change: PackChange) -> Result<(), String> {
        self.pack.check_change(&change)?;
        let place = self.pack.changes(kind).len();
        if self.known.insert(change.id.clone(), (kind, place)).is_some() {
            return Err(format!("the id {:?} is there twice", change.id));
        }
        match kind {
            ChangeKind::Fault => self.pack.faults.push(change),
            ChangeKind::Stub => self.pack.stubs.push(change),
        }
        Ok(())
    }

    /// Checks that no two changes of a group share bytes of a file.
    fn check_apart(&self, kind: ChangeKind, parts: &[usize]) -> Result<(), String> {
        let changes = parts.iter().filter_map(|part| self.pack.changes(kind).get(*part));
        match overlapping(changes.map(|change| (change.file.as_str(), change.at))) {
            Some(file) => Err(format!("two of its changes in {file} overlap")),
            None => Ok(()),
        }
    }

    /// The number of a change that a group names.
    fn part(&self, kind: ChangeKind, id: &str) -> Result<usize, String> {
        match self.known.get(id) {
            Some((found, place)) if *found == kind => Ok(*place),
            _ => Err(format!("no earlier line of its kind has the id {id:?}")),
        }
    }
}

/// Checks what `pack.toml` says, and the files.
fn check_head(parts: &PackParts) -> Result<(), PackProblem> {
    let head = &parts.head;
    let fail = |message: String| Err(PackProblem::of(super::PACK_FILE, message));
    if head.schema != PACK_SCHEMA {
        return fail(format!("schema {:?}; this version reads {PACK_SCHEMA:?}", head.schema));
    }
    if !is_pack_name(&head.name) {
        return fail(format!(
            "the name {:?} has other characters than small letters, digits and hyphens",
            head.name
        ));
    }
    if head.source.is_empty() || head.tests.is_empty() {
        return fail("`source` and `tests` name a file or a directory at least".to_owned());
    }
    let roots = [&head.source, &head.tests, &head.docs].into_iter().flatten();
    for path in roots.chain(parts.files.iter().map(|file| &file.path)) {
        if !stays_below(path) {
            return fail(format!("the path {path:?} must stay below the project"));
        }
    }
    let shared = head.tests.iter().find(|root| head.is_source(root));
    let shared = shared.or(head.source.iter().find(|root| is_below(root, &head.tests)));
    if let Some(root) = shared {
        return fail(format!("the path {root:?} is both in `source` and in `tests`"));
    }
    let digest = project_digest(&parts.files);
    if digest != head.project_sha256 {
        return fail(format!(
            "the files below {PROJECT_DIRECTORY}/ have the digest {digest}, not the one of \
             `project_sha256`"
        ));
    }
    Ok(())
}

/// The first file in which two byte ranges overlap.
pub(super) fn overlapping<'a>(
    places: impl Iterator<Item = (&'a str, (usize, usize))>,
) -> Option<&'a str> {
    let mut places: Vec<(&str, (usize, usize))> = places.collect();
    places.sort_unstable();
    let mut pairs = places.iter().zip(places.iter().skip(1));
    let found = pairs.find(|((file, (_, end)), (next, (start, _)))| file == next && start < end);
    found.map(|((file, _), _)| *file)
}

/// Whether a text can be the name of a pack.
fn is_pack_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain)
}

/// Whether a path has only plain names, so that it stays below where it begins.
fn stays_below(path: &str) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.is_empty() && Path::new(path).components().all(is_plain)
}

/// The lines of a file with their numbers, from one.
pub(super) fn json_lines<T: DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<Vec<(usize, T)>, PackProblem> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, number)| {
            let read = serde_json::from_str(line).map(|value| (number, value));
            read.map_err(|error| wrong(file, number, error.to_string()))
        })
        .collect()
}

/// A problem of one line.
pub(super) fn wrong(file: &str, line: usize, message: impl Into<String>) -> PackProblem {
    PackProblem { file: file.to_owned(), line, message: message.into() }
}

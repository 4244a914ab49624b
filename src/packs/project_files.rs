//! Takes a project from a directory or from an archive (`.tar.gz`). Nothing is unpacked on the disk:
//! the files are read into memory, each path is checked, and only what a task needs is kept.

use super::pack_files::{MAX_FILE, PackFolder, read_bounded, refused};
use crate::error::{Code, Error, Result};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Component, Path};
use synthd_actors::pack::{PackFile, PackLanguage};
use tar::EntryType;

/// The most bytes that an archive may have when it is unpacked, 256 MiB.
const MAX_UNPACKED: u64 = 256 << 20;
/// What no project needs, and what could hold the answer: histories, builds, caches.
const LEFT_OUT: [&str; 6] = [".git", "__pycache__", ".hypothesis", "build", ".tox", ".eggs"];
/// The beginnings of the names of files with licences.
const LICENCES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
/// The names of directories that hold tests.
const TEST_DIRECTORIES: [&str; 2] = ["tests", "test"];
/// Modules at the top of a project that build or check it.
const TOOLS: [&str; 4] = ["setup", "conftest", "noxfile", "tasks"];
/// A directory in which some projects keep their packages.
const NESTED: &str = "src/";

/// Where most languages keep their sources.
const NESTED_SOURCES: [&str; 3] = ["src/", "lib/", "cmd/"];
/// Files with which projects are built.
const BUILD_FILES: [&str; 9] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "CMakeLists.txt",
    "package.json",
    "tsconfig.json",
    "go.mod",
    "Cargo.toml",
    "Cargo.lock",
];

/// Where sources, tests and documentation of a project are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectLayout {
    pub(crate) source: Vec<String>,
    pub(crate) tests: Vec<String>,
    pub(crate) docs: Vec<String>,
    /// What is none of these, but is needed to build the project.
    pub(crate) also: Vec<String>,
}

/// The text files of a project.
#[derive(Debug, Default)]
pub(crate) struct ProjectFiles {
    files: BTreeMap<String, PackFile>,
    /// SHA-256 of the archive; none for a directory.
    pub(crate) archive: Option<String>,
}

impl ProjectFiles {
    /// Reads a project in a language.
    pub(crate) fn read(source: &Path, language: PackLanguage) -> Result<Self> {
        if source.is_dir() {
            return Ok(Self::of(PackFolder::read(source)?, None, language));
        }
        let bytes = read_bounded(source)?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let folder = unpacked(&bytes).map_err(|failure| failure.error(source))?;
        Ok(Self::of(folder, Some(digest), language))
    }

    /// The files that are text. A package of Python below `src/` moves up, so that it can be imported
    /// where the tests run.
    fn of(folder: PackFolder, archive: Option<String>, language: PackLanguage) -> Self {
        let nested = if language == PackLanguage::Python { NESTED } else { "" };
        let mut files = BTreeMap::new();
        for (name, (bytes, executable)) in folder.0 {
            let is_left_out = name.split('/').any(|part| LEFT_OUT.contains(&part));
            let (Ok(content), false) = (String::from_utf8(bytes), is_left_out) else { continue };
            let path = name.strip_prefix(nested).unwrap_or(&name).to_owned();
            files.insert(path.clone(), PackFile { path, content, executable });
        }
        Self { files, archive }
    }

    /// Where sources, tests and documentation of a project in a language probably are.
    pub(crate) fn layout_of(&self, language: PackLanguage) -> ProjectLayout {
        let mut layout = self.likely_layout();
        if language == PackLanguage::Python {
            return layout;
        }
        let has_sources = |root: &&str| self.files.keys().any(|path| path.starts_with(*root));
        let source = NESTED_SOURCES.iter().filter(|root| has_sources(root));
        layout.source = source.map(|root| root.trim_end_matches('/').to_owned()).collect();
        let builds = BUILD_FILES.iter().filter(|file| self.files.contains_key(**file));
        layout.also = builds.map(|file| (*file).to_owned()).collect();
        layout
    }

    /// Where sources, tests and documentation probably are: packages, or else modules at the top;
    /// directories of tests, also within packages, or else test modules at the top; and a README.
    pub(crate) fn likely_layout(&self) -> ProjectLayout {
        let source = self.likely_source();
        let tests = self.likely_tests(&source);
        let is_readme =
            |path: &&String| !path.contains('/') && path.to_lowercase().starts_with("readme");
        let docs = self.files.keys().filter(is_readme).cloned().collect();
        ProjectLayout { source, tests, docs, also: Vec::new() }
    }

    fn likely_source(&self) -> Vec<String> {
        let packages = self.files.keys().filter_map(|path| path.strip_suffix("/__init__.py"));
        let packages = packages.filter(|top| !top.contains('/') && !is_tests(top));
        let packages: Vec<String> = packages.map(str::to_owned).collect();
        if packages.is_empty() { self.modules(false) } else { packages }
    }

    fn likely_tests(&self, source: &[String]) -> Vec<String> {
        let within = |root: &str| source.iter().any(|top| is_below(root, top));
        let roots = self.files.keys().filter_map(|path| test_root(path));
        let roots: BTreeSet<&str> =
            roots.filter(|root| !root.contains('/') || within(root)).collect();
        if roots.is_empty() {
            return self.modules(true);
        }
        roots.into_iter().map(str::to_owned).collect()
    }

    /// The modules at the top: those with tests, or the others.
    fn modules(&self, with_tests: bool) -> Vec<String> {
        let is_wanted = |path: &&String| is_module(path) && is_test_module(path) == with_tests;
        self.files.keys().filter(is_wanted).cloned().collect()
    }

    /// The same layout, but a root of sources with tests in it is named by what it has beside them:
    /// sources and tests share no files.
    pub(crate) fn apart(&self, layout: ProjectLayout) -> ProjectLayout {
        let roots = layout.source.iter();
        let source = roots.flat_map(|root| self.beside(root, &layout.tests)).collect();
        ProjectLayout { source, ..layout }
    }

    /// What a root has beside tests: itself, if there are none in it.
    fn beside(&self, root: &str, tests: &[String]) -> Vec<String> {
        if !tests.iter().any(|test| test != root && is_below(test, root)) {
            return vec![root.to_owned()];
        }
        let below = self.files.keys().filter_map(|path| path.strip_prefix(root)?.strip_prefix('/'));
        let names = below.map(|path| path.split_once('/').map_or(path, |(name, _)| name));
        let children: BTreeSet<String> = names.map(|name| format!("{root}/{name}")).collect();
        let children = children.iter().filter(|child| !tests.contains(child));
        children.flat_map(|child| self.beside(child, tests)).collect()
    }

    /// The files of a layout, sorted by path. What is in none of its parts is left out, such as lists
    /// of changes.
    pub(crate) fn kept(&self, layout: &ProjectLayout) -> Vec<PackFile> {
        let roots = [&layout.source, &layout.tests, &layout.docs, &layout.also];
        let is_kept = |path: &str| roots.iter().copied().flatten().any(|root| is_below(path, root));
        self.files.values().filter(|file| is_kept(&file.path)).cloned().collect()
    }

    /// The licences of the project, each below its path.
    pub(crate) fn notices(&self) -> String {
        let is_licence = |file: &&PackFile| {
            let name = file.path.rsplit('/').next().unwrap_or_default().to_uppercase();
            LICENCES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".PY")
        };
        let shown = |file: &PackFile| format!("{}\n\n{}\n", file.path, file.content.trim_end());
        self.files.values().filter(is_licence).map(shown).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a path is a root, or below it.
fn is_below(path: &str, root: &str) -> bool {
    let rest = path.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a name is one of a directory with tests.
fn is_tests(name: &str) -> bool {
    TEST_DIRECTORIES.contains(&name)
}

/// The outermost directory of tests around a file.
fn test_root(path: &str) -> Option<&str> {
    let mut directories = path.match_indices('/').map(|(end, _)| &path[..end]);
    directories.find(|root| is_tests(root.rsplit('/').next().unwrap_or_default()))
}

/// Whether a path is a module at the top that is no tool of the project.
fn is_module(path: &str) -> bool {
    let name = path.strip_suffix(".py");
    name.is_some_and(|name| !name.contains('/') && !TOOLS.contains(&name))
}

/// Whether a module has tests, by its name.
fn is_test_module(path: &str) -> bool {
    path.starts_with("test") || path.ends_with("_test.py")
}

/// Why an archive is not taken.
#[derive(Debug)]
enum ArchiveFailure {
    Unreadable(io::Error),
    /// The entry, and what is wrong with it.
    Refused(String, &'static str),
}

impl From<io::Error> for ArchiveFailure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl ArchiveFailure {
    /// The error for the user.
    fn error(self, archive: &Path) -> Error {
        match self {
            Self::Unreadable(error) => {
                let what = format!("{} is no archive that can be read", archive.display());
                Error::new(Code::PackInvalid, what)
                    .with_source(error)
                    .hint("a project is a directory or a .tar.gz")
            }
            Self::Refused(entry, why) => refused(&archive.join(entry), why),
        }
    }
}

/// The files of an archive in memory, without the directory that is around all of them.
fn unpacked(bytes: &[u8]) -> Result<PackFolder, ArchiveFailure> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MAX_UNPACKED));
    let mut folder = PackFolder::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let shown = entry.path()?.display().to_string();
        let fail = |why: &'static str| ArchiveFailure::Refused(shown.clone(), why);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Symlink | EntryType::Link => return Err(fail("is a link")),
            _ => return Err(fail("is neither a file nor a directory")),
        }
        let path = plain_path(&entry.path()?).ok_or_else(|| fail("leads out of the archive"))?;
        if entry.size() > MAX_FILE {
            return Err(fail("is larger than 16 MiB"));
        }
        let executable = entry.header().mode()? & 0o100 != 0;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        folder.add(path, content, executable).map_err(fail)?;
    }
    Ok(without_top(folder))
}

/// A path that stays below where it begins, with `/` between its parts.
fn plain_path(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The files without the one directory that is around all of them, as in a source distribution.
fn without_top(folder: PackFolder) -> PackFolder {
    let first = folder.0.keys().next().and_then(|path| path.split_once('/'));
    let Some(top) = first.map(|(top, _)| format!("{top}/")) else { return folder };
    if !folder.0.keys().all(|path| path.starts_with(&top)) {
        return folder;
    }
    let files = folder.0.into_iter();
    PackFolder(files.map(|(path, file)| (path[top.len()..].to_owned(), file)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    /// An archive with one entry.
    fn archive(path: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        // `Header::set_path` would refuse a path that leads out.
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn failure(bytes: &[u8]) -> String {
        let error = unpacked(bytes).unwrap_err().error(Path::new("x.tar.gz"));
        assert_eq!(error.code(), Code::PackInvalid);
        error.to_string()
    }

    #[test]
    fn an_archive_loses_the_directory_around_it() {
        let folder = unpacked(&archive("p-1/a/b.py", EntryType::Regular, b"x = 1\n")).unwrap();
        assert_eq!(folder.0.keys().collect::<Vec<_>>(), ["a/b.py"]);
    }

    #[test]
    fn what_leads_out_is_refused() {
        for path in ["../x", "p/../../x", "/etc/x"] {
            let said = failure(&archive(path, EntryType::Regular, b""));
            assert!(said.ends_with("leads out of the archive"), "{path}: {said}");
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link] {
            assert!(failure(&archive("p/x", kind, b"")).ends_with("is a link"));
        }
        let said = failure(&archive("p/x", EntryType::Fifo, b""));
        assert!(said.ends_with("is neither a file nor a directory"), "{said}");
    }

    #[test]
    fn a_file_has_a_bound() {
        let zeros = vec![0; usize::try_from(MAX_FILE).unwrap() + 1];
        assert!(failure(&archive("p/x", EntryType::Regular, &zeros)).ends_with("16 MiB"));
    }

    #[test]
    fn what_is_no_archive_is_said() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"no archive").unwrap();
        assert!(failure(&gzip.finish().unwrap()).contains("no archive that can be read"));
        assert!(failure(b"nothing").contains("no archive that can be read"));
    }

    fn project(paths: &[&str]) -> ProjectFiles {
        project_in(PackLanguage::Python, paths)
    }

    fn project_in(language: PackLanguage, paths: &[&str]) -> ProjectFiles {
        let file = |path: &&str| ((*path).to_owned(), (b"x\n".to_vec(), false));
        ProjectFiles::of(PackFolder(paths.iter().map(file).collect()), None, language)
    }

    #[test]
    fn packages_tests_and_documents_are_found() {
        let files = project(&[
            "src/lib/__init__.py",
            "src/lib/a.py",
            "tests/test_a.py",
            "README.md",
            "CHANGES",
            "build/lib/a.py",
            "LICENSE",
        ]);
        let layout = files.likely_layout();
        let expected = ProjectLayout {
            source: vec!["lib".to_owned()],
            tests: vec!["tests".to_owned()],
            docs: vec!["README.md".to_owned()],
            also: Vec::new(),
        };
        assert_eq!(layout, expected);
        let kept: Vec<String> = files.kept(&layout).into_iter().map(|file| file.path).collect();
        assert_eq!(kept, ["README.md", "lib/__init__.py", "lib/a.py", "tests/test_a.py"]);
        assert_eq!(files.notices(), "LICENSE\n\nx\n");
    }

    #[test]
    fn a_project_in_another_language_keeps_its_directories_and_what_builds_it() {
        let paths = ["src/main.c", "tests/cases/a/out", "Makefile", "NEWS", "README.md"];
        let files = project_in(PackLanguage::C, &paths);
        let layout = files.layout_of(PackLanguage::C);
        assert_eq!(
            (layout.source.as_slice(), layout.also.as_slice()),
            (["src".to_owned()].as_slice(), ["Makefile".to_owned()].as_slice(),)
        );
        let kept: Vec<String> = files.kept(&layout).into_iter().map(|file| file.path).collect();
        assert_eq!(kept, ["Makefile", "README.md", "src/main.c", "tests/cases/a/out"]);
    }

    fn roots(source: &[&str], tests: &[&str]) -> ProjectLayout {
        let owned =
            |roots: &[&str]| roots.iter().map(|root| (*root).to_owned()).collect::<Vec<_>>();
        ProjectLayout {
            source: owned(source),
            tests: owned(tests),
            docs: Vec::new(),
            also: Vec::new(),
        }
    }

    #[test]
    fn tests_within_a_package_are_no_sources() {
        let files = project(&[
            "src/lib/__init__.py",
            "src/lib/a.py",
            "src/lib/deep/__init__.py",
            "src/lib/deep/b.py",
            "src/lib/deep/tests/test_b.py",
            "src/lib/tests/__init__.py",
            "src/lib/tests/data/tests/one.txt",
            "src/lib/whole/__init__.py",
            "docs/tests/test_docs.py",
        ]);
        let layout = files.likely_layout();
        assert_eq!(layout, roots(&["lib"], &["lib/deep/tests", "lib/tests"]));
        let source = ["lib/__init__.py", "lib/a.py", "lib/deep/__init__.py", "lib/deep/b.py"];
        let expected =
            roots(&[&source[..], &["lib/whole"]].concat(), &["lib/deep/tests", "lib/tests"]);
        assert_eq!(files.apart(layout), expected);
    }

    #[test]
    fn modules_at_the_top_are_a_project_too() {
        let files = project(&["lib.py", "test_lib.py", "setup.py", "docs/conf.py"]);
        let layout = files.likely_layout();
        assert_eq!(layout, roots(&["lib.py"], &["test_lib.py"]));
        assert_eq!(files.apart(layout.clone()), layout, "nothing is in another");
    }
}

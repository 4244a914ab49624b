//! Packs on this machine: the shipped ones, and those below the user's template directories. A pack is
//! a directory with a `pack.toml`, see `synthd_actors::pack`.
//!
//! - [`PackLibrary`] gives packs to templates. A pack is read, and a shipped one expanded, when a
//!   template first asks for it.
//! - `pack_files` reads and writes the folder of a pack.
//! - `project_files` takes a project from a directory or from an archive.
//! - `leak_probe` looks for what gives answers of tasks away.
//! - `miner_sandbox` runs the miner (`miner.py`, `inliner.py`) in a sandbox.
//! - `long_trials` tries changes of a finished pack together, whatever its runner is.
//! - Packs whose tests are cases are mined here: `mutate` finds changes in the syntax trees of sources,
//!   `case_sandbox` tries them (`case_miner.py`), `case_mining` makes map and index of what comes of it.
//!   Only the feature `mine` has the parsers.

mod case_baseline;
#[cfg(feature = "mine")]
mod case_mining;
mod case_sandbox;
mod leak_probe;
mod long_trials;
mod miner_sandbox;
#[cfg(feature = "mine")]
mod mutate;
mod pack_files;
mod project_files;

pub(crate) use case_baseline::CaseBaseline;
#[cfg(feature = "mine")]
pub(crate) use case_mining::{
    CaseTable, MinedChange, MinedGroup, case_candidates, case_index, drawn_group, group_tells,
    sampled_changes,
};
#[cfg(feature = "mine")]
pub(crate) use case_sandbox::CaseReport;
pub(crate) use case_sandbox::{CaseSandbox, CaseTrial, TrialChange, TrialRules};
pub(crate) use leak_probe::{sandbox_leaks, shown_answers, workspace_leaks};
pub(crate) use long_trials::LongTrials;
pub(crate) use miner_sandbox::{MinerSandbox, MiningSettings};
pub(crate) use pack_files::{PackFolder, replace_file};
pub(crate) use project_files::{ProjectFiles, ProjectLayout};

use crate::embedded_files::{EmbeddedFile, EmbeddedFrame};
use crate::error::Result;
use pack_files::find_packs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use synthd_actors::pack::{PackHandle, PackShelf, ProjectPack};

/// A shipped pack, its files, and the frame that has them.
#[derive(Debug)]
struct EmbeddedPack {
    name: &'static str,
    frame: EmbeddedFrame,
    files: &'static [EmbeddedFile],
}

/// The shipped packs. The build script writes this list.
const EMBEDDED_PACKS: &[EmbeddedPack] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Where a pack is.
#[derive(Clone, Copy, Debug)]
enum PackOrigin<'a> {
    Shipped(&'static EmbeddedPack),
    Folder(&'a Path),
}

/// A pack that is read when it is first asked for.
#[derive(Debug)]
struct StoredPack {
    /// The folder of a user's pack. None for a shipped one.
    folder: Option<PathBuf>,
    shipped: Option<&'static EmbeddedPack>,
    read: OnceLock<Result<Arc<ProjectPack>, String>>,
}

impl StoredPack {
    fn origin(&self) -> Option<PackOrigin<'_>> {
        let folder = self.folder.as_deref().map(PackOrigin::Folder);
        folder.or(self.shipped.map(PackOrigin::Shipped))
    }

    /// The pack. Err says why it cannot be used.
    fn get(&self) -> Result<Arc<ProjectPack>, String> {
        let read = || {
            let folder = match self.origin() {
                Some(PackOrigin::Folder(path)) => {
                    PackFolder::read(path).map_err(|error| pack_files::in_words(&error))?
                }
                Some(PackOrigin::Shipped(pack)) => PackFolder::embedded(&pack.frame, pack.files)
                    .map_err(|damaged| damaged.to_string())?,
                None => PackFolder::default(),
            };
            let parts = folder.parts().map_err(|problem| problem.to_string())?;
            ProjectPack::read(parts).map(Arc::new).map_err(|problem| problem.to_string())
        };
        self.read.get_or_init(read).clone()
    }
}

/// Packs by their names. A pack of the user's replaces a shipped one of the same name.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackLibrary(BTreeMap<String, Arc<StoredPack>>);

impl PackLibrary {
    /// The shipped packs.
    pub(crate) fn shipped() -> Self {
        let stored = |pack: &'static EmbeddedPack| {
            let stored = StoredPack { folder: None, shipped: Some(pack), read: OnceLock::new() };
            (pack.name.to_owned(), Arc::new(stored))
        };
        Self(EMBEDDED_PACKS.iter().map(stored).collect())
    }

    /// Adds the packs below a directory. The name of a pack is that of its folder.
    pub(crate) fn add(&mut self, directory: &Path) -> Result<usize> {
        let found = find_packs(directory)?;
        let count = found.len();
        for folder in found {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stored = StoredPack { folder: Some(folder), shipped: None, read: OnceLock::new() };
            self.0.insert(name, Arc::new(stored));
        }
        Ok(count)
    }

    /// All packs with their folders (none for a shipped one), and why those that cannot be used
    /// cannot.
    pub(crate) fn all(&self) -> Vec<ListedPack> {
        let listed = |(name, stored): (&String, &Arc<StoredPack>)| ListedPack {
            name: name.clone(),
            folder: stored.folder.clone(),
            read: stored.get(),
        };
        self.0.iter().map(listed).collect()
    }
}

/// A pack in a list.
pub(crate) struct ListedPack {
    pub(crate) name: String,
    /// None for a shipped pack.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) read: Result<Arc<ProjectPack>, String>,
}

impl PackShelf for PackLibrary {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        let stored = self.0.get(name)?.clone();
        // The shipped ones are known to be right, and each costs a start some time.
        if stored.folder.is_none() {
            return Some(Ok(PackHandle::new(name, move || stored.get())));
        }
        let named = stored.get().and_then(|pack| match pack.head.name == name {
            true => Ok(pack),
            false => Err(format!("the folder {name:?} has the pack {:?}", pack.head.name)),
        });
        Some(named.map(PackHandle::ready))
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::pack::{
        CASE_RUNNER, CASE_RUNNER_FILE, ChangeKind, PROGRAM_FILE, PackRunner, command_file,
    };

    #[test]
    fn the_shipped_packs_can_be_used_and_are_named_by_their_folders() {
        let library = PackLibrary::shipped();
        assert!(!library.names().is_empty());
        for name in library.names() {
            let pack = library.pack(&name).unwrap().unwrap().get().unwrap();
            assert_eq!(pack.head.name, name);
            assert!(!pack.faults.is_empty() && !pack.stubs.is_empty(), "{name} is not mined");
            // Cases have no twins: what is right never is where the program runs.
            let is_python = pack.head.runner == PackRunner::Unittest;
            assert!(!pack.groups.is_empty() && is_python != pack.twins.is_empty(), "{name}");
            if is_python {
                assert!(
                    pack.inlines.len() >= 8 && pack.takes_suite(),
                    "{name} has too few inlines"
                );
                assert!(pack.slow.len() >= 8, "{name} has few slow forms");
                for (kind, least) in [(ChangeKind::Fault, 15), (ChangeKind::Stub, 8)] {
                    let long = pack.long_groups_of(kind).len();
                    assert!(long >= least, "{name} has {long} long groups of {kind:?}");
                }
            }
        }
    }

    /// The engine lays its own script into tasks; authors must not see another one.
    #[test]
    fn a_shipped_pack_with_cases_has_the_script_that_runs_them() {
        let library = PackLibrary::shipped();
        for name in library.names() {
            let pack = library.pack(&name).unwrap().unwrap().get().unwrap();
            if pack.head.runner == PackRunner::Cases {
                assert_eq!(pack.text(CASE_RUNNER_FILE), Some(CASE_RUNNER), "{name}");
                let words = command_file(&pack.head.run);
                assert_eq!(pack.text(PROGRAM_FILE), Some(words.as_str()), "{name}");
            }
        }
    }

    /// Bytes move when names change, and every place with them.
    #[test]
    fn the_tests_of_a_renamed_shipped_pack_stand_at_their_places() {
        let library = PackLibrary::shipped();
        for name in library.names() {
            let pack = library.pack(&name).unwrap().unwrap().get().unwrap();
            if pack.head.runner == PackRunner::Cases {
                continue;
            }
            assert!(!pack.names.is_empty(), "{name} has no names");
            let numbered = pack.names.iter().zip(1..);
            let new: Vec<String> = numbered
                .map(|(name, number)| format!("{}other{number}", name.kind.prefix()))
                .collect();
            let renamed = pack.renamed(&new);
            for test in renamed.tests.iter().filter(|test| test.method().starts_with("test_other"))
            {
                let text = &renamed.text(&test.file).unwrap()[test.at.0..test.at.1];
                assert!(text.contains(&format!("def {}(", test.method())), "{name}: {text}");
            }
            for (old, twin) in pack.twins.iter().zip(&renamed.twins) {
                let old = &pack.text(&old.file).unwrap()[old.at.0..old.at.1];
                assert_eq!(&renamed.text(&twin.file).unwrap()[twin.at.0..twin.at.1], old, "{name}");
            }
        }
    }

    /// The agent's code can read the tests that run, so a twin must look as the project's own text.
    #[test]
    fn a_shipped_twin_has_the_quotes_of_the_text_that_it_replaces() {
        let signs =
            |text: &str| text.chars().filter(|c| !c.is_ascii_alphanumeric()).collect::<String>();
        let library = PackLibrary::shipped();
        for name in library.names() {
            let pack = library.pack(&name).unwrap().unwrap().get().unwrap();
            for twin in &pack.twins {
                let old = &pack.text(&twin.file).unwrap()[twin.at.0..twin.at.1];
                assert_eq!(signs(old), signs(&twin.text), "{name}: {}", twin.id);
                assert_ne!(old, twin.text, "{name}: {}", twin.id);
            }
        }
    }

    #[test]
    fn an_unknown_pack_is_none() {
        assert!(PackLibrary::shipped().pack("no-such-pack").is_none());
        assert!(PackLibrary::default().names().is_empty());
    }
}

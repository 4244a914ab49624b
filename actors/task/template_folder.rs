//! The files of one template in memory. `src/templates.rs` reads them from a directory or takes them
//! from the binary; here nothing is read from a disk. So a template can name only files that are in
//! its folder, whatever path it writes.

use super::template_error::{TemplateProblem, UnknownWord};
use crate::model::digest_of_bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The file in a template's folder that has its YAML text.
pub const TEMPLATE_FILE: &str = "template.yaml";

/// The most bytes of a file that is rendered or included, 1 MiB. Errors quote such files.
const MAX_RENDERED: usize = 1 << 20;
/// The most names that an unknown path is compared with.
const MAX_NAMES: usize = 20;

/// One file of a template's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFile {
    /// The content; borrowed if the binary has it.
    pub bytes: Cow<'static, [u8]>,
    /// Whether the owner may execute it.
    pub executable: bool,
}

/// The files of a template by their paths. A template in a single file has only [`TEMPLATE_FILE`].
#[derive(Clone, Debug, Default)]
pub struct TemplateFolder {
    files: BTreeMap<String, FolderFile>,
    /// Whether the files are in a directory of their own.
    is_directory: bool,
    /// The digests of the files, when they were first asked for. Each task has them in its own.
    digests: OnceLock<BTreeMap<String, String>>,
}

/// Folders with the same files are equal.
impl PartialEq for TemplateFolder {
    fn eq(&self, other: &Self) -> bool {
        (&self.files, self.is_directory) == (&other.files, other.is_directory)
    }
}

impl TemplateFolder {
    /// A template that is one file with this text.
    pub fn single(text: impl Into<Cow<'static, [u8]>>) -> Self {
        let file = FolderFile { bytes: text.into(), executable: false };
        Self { files: [(TEMPLATE_FILE.to_owned(), file)].into(), ..Self::default() }
    }

    /// A template in a directory. The keys are paths below it, with `/` between their parts.
    pub fn directory(files: BTreeMap<String, FolderFile>) -> Self {
        Self { files, is_directory: true, ..Self::default() }
    }

    /// Whether the template has a directory of its own.
    pub fn is_directory(&self) -> bool {
        self.is_directory
    }

    /// The path of one of the files below the templates directory: `git/undo.yaml` for the single
    /// file of a template, `git/undo/lib/m.j2` for a file in a directory.
    pub fn path_of(&self, id: &str, file: &str) -> String {
        if self.is_directory { format!("{id}/{file}") } else { format!("{id}.yaml") }
    }

    /// The text of a file as far as it can be shown; empty if there is none.
    pub fn shown(&self, file: &str) -> &str {
        let bytes = self.files.get(file).map(|file| &*file.bytes).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The YAML text. Err if there is none.
    pub(super) fn yaml(&self) -> Result<&str, TemplateProblem> {
        self.text(TEMPLATE_FILE)
    }

    /// The digests of all files by their paths below the templates directory.
    pub(super) fn digests(&self, id: &str) -> BTreeMap<String, String> {
        let digest = |(path, file): (&String, &FolderFile)| {
            let mode: &[u8] = if file.executable { b"program" } else { b"file" };
            (path.clone(), digest_of_bytes(&[mode, &file.bytes]))
        };
        let digests = self.digests.get_or_init(|| self.files.iter().map(digest).collect());
        digests.iter().map(|(path, digest)| (self.path_of(id, path), digest.clone())).collect()
    }

    /// The files below a directory of the folder, sorted by path: the path below the directory, the
    /// path in the folder, and the file.
    pub(super) fn below(&self, directory: &str) -> Vec<(&str, &str, &FolderFile)> {
        let prefix = format!("{directory}/");
        let inside = |(path, file)| Some((str::strip_prefix(path, &prefix)?, path, file));
        self.files.iter().map(|(path, file)| (path.as_str(), file)).filter_map(inside).collect()
    }

    /// The text of a file. Err if there is no such file, or if it is not text.
    pub(super) fn text(&self, path: &str) -> Result<&str, TemplateProblem> {
        let file = self.files.get(path).ok_or_else(|| self.missing(path))?;
        std::str::from_utf8(&file.bytes).map_err(|error| {
            let at = error.valid_up_to();
            let message = format!("{path:?} is not text in UTF-8: byte {at} is wrong");
            TemplateProblem::at("", message)
        })
    }

    /// The text of a file that is to be rendered. Err also if it is too large for that.
    pub(super) fn rendered_text(&self, path: &str) -> Result<&str, TemplateProblem> {
        let text = self.text(path)?;
        if text.len() > MAX_RENDERED {
            let message = format!("{path:?} is larger than 1 MiB, so it cannot be rendered");
            return Err(TemplateProblem::at("", message));
        }
        Ok(text)
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The problem of a path that names no file of the folder.
    pub(super) fn missing(&self, path: &str) -> TemplateProblem {
        if !is_plain(path) {
            let message = format!("the path {path:?} leaves the template's folder");
            return TemplateProblem::at("", message);
        }
        let near = |name: &&String| name.rsplit('/').next() == path.rsplit('/').next();
        // The files of the same name come first, because a wrong directory is the usual mistake.
        let same = self.files.keys().filter(near);
        let others = self.files.keys().filter(|name| !near(name) && *name != TEMPLATE_FILE);
        let known: Vec<String> = same.chain(others).take(MAX_NAMES).cloned().collect();
        let unknown = Some(Box::new(UnknownWord { word: path.to_owned(), known }));
        let message = format!("there is no file {path:?} in the template's folder");
        TemplateProblem {
            unknown: unknown.filter(|u| !u.known.is_empty()),
            ..TemplateProblem::at("", message)
        }
    }
}

/// Whether a path stays below the directory to which it is relative: it is not absolute, and no part
/// of it is empty, `.` or `..`.
pub(super) fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

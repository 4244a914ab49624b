//! Renders the fields of a template. What is wrong is collected, so that all mistakes of a template
//! are found at once. A field with a mistake has an empty text; no task is made of it.

use super::render::{RenderContext, RenderSource, TextRenderer};
use super::template::FileTemplate;
use super::template_error::TemplateProblem;
use super::template_folder::{FolderFile, TemplateFolder, is_plain};
use crate::model::FileSpec;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// The ending of the files in a tree that are rendered.
const RENDERED: &str = ".j2";

/// Renders fields and collects their problems.
pub(super) struct FieldRenderer {
    folder: Arc<TemplateFolder>,
    renderer: TextRenderer,
    problems: RefCell<Vec<TemplateProblem>>,
}

impl FieldRenderer {
    /// A renderer of fields whose files are in `folder`.
    pub(super) fn new(folder: Arc<TemplateFolder>) -> Self {
        let renderer = TextRenderer::new(folder.clone());
        Self { folder, renderer, problems: RefCell::default() }
    }

    /// All problems so far.
    pub(super) fn problems(&self) -> Vec<TemplateProblem> {
        self.problems.borrow().clone()
    }

    /// Adds a problem. Fields that are rendered twice, and files that several fields use, would have
    /// the same problem several times; it is kept once.
    pub(super) fn fail(&self, problem: TemplateProblem) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// The value. None if there is a problem of this field.
    fn checked<T>(&self, name: &str, result: Result<T, TemplateProblem>) -> Option<T> {
        result.map_err(|problem| self.fail(problem.below(name))).ok()
    }

    /// Renders the text of one field. None if it cannot be rendered.
    fn rendered(&self, name: &str, text: &str, context: &RenderContext) -> Option<String> {
        self.checked(name, self.renderer.render(RenderSource { file: None, text }, context))
    }

    /// Renders the text of one field.
    pub(super) fn field(&self, name: &str, text: &str, context: &RenderContext) -> String {
        self.rendered(name, text, context).unwrap_or_default()
    }

    /// Renders a list of texts.
    pub(super) fn fields(
        &self,
        name: &str,
        texts: &[String],
        context: &RenderContext,
    ) -> Vec<String> {
        let one = |(at, text): (usize, &String)| self.field(&format!("{name}.{at}"), text, context);
        texts.iter().enumerate().map(one).collect()
    }

    /// Renders a text that stands in the field (`content`) or in a file of the folder (`from`).
    pub(super) fn content(
        &self,
        name: &str,
        content: Option<&str>,
        from: Option<&str>,
        raw: bool,
        context: &RenderContext,
    ) -> String {
        let Some(from) = from else {
            return self.field(&format!("{name}.content"), content.unwrap_or_default(), context);
        };
        let name = format!("{name}.from");
        let path = self.rendered(&name, from, context);
        path.map(|path| self.file_text(&name, &path, raw, context)).unwrap_or_default()
    }

    /// The text of a file of the folder, as it is or rendered.
    fn file_text(&self, name: &str, path: &str, raw: bool, context: &RenderContext) -> String {
        let text = if raw {
            self.folder.text(path).map(str::to_owned)
        } else {
            self.folder.rendered_text(path).and_then(|text| {
                self.renderer.render(RenderSource { file: Some(path), text }, context)
            })
        };
        self.checked(name, text).unwrap_or_default()
    }

    /// Renders files, and checks their paths and modes. A path must not leave the tree into which the
    /// file is laid. With `once`, no two files may have the same path.
    pub(super) fn files(
        &self,
        name: &str,
        specs: &[FileTemplate],
        once: bool,
        context: &RenderContext,
    ) -> Vec<FileSpec> {
        let mut laid: Vec<FileSpec> = Vec::new();
        let mut paths: HashSet<String> = HashSet::new();
        for (at, spec) in specs.iter().enumerate() {
            let name = format!("{name}.{at}");
            let files = match &spec.tree {
                Some(tree) => self.tree(&name, tree, spec, context),
                None => vec![self.file(&name, spec, context)],
            };
            for file in files {
                if !paths.insert(file.path.clone()) && once && !file.path.is_empty() {
                    let message = format!("the file {:?} is there twice", file.path);
                    self.fail(TemplateProblem::at(&name, message));
                }
                laid.push(file);
            }
        }
        laid
    }

    /// Renders one file.
    fn file(&self, name: &str, spec: &FileTemplate, context: &RenderContext) -> FileSpec {
        let path_name = format!("{name}.path");
        let path = self.place(&path_name, spec.path.as_deref().unwrap_or_default(), context);
        let mode = self.mode(&format!("{name}.mode"), spec.mode.as_deref().unwrap_or("0644"));
        let (content, from) = (spec.content.as_deref(), spec.from.as_deref());
        let content = self.content(name, content, from, spec.raw, context);
        FileSpec { path, content, mode }
    }

    /// The files of a directory of the folder, in the order of their paths.
    fn tree(
        &self,
        name: &str,
        tree: &str,
        spec: &FileTemplate,
        context: &RenderContext,
    ) -> Vec<FileSpec> {
        let field = format!("{name}.tree");
        let Some(directory) = self.rendered(&field, tree, context) else { return Vec::new() };
        let prefix = match &spec.to {
            Some(to) => self.place(&format!("{name}.to"), to, context) + "/",
            None => String::new(),
        };
        let found = self.folder.below(&directory);
        if found.is_empty() {
            let message = format!("there is no file below {directory:?} in the template's folder");
            self.fail(TemplateProblem::at(&field, message));
        }
        let lay = |(below, path, file): (&str, &str, &FolderFile)| {
            let plain = below.strip_suffix(RENDERED);
            let content = self.file_text(&field, path, plain.is_none(), context);
            let mode = if file.executable { 0o755 } else { 0o644 };
            FileSpec { path: format!("{prefix}{}", plain.unwrap_or(below)), content, mode }
        };
        found.into_iter().map(lay).collect()
    }

    /// Renders a path that must stay below its tree: it is not absolute and has no `.` and no `..`.
    fn place(&self, name: &str, path: &str, context: &RenderContext) -> String {
        let Some(path) = self.rendered(name, path, context) else { return String::new() };
        if !is_plain(&path) {
            let message = format!("the path {path:?} must stay below its tree");
            self.fail(TemplateProblem::at(name, message));
        }
        path
    }

    /// Reads permission bits, which are written in octal digits.
    fn mode(&self, name: &str, mode: &str) -> u32 {
        let bits = u32::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o777);
        let message = || format!("{mode:?} is not octal, such as \"0644\"");
        self.checked(name, bits.ok_or_else(|| TemplateProblem::at("", message()))).unwrap_or(0)
    }
}

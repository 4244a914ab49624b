//! Finds what may be wrong in a source that is not in Python: changes of one place, as people make them
//! by mistake, and functions whose bodies can be taken away. It looks at the syntax tree of a source,
//! and runs nothing. Which changes make a fault is found out later, when cases are run.
//!
//! - `syntax` parses a source; everything else works on its tree.
//! - `expressions`, `statements` and `shell` find changes at one node.
//! - `stubs` takes bodies away.
//!
//! A change is kept only if the changed source parses as well as the original. Texts and messages are
//! left alone. The order of the changes depends on the source alone.

mod expressions;
mod shell;
mod statements;
mod stubs;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use syntax::{CodeText, children, field_text, mistakes, parsed};
use synthd_actors::pack::{ChangeKind, PackLanguage};
use tree_sitter::Node;

/// How deep nodes are looked at. Deeper ones are made by programs, not by people.
const DEEPEST: usize = 400;
/// Nodes in which nothing is changed: comments, what the preprocessor defines, types, imports.
const LEFT_ALONE: [&str; 14] = [
    "comment",
    "line_comment",
    "block_comment",
    "preproc_def",
    "preproc_function_def",
    "preproc_call",
    "preproc_include",
    "attribute_item",
    "inner_attribute_item",
    "type_annotation",
    "type_arguments",
    "type_alias_declaration",
    "import_statement",
    "import_declaration",
];
/// Nodes with a name that others are inside of.
const NAMED: [&str; 9] = [
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "method_declaration",
    "method_definition",
    "function_item",
    "class_declaration",
    "impl_item",
    "variable_declarator",
];
/// Values of a declaration that are functions.
const FUNCTION_VALUES: [&str; 2] = ["arrow_function", "function_expression"];

/// A change of one place in a source: a fault, or a function without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeChange {
    pub(crate) kind: ChangeKind,
    /// The bytes that are replaced.
    pub(crate) at: (usize, usize),
    pub(crate) text: String,
    /// What was done, such as `cmp_boundary`.
    pub(crate) operator: &'static str,
    /// The function around the place, with the name of its file in front.
    pub(crate) function: String,
}

/// The text that replaces some bytes, and what was done.
struct CodeEdit {
    operator: &'static str,
    at: (usize, usize),
    text: String,
}

impl CodeEdit {
    /// Replaces a node.
    fn of(operator: &'static str, node: Node<'_>, text: impl Into<String>) -> Self {
        Self { operator, at: (node.start_byte(), node.end_byte()), text: text.into() }
    }
}

/// The ends of the names of a language's sources. A source of the shell may have any name.
fn endings(language: PackLanguage) -> &'static [&'static str] {
    match language {
        PackLanguage::Python => &[".py"],
        PackLanguage::C => &[".c", ".h"],
        PackLanguage::JavaScript => &[".js", ".mjs", ".cjs"],
        PackLanguage::Shell => &[""],
        PackLanguage::Go => &[".go"],
        PackLanguage::Rust => &[".rs"],
        PackLanguage::TypeScript => &[".ts", ".mts", ".cts"],
    }
}

/// All changes of a source, in the order of their places. A file that is no source of the language has
/// none, nor has one that cannot be parsed at all.
pub(crate) fn code_changes(language: PackLanguage, path: &str, text: &str) -> Vec<CodeChange> {
    if !endings(language).iter().any(|end| path.ends_with(end)) {
        return Vec::new();
    }
    let Some(tree) = parsed(language, text) else { return Vec::new() };
    let source = CodeText { language, text };
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split('.').next().unwrap_or(file).to_owned();
    let mut finder = ChangeFinder { source, scope: vec![stem], found: Vec::new() };
    finder.visit(tree.root_node(), 0);
    let mut found = finder.found;
    found.sort_by(|one, other| (one.at, &one.text).cmp(&(other.at, &other.text)));
    let mut seen = BTreeSet::new();
    let most = mistakes(&tree);
    found.retain(|change| {
        seen.insert((change.at, change.text.clone())) && parses_as_well(source, change, most)
    });
    found
}

/// Whether the changed source differs, and has no more mistakes than the original.
fn parses_as_well(source: CodeText<'_>, change: &CodeChange, most: usize) -> bool {
    let (start, end) = change.at;
    let (Some(before), Some(old), Some(after)) =
        (source.text.get(..start), source.text.get(start..end), source.text.get(end..))
    else {
        return false;
    };
    let changed = format!("{before}{}{after}", change.text);
    let tree = parsed(source.language, &changed);
    old != change.text && tree.is_some_and(|tree| mistakes(&tree) <= most)
}

/// Walks a tree, and remembers the names around a node.
struct ChangeFinder<'s> {
    source: CodeText<'s>,
    /// The file, and the names of the classes and functions around the node.
    scope: Vec<String>,
    found: Vec<CodeChange>,
}

impl ChangeFinder<'_> {
    fn visit(&mut self, node: Node<'_>, depth: usize) {
        if depth > DEEPEST || LEFT_ALONE.contains(&node.kind()) {
            return;
        }
        let name = scope_name(self.source, node);
        let is_named = name.is_some();
        self.scope.extend(name);
        if let Some(edit) = stubs::stub(self.source, node) {
            self.add(ChangeKind::Stub, edit);
        }
        if self.is_in_function() {
            for edit in self.edits(node) {
                self.add(ChangeKind::Fault, edit);
            }
        }
        for child in children(node) {
            self.visit(child, depth + 1);
        }
        if is_named {
            self.scope.pop();
        }
    }

    /// Scripts work at their top level, too. Elsewhere there are types and tables.
    fn is_in_function(&self) -> bool {
        let has_top_level = matches!(
            self.source.language,
            PackLanguage::JavaScript | PackLanguage::TypeScript | PackLanguage::Shell
        );
        has_top_level || self.scope.len() > 1
    }

    /// The faults at one node.
    fn edits(&self, node: Node<'_>) -> Vec<CodeEdit> {
        let mut edits = expressions::edits(self.source, node);
        match self.source.language {
            PackLanguage::Shell => edits.extend(shell::edits(self.source, node)),
            _ => edits.extend(statements::edits(self.source, node)),
        }
        edits
    }

    fn add(&mut self, kind: ChangeKind, edit: CodeEdit) {
        let function = self.scope.join(".");
        let CodeEdit { operator, at, text } = edit;
        self.found.push(CodeChange { kind, at, text, operator, function });
    }
}

/// The name of a class or a function. None for other nodes.
fn scope_name(source: CodeText<'_>, node: Node<'_>) -> Option<String> {
    if !NAMED.contains(&node.kind()) {
        return None;
    }
    let name = match node.kind() {
        "impl_item" => field_text(source, node, "type")?.to_owned(),
        "variable_declarator" => {
            let value = node.child_by_field_name("value")?;
            if !FUNCTION_VALUES.contains(&value.kind()) {
                return None;
            }
            field_text(source, node, "name")?.to_owned()
        }
        "method_declaration" => {
            let receiver = node.child_by_field_name("receiver")?;
            let owner = syntax::first_of(receiver, "type_identifier");
            let owner = owner.map_or("", |owner| source.of(owner));
            format!("{owner}.{}", field_text(source, node, "name")?)
        }
        "function_definition" if source.language == PackLanguage::C => {
            source.of(declared_name(node)?).to_owned()
        }
        _ => field_text(source, node, "name")?.to_owned(),
    };
    Some(name)
}

/// The name in a declarator of C: `*name(arguments)`.
fn declared_name(node: Node<'_>) -> Option<Node<'_>> {
    let mut node = node.child_by_field_name("declarator")?;
    while node.kind() != "identifier" {
        node = node.child_by_field_name("declarator")?;
    }
    Some(node)
}

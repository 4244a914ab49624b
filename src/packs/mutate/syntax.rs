//! The syntax tree of a source, and its mistakes.

use synthd_actors::pack::PackLanguage;
use tree_sitter::{Language, Node, Parser, Tree};

/// A source in its language.
#[derive(Clone, Copy)]
pub(super) struct CodeText<'s> {
    pub(super) language: PackLanguage,
    pub(super) text: &'s str,
}

impl<'s> CodeText<'s> {
    /// The text of a node.
    pub(super) fn of(self, node: Node<'_>) -> &'s str {
        self.between(node.start_byte(), node.end_byte())
    }

    /// The text between two bytes. They come from a tree, so they are in the text.
    pub(super) fn between(self, start: usize, end: usize) -> &'s str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The bytes of a node that is taken away: with its lines, if nothing else is on them.
    pub(super) fn lines_of(self, node: Node<'_>) -> (usize, usize) {
        let (start, end) = (node.start_byte(), node.end_byte());
        let first = self.between(0, start).rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.between(end, self.text.len());
        let last = rest.find('\n').map_or(self.text.len(), |newline| end + newline + 1);
        let is_alone = self.between(first, start).trim().is_empty()
            && self.between(end, last).trim().is_empty();
        if is_alone { (first, last) } else { (start, end) }
    }

    /// The white space in front of the line on which a node begins.
    pub(super) fn indent_of(self, node: Node<'_>) -> &'s str {
        let before = self.between(0, node.start_byte());
        let first = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.between(first, self.text.len());
        let width = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
        self.between(first, first + width)
    }
}

/// The tree of a text. None for a language that is not parsed here.
pub(super) fn parsed(language: PackLanguage, text: &str) -> Option<Tree> {
    let grammar: Language = match language {
        PackLanguage::Python => return None,
        PackLanguage::C => tree_sitter_c::LANGUAGE.into(),
        PackLanguage::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
        PackLanguage::Shell => tree_sitter_bash::LANGUAGE.into(),
        PackLanguage::Go => tree_sitter_go::LANGUAGE.into(),
        PackLanguage::Rust => tree_sitter_rust::LANGUAGE.into(),
        PackLanguage::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    };
    let mut parser = Parser::new();
    parser.set_language(&grammar).ok()?;
    parser.parse(text, None)
}

/// How many places of a text are wrong. Macros of C may be wrong in a sound source.
pub(super) fn mistakes(tree: &Tree) -> usize {
    let mut waiting = vec![tree.root_node()];
    let mut count = 0;
    while let Some(node) = waiting.pop() {
        count += usize::from(node.is_error() || node.is_missing());
        if node.has_error() {
            waiting.extend(children(node));
        }
    }
    count
}

/// The children of a node, tokens too.
pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.child_count()).filter_map(move |at| node.child(at))
}

/// The children that are no tokens and no comments.
pub(super) fn parts(node: Node<'_>) -> Vec<Node<'_>> {
    children(node).filter(|child| child.is_named() && !child.kind().contains("comment")).collect()
}

/// The only part of a node. None if it has more, or none.
pub(super) fn only_part(node: Node<'_>) -> Option<Node<'_>> {
    let parts = parts(node);
    if parts.len() == 1 { parts.into_iter().next() } else { None }
}

/// The first node of a kind in a tree.
pub(super) fn first_of<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        if node.kind() == kind {
            return Some(node);
        }
        let mut below: Vec<Node<'t>> = children(node).collect();
        below.reverse();
        waiting.extend(below);
    }
    None
}

/// The text of a field of a node.
pub(super) fn field_text<'s>(source: CodeText<'s>, node: Node<'_>, field: &str) -> Option<&'s str> {
    node.child_by_field_name(field).map(|child| source.of(child))
}

/// Whether a node is the condition of the node around it.
pub(super) fn is_condition(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let mut places = 0..parent.child_count();
    let place = places.find(|at| parent.child(*at) == Some(node));
    place.and_then(|at| parent.field_name_for_child(at)) == Some("condition")
}

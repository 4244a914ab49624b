//! Changes of statements in languages with braces.

use super::CodeEdit;
use super::syntax::{CodeText, only_part, parts};
use synthd_actors::pack::PackLanguage;
use tree_sitter::Node;

/// What has statements.
const BLOCKS: [&str; 8] = [
    "compound_statement",
    "statement_block",
    "block",
    "statement_list",
    "program",
    "case_statement",
    "switch_case",
    "switch_default",
];
/// What only stands around one statement.
const AROUND: [&str; 5] =
    ["compound_statement", "statement_block", "block", "statement_list", "expression_statement"];
/// Statements that leave the place where they are.
const EXITS: [&str; 7] = [
    "return_statement",
    "return_expression",
    "break_statement",
    "break_expression",
    "continue_statement",
    "continue_expression",
    "throw_statement",
];
/// Expressions that are worth a statement of their own.
const EFFECTS: [&str; 5] = [
    "call_expression",
    "assignment_expression",
    "augmented_assignment_expression",
    "compound_assignment_expr",
    "update_expression",
];
/// Operators whose results are true or false.
const TRUTHS: [&str; 11] = ["==", "!=", "===", "!==", "<", "<=", ">", ">=", "&&", "||", "!"];

/// The changes at one node.
pub(super) fn edits(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    match node.kind() {
        "if_statement" | "if_expression" => conditional(source, node),
        "expression_statement" | "assignment_statement" | "inc_statement" | "dec_statement" => {
            statement(source, node)
        }
        "break_statement" | "break_expression" => other_exit(source, node, "break", "continue"),
        "continue_statement" | "continue_expression" => {
            other_exit(source, node, "continue", "break")
        }
        "return_statement" | "return_expression" => result(source, node),
        "case_statement" | "switch_case" | "expression_case" => case(source, node),
        _ => Vec::new(),
    }
}

/// Whether a node is a statement among others.
fn is_in_block(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| BLOCKS.contains(&parent.kind()))
}

/// A guard is forgotten, or what else is to be done.
fn conditional(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(consequence) = node.child_by_field_name("consequence") else { return Vec::new() };
    if let Some(other) = node.child_by_field_name("alternative") {
        let at = (consequence.end_byte(), other.end_byte());
        return vec![CodeEdit { operator: "else_drop", at, text: String::new() }];
    }
    let around = node.parent().filter(|parent| parent.kind() == "expression_statement");
    let whole = around.unwrap_or(node);
    if !is_in_block(whole) || !is_exit(consequence) {
        return Vec::new();
    }
    vec![CodeEdit { operator: "guard_drop", at: source.lines_of(whole), text: String::new() }]
}

/// Whether a statement, or a block with one statement, leaves the place where it is.
fn is_exit(mut node: Node<'_>) -> bool {
    while AROUND.contains(&node.kind()) {
        let Some(only) = only_part(node) else { return false };
        node = only;
    }
    EXITS.contains(&node.kind())
}

/// A statement is forgotten.
fn statement(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let has_effect = node.kind() != "expression_statement"
        || only_part(node).is_some_and(|part| EFFECTS.contains(&part.kind()));
    if !has_effect || !is_in_block(node) {
        return Vec::new();
    }
    vec![CodeEdit { operator: "stmt_drop", at: source.lines_of(node), text: String::new() }]
}

/// A loop is left, or goes on.
fn other_exit(
    source: CodeText<'_>,
    node: Node<'_>,
    old: &'static str,
    new: &'static str,
) -> Vec<CodeEdit> {
    let text = source.of(node);
    let is_plain = text.trim_end_matches(';').trim_end() == old;
    let edit = || CodeEdit::of("break_continue", node, text.replacen(old, new, 1));
    is_plain.then(edit).into_iter().collect()
}

/// The answer is always the same.
fn result(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(mut value) = only_part(node) else { return Vec::new() };
    if ["expression_list", "parenthesized_expression"].contains(&value.kind()) {
        let Some(only) = only_part(value) else { return Vec::new() };
        value = only;
    }
    if !is_truth(source, value) {
        return Vec::new();
    }
    let words = if source.language == PackLanguage::C { ["1", "0"] } else { ["true", "false"] };
    words.into_iter().map(|word| CodeEdit::of("return_const", value, word)).collect()
}

/// Whether an expression is true or false.
fn is_truth(source: CodeText<'_>, node: Node<'_>) -> bool {
    let operator = match node.kind() {
        "binary_expression" => node.child_by_field_name("operator"),
        "unary_expression" => node.child(0),
        _ => None,
    };
    operator.is_some_and(|operator| TRUTHS.contains(&source.of(operator)))
}

/// A case of several is forgotten. The one without a value stays.
fn case(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let has_value = node.child_by_field_name("value").is_some();
    if !has_value || parts(node).len() < 2 {
        return Vec::new();
    }
    vec![CodeEdit { operator: "case_drop", at: source.lines_of(node), text: String::new() }]
}

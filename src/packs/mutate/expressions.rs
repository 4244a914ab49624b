//! Changes of expressions. The grammars name most of their nodes alike, so one list of kinds will do.

use super::CodeEdit;
use super::syntax::{CodeText, children, parts};
use synthd_actors::pack::PackLanguage;
use tree_sitter::Node;

/// Comparisons with their boundaries moved.
const BOUNDARIES: [(&str, &str); 8] = [
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
    ("-lt", "-le"),
    ("-le", "-lt"),
    ("-gt", "-ge"),
    ("-ge", "-gt"),
];
/// Comparisons, and what says the opposite.
const OPPOSITES: [(&str, &str); 15] = [
    ("==", "!="),
    ("!=", "=="),
    ("===", "!=="),
    ("!==", "==="),
    ("<", ">="),
    ("<=", ">"),
    (">", "<="),
    (">=", "<"),
    ("=", "!="),
    ("-eq", "-ne"),
    ("-ne", "-eq"),
    ("-lt", "-ge"),
    ("-le", "-gt"),
    ("-gt", "-le"),
    ("-ge", "-lt"),
];
/// Operators of arithmetic, and what is written instead.
const ARITHMETIC: [(&str, &str); 15] = [
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "*"),
    ("%", "/"),
    ("**", "*"),
    ("<<", ">>"),
    (">>", "<<"),
    ("&", "|"),
    ("|", "&"),
    ("^", "|"),
    ("+=", "-="),
    ("-=", "+="),
    ("*=", "+="),
    ("|=", "&="),
];
/// Operators whose operands cannot be swapped without another result.
const ORDERED: [&str; 5] = ["-", "/", "%", "<<", ">>"];
/// Operators of logic, and what is written instead.
const LOGIC: [(&str, &str); 5] =
    [("&&", "||"), ("||", "&&"), ("??", "||"), ("-a", "-o"), ("-o", "-a")];

/// Nodes whose numbers are left alone: what lies behind an array is not the same in each run, and where
/// messages go matters to nobody.
const NO_NUMBERS: [&str; 3] = ["array_declarator", "array_type", "file_redirect"];

/// What is written instead of an operator, in a list.
fn instead(list: &[(&'static str, &'static str)], operator: &str) -> Option<&'static str> {
    list.iter().find(|(old, _)| *old == operator).map(|(_, new)| *new)
}

/// The changes at one node.
pub(super) fn edits(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    match node.kind() {
        "binary_expression" => binary(source, node),
        "unary_expression" | "negated_command" => negation(source, node),
        "number_literal" | "number" | "int_literal" | "integer_literal" => number(source, node),
        "true" | "false" | "boolean_literal" => constant(source, node),
        "conditional_expression" | "ternary_expression" => branches(source, node),
        "argument_list" | "arguments" => arguments(source, node),
        "assignment_expression"
        | "augmented_assignment_expression"
        | "compound_assignment_expr"
        | "assignment_statement" => assignment(source, node),
        _ => Vec::new(),
    }
}

/// An operator between two operands.
fn binary(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let fields = ["left", "operator", "right"].map(|field| node.child_by_field_name(field));
    let [Some(left), Some(operator), Some(right)] = fields else { return Vec::new() };
    let (one, word, other) = (source.of(left), source.of(operator), source.of(right));
    let mut edits = Vec::new();
    if let Some(new) = instead(&BOUNDARIES, word) {
        edits.push(CodeEdit::of("cmp_boundary", operator, new));
    }
    if let Some(new) = opposite(source, node, word) {
        edits.push(CodeEdit::of("cmp_negate", operator, new));
    }
    if let Some(new) = instead(&ARITHMETIC, word) {
        edits.push(CodeEdit::of("arith_swap", operator, new));
    }
    if let Some(new) = instead(&LOGIC, word) {
        edits.push(CodeEdit::of("bool_swap", operator, new));
        edits.push(CodeEdit::of("bool_drop_term", node, one));
        edits.push(CodeEdit::of("bool_drop_term", node, other));
    }
    if ORDERED.contains(&word) {
        let gap = source.between(left.end_byte(), right.start_byte());
        edits.push(CodeEdit::of("operand_swap", node, format!("{other}{gap}{one}")));
    }
    edits
}

/// What says the opposite of a comparison. The tests of the shell know no `==`, and its arithmetic no
/// comparison `=`.
fn opposite(source: CodeText<'_>, node: Node<'_>, word: &str) -> Option<&'static str> {
    let new = instead(&OPPOSITES, word)?;
    let is_test = source.language == PackLanguage::Shell && !is_arithmetic(node);
    Some(if is_test && new == "==" { "=" } else { new })
}

/// Whether a node of the shell is a part of an arithmetic expression.
fn is_arithmetic(node: Node<'_>) -> bool {
    let mut around = node.parent();
    while let Some(parent) = around {
        match parent.kind() {
            "arithmetic_expansion" | "c_style_for_statement" => return true,
            "test_command" => return false,
            _ => around = parent.parent(),
        }
    }
    false
}

/// A negation is forgotten.
fn negation(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(operator) = children(node).next() else { return Vec::new() };
    let name = match source.of(operator) {
        "!" => "not_drop",
        "-" => "neg_drop",
        _ => return Vec::new(),
    };
    let operands = parts(node);
    let operand = operands.iter().rfind(|part| part.start_byte() >= operator.end_byte());
    operand.map(|operand| CodeEdit::of(name, node, source.of(*operand))).into_iter().collect()
}

/// A whole number is one more, or one less.
fn number(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let word = source.of(node);
    let is_left = node.parent().is_some_and(|parent| NO_NUMBERS.contains(&parent.kind()));
    let is_octal = word.len() > 1 && word.starts_with('0');
    let Ok(value) = word.parse::<u64>() else { return Vec::new() };
    if is_left || is_octal {
        return Vec::new();
    }
    let others = [value.checked_add(1), value.checked_sub(1)];
    let edit = |other: u64| CodeEdit::of("int_off_by_one", node, other.to_string());
    others.into_iter().flatten().map(edit).collect()
}

/// A truth value is the other one.
fn constant(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let new = match source.of(node) {
        "true" => "false",
        "false" => "true",
        _ => return Vec::new(),
    };
    vec![CodeEdit::of("bool_const", node, new)]
}

/// The branches of a conditional expression are the wrong way round.
fn branches(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let fields = ["consequence", "alternative"].map(|field| node.child_by_field_name(field));
    let [Some(first), Some(second)] = fields else { return Vec::new() };
    vec![swapped(source, "branch_swap", first, second)]
}

/// The first two arguments of a call are the wrong way round. A text is no argument that anybody takes
/// for another one.
fn arguments(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let parts = parts(node);
    let [first, second, ..] = parts.as_slice() else { return Vec::new() };
    let is_text = |part: &Node<'_>| part.kind().contains("string");
    if is_text(first) || is_text(second) || source.of(*first) == source.of(*second) {
        return Vec::new();
    }
    vec![swapped(source, "arg_swap", *first, *second)]
}

/// Two nodes the other way round, with what is between them.
fn swapped(
    source: CodeText<'_>,
    operator: &'static str,
    first: Node<'_>,
    second: Node<'_>,
) -> CodeEdit {
    let gap = source.between(first.end_byte(), second.start_byte());
    let text = format!("{}{gap}{}", source.of(second), source.of(first));
    CodeEdit { operator, at: (first.start_byte(), second.end_byte()), text }
}

/// An assignment that computes takes another operator.
fn assignment(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(operator) = node.child_by_field_name("operator") else { return Vec::new() };
    let new = instead(&ARITHMETIC, source.of(operator));
    new.map(|new| CodeEdit::of("arith_swap", operator, new)).into_iter().collect()
}

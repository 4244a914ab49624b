//! Changes of what only the shell has: commands, lists of commands, pipelines, tests, quotes.

use super::CodeEdit;
use super::syntax::{CodeText, children, is_condition, parts};
use tree_sitter::Node;

/// What has commands one after the other.
const BLOCKS: [&str; 6] =
    ["program", "compound_statement", "do_group", "if_statement", "else_clause", "case_item"];
/// Parts of such a block that are no commands.
const NO_COMMANDS: [&str; 7] = [
    "elif_clause",
    "else_clause",
    "word",
    "extglob_pattern",
    "concatenation",
    "string",
    "raw_string",
];
/// Commands that may be forgotten. Declarations stay: without one, a name is another one's.
const FORGOTTEN: [&str; 5] =
    ["command", "variable_assignment", "redirected_statement", "pipeline", "unset_command"];
/// Commands that leave the place where they are.
const EXITS: [&str; 4] = ["return", "exit", "break", "continue"];
/// Tests of one operand, and what says the opposite.
const TESTS: [(&str, &str); 2] = [("-z", "-n"), ("-n", "-z")];
/// Tests that are words of the command `test`, and what is written instead.
const WORDS: [(&str, &str); 8] = [
    ("=", "!="),
    ("!=", "="),
    ("-eq", "-ne"),
    ("-ne", "-eq"),
    ("-lt", "-le"),
    ("-le", "-lt"),
    ("-gt", "-ge"),
    ("-ge", "-gt"),
];

/// The changes at one node.
pub(super) fn edits(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let mut edits = match node.kind() {
        "if_statement" => conditional(source, node),
        "else_clause" => vec![removed(source, "else_drop", node)],
        "list" => list(source, node),
        "pipeline" => pipeline(source, node),
        "unary_expression" => test(source, node),
        "command" => command(source, node),
        "string" => quotes(source, node),
        "case_item" => case(source, node),
        _ => Vec::new(),
    };
    if FORGOTTEN.contains(&node.kind()) && is_one_of_several(source, node) {
        edits.push(removed(source, "stmt_drop", node));
    }
    edits
}

/// A node is taken away, with its lines.
fn removed(source: CodeText<'_>, operator: &'static str, node: Node<'_>) -> CodeEdit {
    CodeEdit { operator, at: source.lines_of(node), text: String::new() }
}

/// The word that a command begins with.
fn name<'s>(source: CodeText<'s>, node: Node<'_>) -> &'s str {
    let name = node.child_by_field_name("name").filter(|_| node.kind() == "command");
    name.map_or("", |name| source.of(name))
}

/// Whether a command is on lines of its own in a block that has other commands, too.
fn is_one_of_several(source: CodeText<'_>, node: Node<'_>) -> bool {
    let Some(parent) = node.parent().filter(|parent| BLOCKS.contains(&parent.kind())) else {
        return false;
    };
    let is_alone = source.lines_of(node) != (node.start_byte(), node.end_byte());
    let is_exit = EXITS.contains(&name(source, node));
    let others = parts(parent).into_iter().filter(|part| {
        *part != node && !is_condition(*part) && !NO_COMMANDS.contains(&part.kind())
    });
    is_alone && !is_exit && !is_condition(node) && others.count() > 0
}

/// A guard is forgotten: a condition that leads to an exit and to nothing else.
fn conditional(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let parts = parts(node);
    let has_other = parts.iter().any(|part| ["elif_clause", "else_clause"].contains(&part.kind()));
    let body: Vec<&Node<'_>> = parts.iter().filter(|part| !is_condition(**part)).collect();
    let is_guard = body.len() == 1 && body.iter().all(|part| EXITS.contains(&name(source, **part)));
    if has_other || !is_guard || !is_one_of_several(source, node) {
        return Vec::new();
    }
    vec![removed(source, "guard_drop", node)]
}

/// Commands that depend on each other: `one && other`.
fn list(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let mut edits = Vec::new();
    for token in children(node) {
        let other = match token.kind() {
            "&&" => "||",
            "||" => "&&",
            _ => continue,
        };
        edits.push(CodeEdit::of("bool_swap", token, other));
    }
    let parts = parts(node);
    let [first, second] = parts.as_slice() else { return edits };
    if EXITS.contains(&name(source, *second)) {
        if is_one_of_several(source, node) {
            edits.push(removed(source, "guard_drop", node));
        }
        return edits;
    }
    edits.push(CodeEdit::of("bool_drop_term", node, source.of(*first)));
    edits.push(CodeEdit::of("bool_drop_term", node, source.of(*second)));
    edits
}

/// A stage of a pipeline is forgotten. The first one has what the others read.
fn pipeline(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let parts = parts(node);
    let stages = parts.windows(2).filter_map(|pair| {
        let [before, stage] = pair else { return None };
        let at = (before.end_byte(), stage.end_byte());
        Some(CodeEdit { operator: "stage_drop", at, text: String::new() })
    });
    let stages: Vec<CodeEdit> = stages.collect();
    let bars = children(node).filter(|token| token.kind() == "|").count();
    // With `|&`, or with redirections between, the parts are no stages.
    if bars == stages.len() && !source.of(node).contains("|&") { stages } else { Vec::new() }
}

/// A test of one operand says the opposite.
fn test(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(operator) = node.child_by_field_name("operator") else { return Vec::new() };
    let found = TESTS.iter().find(|(old, _)| *old == source.of(operator));
    found.map(|(_, new)| CodeEdit::of("test_negate", operator, *new)).into_iter().collect()
}

/// The words of a command: another loop is left, or `test` asks something else.
fn command(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let Some(word) = node.child_by_field_name("name") else { return Vec::new() };
    match source.of(word) {
        "break" => vec![CodeEdit::of("break_continue", word, "continue")],
        "continue" => vec![CodeEdit::of("break_continue", word, "break")],
        "test" => parts(node).into_iter().filter_map(|part| asked(source, part)).collect(),
        _ => Vec::new(),
    }
}

/// A word of `test` that asks something else.
fn asked(source: CodeText<'_>, part: Node<'_>) -> Option<CodeEdit> {
    let mut lists = WORDS.iter().chain(&TESTS);
    let (_, new) = lists.find(|(old, _)| *old == source.of(part))?;
    Some(CodeEdit::of("test_negate", part, *new))
}

/// The quotes around one variable are forgotten.
fn quotes(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let parts = parts(node);
    let [part] = parts.as_slice() else { return Vec::new() };
    let is_variable = ["simple_expansion", "expansion"].contains(&part.kind());
    let inside = source.of(*part);
    if !is_variable || source.of(node) != format!("\"{inside}\"") {
        return Vec::new();
    }
    vec![CodeEdit::of("quote_drop", node, inside)]
}

/// A case of several is forgotten.
fn case(source: CodeText<'_>, node: Node<'_>) -> Vec<CodeEdit> {
    let others = node.parent().map_or(Vec::new(), parts);
    let others = others.iter().filter(|part| part.kind() == "case_item").count();
    if others < 2 {
        return Vec::new();
    }
    vec![removed(source, "case_drop", node)]
}

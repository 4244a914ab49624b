//! Takes the bodies of functions away. What stands there instead compiles and fails clearly. Only a
//! function with a comment in front of it has something that says what is right, and only one with
//! some statements is worth a task.

use super::CodeEdit;
use super::syntax::{CodeText, only_part, parts};
use synthd_actors::pack::PackLanguage;
use tree_sitter::Node;

/// Functions that may lose their bodies.
const FUNCTIONS: [&str; 6] = [
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "method_declaration",
    "method_definition",
    "function_item",
];
/// What a program cannot begin without.
const NEEDED: [&str; 3] = ["main", "init", "constructor"];
/// What may stand between a comment and its function.
const BETWEEN: [&str; 3] = ["attribute_item", "decorator", "export_statement"];
/// The least statements of a body.
const LEAST: usize = 3;

/// The function at a node without its body. None for most nodes.
pub(super) fn stub(source: CodeText<'_>, node: Node<'_>) -> Option<CodeEdit> {
    if !FUNCTIONS.contains(&node.kind()) || !is_documented(node) || is_needed(source, node) {
        return None;
    }
    let body = node.child_by_field_name("body")?;
    let list = only_part(body).filter(|part| part.kind() == "statement_list").unwrap_or(body);
    if parts(list).len() < LEAST {
        return None;
    }
    let indent = source.indent_of(node);
    let lines: String =
        instead(source, node).iter().map(|line| format!("{indent}{line}\n")).collect();
    Some(CodeEdit::of("stub", body, format!("{{\n{lines}{indent}}}")))
}

/// Whether a comment stands in front of a function.
fn is_documented(node: Node<'_>) -> bool {
    let around = node.parent().filter(|parent| BETWEEN.contains(&parent.kind()));
    let mut before = around.unwrap_or(node).prev_named_sibling();
    while let Some(sibling) = before.filter(|sibling| BETWEEN.contains(&sibling.kind())) {
        before = sibling.prev_named_sibling();
    }
    before.is_some_and(|sibling| sibling.kind().contains("comment"))
}

/// Whether a function must be there for the program to begin.
fn is_needed(source: CodeText<'_>, node: Node<'_>) -> bool {
    super::scope_name(source, node).is_none_or(|name| {
        let name = name.rsplit('.').next().unwrap_or_default();
        NEEDED.contains(&name)
    })
}

/// The lines that stand instead of a body.
fn instead(source: CodeText<'_>, function: Node<'_>) -> Vec<String> {
    let lines: &[&str] = match source.language {
        PackLanguage::C => return instead_in_c(source, function),
        PackLanguage::Python => &["    raise NotImplementedError"],
        PackLanguage::JavaScript | PackLanguage::TypeScript => {
            &["  throw new Error(\"not implemented\");"]
        }
        PackLanguage::Shell => &["    echo \"not implemented\" >&2", "    return 70"],
        PackLanguage::Go => &["\tpanic(\"not implemented\")"],
        PackLanguage::Rust => &["    unimplemented!()"],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The same in C. Compilers are often told to refuse parameters that nobody uses. Without its headers,
/// the names of functions are not known.
fn instead_in_c(source: CodeText<'_>, function: Node<'_>) -> Vec<String> {
    let names = parameters(function).into_iter().filter_map(super::declared_name);
    let mut lines: Vec<String> =
        names.map(|name| format!("    (void){};", source.of(name))).collect();
    if has_headers(source) {
        lines.push("    fprintf(stderr, \"not implemented\\n\");".to_owned());
        lines.push("    exit(70);".to_owned());
    } else {
        lines.push("    __builtin_trap(); /* not implemented */".to_owned());
    }
    lines
}

/// The parameters of a function in C.
fn parameters(function: Node<'_>) -> Vec<Node<'_>> {
    let mut around = function.child_by_field_name("declarator");
    while let Some(node) = around.filter(|node| node.kind() != "function_declarator") {
        around = node.child_by_field_name("declarator");
    }
    around.and_then(|node| node.child_by_field_name("parameters")).map_or(Vec::new(), parts)
}

/// Whether a source of C includes what the stub needs.
fn has_headers(source: CodeText<'_>) -> bool {
    ["<stdio.h>", "<stdlib.h>"].iter().all(|header| source.text.contains(header))
}

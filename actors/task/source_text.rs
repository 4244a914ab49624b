//! What may stand in a source without changing what the program does, for each language: comments, and
//! functions that nobody calls. No syntax tree is made: a place counts only if its text says that it is one.

use crate::pack::{PackFile, PackLanguage};

/// Functions that nobody calls, of each language that has some. `NUMBER` stands for a number.
const SHELL_SPARE: [&str; 2] = [
    "# Shows words while somebody looks for an error.\naside_NUMBER() {\n    printf '%s\\n' \"$*\" >&2\n}\n",
    "# The length of a word.\naside_NUMBER() {\n    printf '%s\\n' \"${#1}\"\n}\n",
];
const C_SPARE: [&str; 2] = [
    "/* The smaller one of two numbers. */\nstatic inline int aside_NUMBER(int one, int other)\n{\n    return one < other ? one : other;\n}\n",
    "/* Whether there is something at all. */\nstatic inline int aside_NUMBER(const void *value)\n{\n    return value != 0;\n}\n",
];
const JAVASCRIPT_SPARE: [&str; 2] = [
    "// Whether there is something at all.\nfunction asideNUMBER(value) {\n    return value !== undefined;\n}\n",
    "// The smaller one of two numbers.\nfunction asideNUMBER(one, other) {\n    return one < other ? one : other;\n}\n",
];
const GO_SPARE: [&str; 2] = [
    "// asideNUMBER is the smaller one of two numbers.\nfunc asideNUMBER(one, other int) int {\n\tif one < other {\n\t\treturn one\n\t}\n\treturn other\n}\n",
    "// asideNUMBER says whether there is something at all.\nfunc asideNUMBER(value string) bool {\n\treturn value != \"\"\n}\n",
];

/// A comment that is a line of its own, with its newline. `text` has no quotes.
pub(super) fn comment_line(language: PackLanguage, indent: &str, text: &str) -> String {
    match language {
        PackLanguage::Python | PackLanguage::Shell => format!("{indent}# {text}\n"),
        PackLanguage::C => format!("{indent}/* {text} */\n"),
        PackLanguage::JavaScript
        | PackLanguage::TypeScript
        | PackLanguage::Go
        | PackLanguage::Rust => format!("{indent}// {text}\n"),
    }
}

/// Whether a line begins a definition at the left margin. `next` is the line behind it.
pub(super) fn is_definition(language: PackLanguage, line: &str, next: &str) -> bool {
    let starts = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
    match language {
        PackLanguage::Python => starts(&["def ", "class "]),
        PackLanguage::Shell => line.split_once("()").is_some_and(|(name, _)| is_name(name)),
        PackLanguage::C => is_c_function(line.trim_end(), next),
        PackLanguage::JavaScript | PackLanguage::TypeScript => {
            let line = line.strip_prefix("export ").unwrap_or(line);
            ["function ", "async function ", "class "].iter().any(|word| line.starts_with(word))
        }
        PackLanguage::Go => starts(&["func "]),
        PackLanguage::Rust => starts(&["fn ", "pub fn ", "pub(crate) fn "]),
    }
}

/// Whether a line is the head of a function of C: its body begins with this line, or with the next one.
fn is_c_function(line: &str, next: &str) -> bool {
    let has_body = line.ends_with('{') || (line.ends_with(')') && next.starts_with('{'));
    line.starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains('(') && has_body
}

/// Whether a text is a name of a function.
fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_letter)
}

/// A function that nobody calls, for the end of a source. None if the source does not end with a function,
/// or if its language complains of such functions. `drawn` chooses the function.
pub(super) fn spare_function(
    language: PackLanguage,
    file: &PackFile,
    number: usize,
    drawn: usize,
) -> Option<String> {
    let functions = match language {
        PackLanguage::Shell => &SHELL_SPARE,
        PackLanguage::C if file.path.ends_with(".c") => &C_SPARE,
        PackLanguage::JavaScript => &JAVASCRIPT_SPARE,
        PackLanguage::Go => &GO_SPARE,
        PackLanguage::C | PackLanguage::Python | PackLanguage::Rust | PackLanguage::TypeScript => {
            return None;
        }
    };
    // Behind a function, a shell script ends as it did before, and so does a header.
    let is_place = file.content.trim_end().ends_with("\n}");
    let function = functions.get(drawn % functions.len())?;
    is_place.then(|| function.replace("NUMBER", &number.to_string()))
}

/// Whether a comment may be a line of its own before the line that begins at byte `at` of a source.
pub(super) fn may_have_comment(language: PackLanguage, content: &str, at: usize) -> bool {
    let before = content.get(..at).unwrap_or_default();
    let Some(last) = before.lines().next_back().map(str::trim_end) else { return false };
    let is_statement = last.ends_with(['{', '}', ';']);
    let is_outside = before.matches('`').count() % 2 == 0;
    match language {
        PackLanguage::Shell => !last.ends_with('\\') && reads_commands(before),
        PackLanguage::C | PackLanguage::Rust => is_statement,
        PackLanguage::JavaScript | PackLanguage::TypeScript => is_statement && is_outside,
        PackLanguage::Go => !last.is_empty() && is_outside,
        PackLanguage::Python => false,
    }
}

/// Whether a shell reads commands at the end of these lines: no quote and no here-document is open.
fn reads_commands(text: &str) -> bool {
    let (mut quote, mut document): (Option<char>, Option<&str>) = (None, None);
    for line in text.lines() {
        if let Some(word) = document {
            document = (line.trim_start() != word).then_some(word);
            continue;
        }
        quote = open_quote(line, quote);
        document = here_document(line).filter(|_| quote.is_none());
    }
    quote.is_none() && document.is_none()
}

/// The quote that is open behind a line of the shell, if `quote` is open before it.
fn open_quote(line: &str, mut quote: Option<char>) -> Option<char> {
    let (mut chars, mut last) = (line.chars(), ' ');
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '#') if last.is_whitespace() => return None,
            (None | Some('"'), '\\') => {
                last = chars.next().unwrap_or(c);
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        last = c;
    }
    quote
}

/// The word that ends the here-document which begins behind a line of the shell.
fn here_document(line: &str) -> Option<&str> {
    let (_, after) = line.split_once("<<")?;
    let after = after.trim_start_matches(['-', ' ', '\'', '"', '\\']);
    let word = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    is_name(word).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
# It isn't much.
one() {
    cat <<'END'
it's a text
END
    x=\"two
lines\"
    awk '
        { print }
    ' \\
        a b
    y=${x#?}
}
";

    fn file(path: &str, content: &str) -> PackFile {
        PackFile { path: path.to_owned(), content: content.to_owned(), executable: false }
    }

    /// The lines of the script before which a comment may stand.
    fn places(language: PackLanguage, text: &str) -> Vec<&str> {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let places = starts.filter(|at| *at < text.len() && may_have_comment(language, text, *at));
        places.filter_map(|at| text.get(at..)?.lines().next()).map(str::trim).collect()
    }

    #[test]
    fn a_comment_of_the_shell_stands_in_no_quote_and_no_document() {
        let expected = ["one() {", "cat <<'END'", "x=\"two", "awk '", "y=${x#?}", "}"];
        assert_eq!(places(PackLanguage::Shell, SCRIPT), expected);
        assert!(!may_have_comment(PackLanguage::Shell, SCRIPT, 0), "nothing stands before it");
    }

    #[test]
    fn a_comment_of_c_stands_between_statements() {
        let text = "int f(int a,\n      int b)\n{\n    g(a,\n      b);\n    return a;\n}\n";
        assert_eq!(places(PackLanguage::C, text), ["g(a,", "return a;", "}"]);
        assert_eq!(comment_line(PackLanguage::C, "  ", "So."), "  /* So. */\n");
    }

    #[test]
    fn a_comment_of_javascript_is_no_part_of_a_template() {
        let text = "f(`\n  a;\n  b`);\nreturn;\n";
        assert_eq!(places(PackLanguage::JavaScript, text), ["return;"]);
        assert_eq!(comment_line(PackLanguage::JavaScript, "", "So."), "// So.\n");
    }

    #[test]
    fn definitions_are_those_of_the_language() {
        let is = |language, line, next| is_definition(language, line, next);
        assert!(is(PackLanguage::Shell, "add_item() {", ""));
        assert!(!is(PackLanguage::Shell, "echo \"$()\"", ""));
        assert!(is(PackLanguage::C, "static int f(int a)", "{"));
        assert!(is(PackLanguage::C, "int f(void) {", ""));
        assert!(!is(PackLanguage::C, "static int f(int a);", ""));
        assert!(is(PackLanguage::JavaScript, "export async function f() {", ""));
        assert!(is(PackLanguage::Go, "func f() {", "") && !is(PackLanguage::Go, "  func", ""));
    }

    #[test]
    fn a_spare_function_stands_behind_a_function() {
        let spare = |language, path, content| spare_function(language, &file(path, content), 7, 3);
        let found = spare(PackLanguage::Shell, "a.sh", "f() {\n    :\n}\n").unwrap();
        assert!(found.contains("aside_7() {\n"), "{found}");
        assert_eq!(spare(PackLanguage::Shell, "a.sh", "f() {\n    :\n}\nf \"$1\"\n"), None);
        assert!(spare(PackLanguage::C, "a.c", "int f(void)\n{\n}\n").is_some());
        assert_eq!(spare(PackLanguage::C, "a.h", "struct a {\n}\n"), None);
    }
}

//! The words of a text that are no code: fenced blocks, spans between backticks, lines that begin like
//! JSON, tags or tables, and words with signs of paths and programs are left out.

/// Begins of lines that are no prose.
const CODE_LINES: [char; 9] = ['{', '}', '[', ']', '<', '"', '|', '$', '>'];
/// Signs within words of programs, paths and addresses.
const CODE_SIGNS: [char; 16] =
    ['_', '/', '\\', '=', '{', '}', '<', '>', '[', ']', '(', ';', '$', '#', '@', '+'];

/// Shows every word of prose, as it stands.
pub(super) fn words_of_prose(text: &str, see: &mut dyn FnMut(&str)) {
    let mut fenced = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with(CODE_LINES) {
            words_of_line(line, see);
        }
    }
}

fn words_of_line(line: &str, see: &mut dyn FnMut(&str)) {
    // Every second part stands between backticks.
    for part in line.split('`').step_by(2) {
        for token in part.split_whitespace() {
            let token = token.trim_matches(|letter: char| !letter.is_alphanumeric());
            if is_code(token) {
                continue;
            }
            let words = token.split(|letter: char| !letter.is_alphabetic() && letter != '\'');
            words.filter(|word| !word.is_empty()).for_each(&mut *see);
        }
    }
}

/// Whether a token is a name of a program, a path or an address.
fn is_code(token: &str) -> bool {
    let mut letters = token.chars();
    let camel = letters.next().is_some_and(char::is_lowercase) && letters.any(char::is_uppercase);
    let inner_sign = token.contains(CODE_SIGNS) || token.contains("::");
    let dotted = token.is_ascii() && token.contains(['.', ':']);
    camel || inner_sign || dotted || token.is_ascii() && token.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_left_out() {
        for (text, expected) in [
            ("Read `the file` now.", "Read now"),
            ("Open src/main.rs, then run_tests() and parseFile.", "Open then and"),
            ("```\nlet x = 1;\n```\nDone.", "Done"),
            (
                "{\"a\": \"b\"}\n<tag> x\nIt's a well-known (old) error.",
                "It's a well known old error",
            ),
            ("è vero，这是 x", "è vero 这是 x"),
            ("a.b.c v2 x86 std::fmt", ""),
        ] {
            let mut words = Vec::new();
            words_of_prose(text, &mut |word| words.push(word.to_owned()));
            assert_eq!(words.join(" "), expected, "{text}");
        }
    }
}

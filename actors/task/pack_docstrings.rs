//! Takes the docstrings out of a module of Python. It goes by lines, and parses nothing: what it does
//! not know stays.

/// The quotes around a docstring.
const QUOTES: &str = "\"\"\"";

/// The text without the docstrings of the module, its classes and its functions. Where a docstring is
/// all that a class or a function has, `pass` stands in its place.
pub(super) fn without_docstrings(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut made = String::with_capacity(text.len());
    let mut before: Option<&str> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let end = if opens(before) { docstring_end(&lines, at) } else { None };
        let Some(end) = end else {
            made.push_str(line);
            before = Some(line.trim()).filter(|line| !line.is_empty()).or(before);
            at += 1;
            continue;
        };
        let rest = lines.get(end + 1..).unwrap_or_default();
        let next = rest.iter().find(|line| !line.trim().is_empty());
        let is_all = next.is_none_or(|next| indent(next) != indent(line));
        if is_all && !indent(line).is_empty() {
            made.push_str(&format!("{}pass\n", indent(line)));
        }
        before = Some("");
        at = end + 1;
    }
    made
}

/// Whether a docstring may stand behind a line: at the start, and behind the head of a class or of a
/// function.
fn opens(before: Option<&str>) -> bool {
    let Some(line) = before else { return true };
    line.ends_with(':') && ["def ", "async def ", "class ", ")"].iter().any(|s| line.starts_with(s))
}

/// The number of the last line of a docstring that begins in a line. None if none begins there.
fn docstring_end(lines: &[&str], at: usize) -> Option<usize> {
    let rest = lines.get(at)?.trim().strip_prefix(QUOTES)?;
    if rest.ends_with(QUOTES) {
        return Some(at);
    }
    if rest.contains(QUOTES) {
        return None;
    }
    let behind = lines.get(at + 1..)?;
    let more = behind.iter().position(|line| line.contains(QUOTES))?;
    let end = at + 1 + more;
    lines.get(end)?.trim_end().ends_with(QUOTES).then_some(end)
}

/// The blanks before a line.
fn indent(line: &str) -> &str {
    let rest = line.trim_start_matches([' ', '\t']);
    line.strip_suffix(rest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docstrings_go_and_all_else_stays() {
        for (text, without) in [
            ("\"\"\"A module.\"\"\"\n\nX = 1\n", "\nX = 1\n"),
            (
                "def f():\n    \"\"\"Does.\n\n    More.\n    \"\"\"\n    return 1\n",
                "def f():\n    return 1\n",
            ),
            (
                "class E(Exception):\n    \"\"\"Bad.\"\"\"\n\n\nX = 1\n",
                "class E(Exception):\n    pass\n\n\nX = 1\n",
            ),
            ("class E(Exception):\n    \"\"\"Bad.\"\"\"\n", "class E(Exception):\n    pass\n"),
            (
                "def f(\n    a,\n):\n    \"\"\"Does.\"\"\"\n    return a\n",
                "def f(\n    a,\n):\n    return a\n",
            ),
            (
                "class A:\n    \"\"\"One.\"\"\"\n\n    def f(self):\n        pass\n",
                "class A:\n\n    def f(self):\n        pass\n",
            ),
        ] {
            assert_eq!(without_docstrings(text), without, "{text}");
        }
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "X = \"\"\"a\nb\"\"\"\n",
            "def f():\n    return \"\"\"a\"\"\"\n",
            "if X:\n    \"\"\"a\"\"\"\n",
            "def f():\n    \"\"\"a\"\"\".strip()\n",
            "def f():\n    \"\"\"a\n",
        ] {
            assert_eq!(without_docstrings(text), text);
        }
    }
}

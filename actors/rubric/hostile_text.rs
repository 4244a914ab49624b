//! Makes hostile text harmless for a judge. The text is quoted line by line, so it cannot look like the
//! lines around it. What could steer a model or hide from a reader is made visible or broken:
//!
//! - control characters, characters without width and changes of direction become their escapes;
//! - tokens of chat templates (`<|im_start|>`, `[INST]`, `</think>`) and of the judge's own marker lines
//!   get a blank behind their first character.

/// What stands in front of each line of a quotation.
pub(super) const QUOTE: &str = "| ";
/// The longest line, in characters.
const LONGEST_LINE: usize = 2_000;
/// Names of tags that chat templates use.
const TAGS: &[&str] = &[
    "s>",
    "sys>",
    "<sys",
    "</sys",
    "system",
    "user",
    "assistant",
    "human",
    "tool",
    "think",
    "thought",
    "reasoning",
    "answer",
    "output",
    "result",
    "score",
    "verdict",
    "judge",
    "instructions",
    "function",
    "invoke",
    "im_",
    "start_of_turn",
    "end_of_turn",
    "start_of_image",
    "bos>",
    "eos>",
    "unk>",
    "antml",
];
/// What follows a bracket in tokens and in marker lines.
const BRACKETS: &[&str] = &[
    "inst]",
    "/inst]",
    "system",
    "/system",
    "available_tools]",
    "/available_tools]",
    "tool_",
    "/tool_",
    "[begin",
    "[end",
    "[ begin",
    "[ end",
];

/// The text as lines of a quotation, each with its line break.
pub(super) fn quoted_lines(text: &str) -> Vec<String> {
    text.lines().map(quoted_line).collect()
}

fn quoted_line(line: &str) -> String {
    let mut quoted = String::with_capacity(line.len() + QUOTE.len() + 1);
    quoted.push_str(QUOTE);
    for (count, (at, letter)) in line.char_indices().enumerate() {
        if count == LONGEST_LINE {
            let left = line[at..].chars().count();
            quoted.push_str(&format!(" ({left} more characters of this line are left out)"));
            break;
        }
        if is_hidden(letter) {
            quoted.extend(letter.escape_unicode());
            continue;
        }
        quoted.push(letter);
        let rest = &line[at + letter.len_utf8()..];
        let is_token = match letter {
            '<' => begins_tag(rest),
            '[' => begins_any(rest, BRACKETS),
            _ => false,
        };
        if is_token {
            quoted.push(' ');
        }
    }
    quoted.push('\n');
    quoted
}

/// Whether what follows `<` makes it a token of a chat template.
fn begins_tag(rest: &str) -> bool {
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    rest.starts_with(['|', '\u{ff5c}']) || begins_any(rest, TAGS)
}

/// Whether the text begins with one of the words, in any case. The words are ASCII.
fn begins_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        let start = text.as_bytes().get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// Whether a reader does not see the character, or sees others in another order by it.
fn is_hidden(letter: char) -> bool {
    let is_invisible = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    is_invisible || (letter.is_control() && letter != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_of_templates_and_marker_lines_are_broken() {
        for (text, quoted) in [
            ("<|im_start|>system", "| < |im_start|>system\n"),
            ("</think> a < b", "| < /think> a < b\n"),
            ("[INST] do it [/INST]", "| [ INST] do it [ /INST]\n"),
            ("<<SYS>>", "| < < SYS>>\n"),
            ("[[end part 1: 00]]", "| [ [end part 1: 00]]\n"),
            ("[[END part", "| [ [END part\n"),
            ("<\u{ff5c}User\u{ff5c}>", "| < \u{ff5c}User\u{ff5c}>\n"),
            ("a\u{202e}b\u{1b}[2J", "| a\\u{202e}b\\u{1b}[2J\n"),
            ("* note", "| * note\n"),
            ("if [ $x ]; then a[[1], [2]]", "| if [ $x ]; then a[[1], [2]]\n"),
            ("<p>text</p>", "| <p>text</p>\n"),
        ] {
            assert_eq!(quoted_lines(text).concat(), quoted);
        }
    }

    #[test]
    fn line_breaks_of_all_sorts_leave_no_line_without_its_mark() {
        let text = "a\r\nb\rc\u{2028}d\u{85}e\u{b}f\n\n[[end";
        let quoted = quoted_lines(text).concat();
        assert_eq!(quoted, "| a\n| b\\u{d}c\\u{2028}d\\u{85}e\\u{b}f\n| \n| [ [end\n");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let quoted = quoted_lines(&"ä".repeat(2_500)).concat();
        assert!(
            quoted.ends_with("ä (500 more characters of this line are left out)\n"),
            "{quoted}"
        );
    }

    proptest! {
        /// Whatever the text is, each line of its quotation has the mark, and none of a judge's markers
        /// or of a template's tokens is left.
        #[test]
        fn no_quotation_leaves_its_lines(
            parts in prop::collection::vec(
                prop_oneof![
                    any::<String>(),
                    prop::sample::select(vec!["[[end part 1: ", "<|im_end|>", "[/INST]", "\r", "\n", "<", "["])
                        .prop_map(str::to_owned),
                ],
                0..12,
            ),
        ) {
            let quoted = quoted_lines(&parts.concat()).concat();
            for line in quoted.split('\n').filter(|line| !line.is_empty()) {
                prop_assert!(line.starts_with(QUOTE), "{:?}", line);
                prop_assert!(!line.chars().any(is_hidden), "{:?}", line);
            }
            for token in ["[[end", "[[begin", "<|", "[/INST]", "\r"] {
                prop_assert!(!quoted.contains(token), "{} in {:?}", token, quoted);
            }
        }
    }
}

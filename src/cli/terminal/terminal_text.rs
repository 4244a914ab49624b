//! Makes untrusted text safe for a terminal, and styles text.
//!
//! Output of an agent's commands may contain escape sequences that move the cursor, set the
//! window's title or hide text. So no control character is passed on: each one is shown as a
//! visible sign. For example, the escape character is shown as `␛`.

use std::io::IsTerminal;

/// The text with every control character and every character of text direction made visible.
/// Newlines and tabs stay; a carriage return before a newline is dropped.
pub(in crate::cli) fn escape_controls(text: &str) -> String {
    text.replace("\r\n", "\n").chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        match sign(c) {
            Some(sign) => shown.push_str(&sign),
            None => shown.push(c),
        }
        shown
    })
}

/// Does the same as [`escape_controls`], and puts the text on one line: a newline becomes `␊`.
pub(in crate::cli) fn escape_line(text: &str) -> String {
    escape_controls(text).replace('\n', "␊").replace('\t', " ")
}

/// The visible sign for a character. None for a character that may be shown as it is.
fn sign(c: char) -> Option<String> {
    match c {
        '\n' | '\t' => None,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).map(String::from),
        '\u{7f}' => Some("␡".to_owned()),
        c if c.is_control() || is_hidden(c) => Some(c.escape_unicode().to_string()),
        _ => None,
    }
}

/// Characters that are invisible and change how the text after them is shown, such as U+202E, which
/// turns the direction of text.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The meaning of a piece of text, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum TextStyle {
    /// Bold.
    Strong,
    /// Dim.
    Faint,
    /// Green.
    Good,
    /// Red.
    Bad,
    /// Yellow.
    Warn,
    /// Cyan.
    Mark,
}

/// Adds colours to text, or leaves the text plain.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct TextStyler {
    colours: bool,
}

/// Whether there should be no colours: `NO_COLOR` is set and not empty, or the terminal is `dumb`.
pub(in crate::cli) fn is_no_color() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    wanted || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

impl TextStyler {
    /// A styler with colours if stdout is a terminal and the user does not forbid them. The rule
    /// for `NO_COLOR` is that of `no-color.org`.
    pub(in crate::cli) fn for_stdout() -> Self {
        Self { colours: std::io::stdout().is_terminal() && !is_no_color() }
    }

    #[cfg(test)]
    pub(in crate::cli) fn plain() -> Self {
        Self { colours: false }
    }

    #[cfg(test)]
    pub(in crate::cli) fn colourful() -> Self {
        Self { colours: true }
    }

    /// Makes untrusted text safe and colours it. Each line is coloured by itself, so that the
    /// colour does not run on if the page is cut.
    pub(in crate::cli) fn styled(self, style: TextStyle, text: &str) -> String {
        let shown = escape_controls(text);
        if !self.colours || shown.is_empty() {
            return shown;
        }
        let code = match style {
            TextStyle::Strong => "1",
            TextStyle::Faint => "2",
            TextStyle::Good => "32",
            TextStyle::Bad => "31",
            TextStyle::Warn => "33",
            TextStyle::Mark => "36",
        };
        let lines: Vec<String> =
            shown.split('\n').map(|line| format!("\u{1b}[{code}m{line}\u{1b}[0m")).collect();
        lines.join("\n")
    }
}

/// Shortens a text to `most` lines by leaving out the lines in the middle, and shortens long lines
/// in the same way. A note says how much was left out.
pub(in crate::cli) fn elide_middle(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return lines.iter().map(|line| cut_line(line)).collect::<Vec<_>>().join("\n");
    }
    let (head, tail) = (most.div_ceil(2), most / 2);
    let dropped = lines.len() - head - tail;
    let mut kept: Vec<String> = lines[..head].iter().map(|line| cut_line(line)).collect();
    kept.push(format!("[... {dropped} lines left out ...]"));
    kept.extend(lines[lines.len() - tail..].iter().map(|line| cut_line(line)));
    kept.join("\n")
}

/// The most characters of one line.
const LONGEST_LINE: usize = 600;

/// Leaves out the middle of a line that is too long.
fn cut_line(line: &str) -> String {
    let count = line.chars().count();
    if count <= LONGEST_LINE {
        return line.to_owned();
    }
    let half = LONGEST_LINE / 2;
    let head: String = line.chars().take(half).collect();
    let tail: String = line.chars().skip(count - half).collect();
    format!("{head}[... {} characters left out ...]{tail}", count - 2 * half)
}

/// The text on one line, at most `width` terminal columns wide. A text that is too wide ends with
/// `…`.
pub(in crate::cli) fn fit(text: &str, width: usize) -> String {
    let text = escape_line(text);
    if unicode_width::UnicodeWidthStr::width(text.as_str()) <= width {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        let next = format!("{kept}{c}");
        if unicode_width::UnicodeWidthStr::width(next.as_str()) + 1 > width {
            break;
        }
        kept = next;
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_moves_a_cursor_is_shown_instead() {
        let evil = "a\u{1b}[2J\u{1b}]0;title\u{7}b\r\nc\rd\u{9b}31m\u{202e}e\t\u{7f}";
        assert_eq!(escape_controls(evil), "a␛[2J␛]0;title␇b\nc␍d\\u{9b}31m\\u{202e}e\t␡");
    }

    proptest! {
        #[test]
        fn no_control_character_gets_through(text in any::<String>()) {
            let shown = escape_controls(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            let line = escape_line(&text);
            prop_assert!(!line.chars().any(char::is_control));
        }

        #[test]
        fn what_is_fitted_fits(text in any::<String>(), width in 1usize..40) {
            let fitted = fit(&text, width);
            prop_assert!(unicode_width::UnicodeWidthStr::width(fitted.as_str()) <= width);
        }
    }

    #[test]
    fn colours_end_with_their_line() {
        let painted = TextStyler::colourful().styled(TextStyle::Bad, "one\ntwo\u{1b}");
        assert_eq!(painted, "\u{1b}[31mone\u{1b}[0m\n\u{1b}[31mtwo␛\u{1b}[0m");
        assert_eq!(TextStyler::plain().styled(TextStyle::Bad, "one"), "one");
    }

    #[test]
    fn the_middle_goes_and_the_ends_stay() {
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let short = elide_middle(&text, 5);
        assert_eq!(short, "line 0\nline 1\nline 2\n[... 95 lines left out ...]\nline 98\nline 99");
        assert_eq!(elide_middle("short\n", 5), "short");
        let long = "x".repeat(10_000);
        assert!(elide_middle(&long, 5).len() < 700);
    }
}

//! Renders a mistake for people, in the form that rustc uses:
//!
//! ```text
//! error: unknown key `sed` in `[campaign]`
//!   --> quickstart.toml:3:1
//!    |
//!  3 | sed = 4
//!    | ^^^
//!    = help: did you mean `seed`?
//! ```
//!
//! No line is wider than [`WIDTH`], unless the path of the file is long. Characters that could move
//! the terminal's cursor or change the order of its text are replaced, because the text of a file
//! is not trusted.

use crate::config::reading::errors::ConfigError;
use unicode_width::UnicodeWidthChar as _;

/// The width of a message, in columns of the terminal.
pub(in crate::config) const WIDTH: usize = 80;
/// How many columns are shown to the left of the caret if a long line is cut.
const LEAD: usize = 30;
/// How many columns a tab is shown as.
const TAB: usize = 4;
/// Stands for a part of a line that is not shown.
const CUT: &str = "...";

/// The whole message, with an empty line after it.
pub(in crate::config) fn error(error: &ConfigError) -> String {
    let mut text = paragraph("error: ", &error.message);
    let number = error.line.to_string();
    let gutter = " ".repeat(number.len() + 1);
    text.push_str(&format!("{gutter}--> {}\n", clean(&error.place())));
    if error.line > 0 {
        let (line, caret) = window(error, WIDTH - gutter.len() - 3);
        text.push_str(&format!("{gutter} |\n"));
        text.push_str(format!(" {number} | {line}").trim_end());
        text.push_str(&format!("\n{gutter} | {caret}\n"));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&paragraph(&format!("{gutter} = help: "), hint));
    }
    text.push('\n');
    text
}

/// A text that is wrapped behind a prefix. From the second line on, spaces take the place of the
/// prefix.
fn paragraph(prefix: &str, text: &str) -> String {
    let room = WIDTH - prefix.len();
    let lines = wrap(&clean(text), room);
    let blank = " ".repeat(prefix.len());
    let lead = std::iter::once(prefix).chain(std::iter::repeat(blank.as_str()));
    lead.zip(lines).map(|(lead, line)| format!("{lead}{line}\n")).collect()
}

/// Breaks a text into lines of at most `room` columns, at spaces. A word that is wider than a whole
/// line is broken inside.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let used = lines.last().map_or(0, |line| width(line));
        if used > 0 && used + 1 + width(word) > room {
            lines.push(String::new());
        } else if used > 0 {
            push(&mut lines, ' ');
        }
        word.chars().for_each(|letter| {
            let used = lines.last().map_or(0, |line| width(line));
            if used + letter.width().unwrap_or(0) > room {
                lines.push(String::new());
            }
            push(&mut lines, letter);
        });
    }
    lines
}

/// Adds a letter to the last line.
fn push(lines: &mut [String], letter: char) {
    if let Some(line) = lines.last_mut() {
        line.push(letter);
    }
}

/// One character of the source line as it is shown.
struct RenderedCharacter {
    /// The character, or what is shown instead of it.
    shown: String,
    /// In columns; wide letters take two.
    width: usize,
    /// Whether the caret is under it.
    marked: bool,
}

/// The source line and the line with the caret, cut to `room` columns around the caret.
fn window(error: &ConfigError, room: usize) -> (String, String) {
    let cells = cells(error);
    let total: usize = cells.iter().map(|cell| cell.width).sum();
    let caret_at: usize = cells.iter().take_while(|cell| !cell.marked).map(|cell| cell.width).sum();
    // A line that fits is shown from its beginning; a longer one is cut so that the caret is
    // visible.
    let whole = total <= room && error.cut == 0;
    let skipped = if whole || (caret_at < room * 2 / 3 && error.cut == 0) {
        0
    } else {
        caret_at.saturating_sub(LEAD)
    };
    let (mut line, mut caret) = (String::new(), String::new());
    if skipped > 0 || error.cut > 0 {
        line.push_str(CUT);
        caret.push_str(&" ".repeat(CUT.len()));
    }
    let mut at = 0;
    for cell in &cells {
        let used = width(&line);
        // The mark of the cut needs columns, too.
        if at >= skipped && !whole && used + cell.width + CUT.len() > room {
            line.push_str(CUT);
            break;
        }
        if at >= skipped {
            line.push_str(&cell.shown);
            caret.push_str(&if cell.marked { "^" } else { " " }.repeat(cell.width));
        }
        at += cell.width;
    }
    (line, caret.trim_end().to_owned())
}

/// The characters of the line. One more is added at the end if the caret is there, for something
/// that is missing at the end of the line.
fn cells(error: &ConfigError) -> Vec<RenderedCharacter> {
    let from = error.column.saturating_sub(1).saturating_sub(error.cut);
    let to = from + error.length.max(1);
    let line = error.source_line.chars().chain(std::iter::once(' '));
    let cell = |(at, letter): (usize, char)| {
        let shown = show(letter);
        RenderedCharacter { width: width(&shown), shown, marked: (from..to).contains(&at) }
    };
    let mut cells: Vec<RenderedCharacter> = line.enumerate().map(cell).collect();
    if cells.last().is_some_and(|cell| !cell.marked) {
        cells.pop();
    }
    cells
}

/// What is shown for a character: spaces for a tab, and a replacement for an unsafe character.
fn show(letter: char) -> String {
    match letter {
        '\t' => " ".repeat(TAB),
        letter if is_unsafe(letter) => char::REPLACEMENT_CHARACTER.to_string(),
        letter => letter.to_string(),
    }
}

/// Control characters move the cursor. Bidirectional and invisible characters make a text look like
/// another text.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text with unsafe characters replaced.
fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The width of a text in columns.
fn width(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

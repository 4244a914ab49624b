//! A mistake as people read it, in the manner of rustc:
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
//! Nothing but a long path makes a line wider than [`WIDTH`]; what could move a terminal's
//! cursor or reorder its text is replaced.

use super::errors::ConfigError;
use unicode_width::UnicodeWidthChar as _;

pub(super) const WIDTH: usize = 80;
/// Columns kept free to the left of the caret when a long line is cut.
const LEAD: usize = 30;
const TAB: usize = 4;
const CUT: &str = "...";

/// The whole message with an empty line after it.
pub(super) fn error(error: &ConfigError) -> String {
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

/// Text wrapped behind a prefix, which is blank from the second line on.
fn paragraph(prefix: &str, text: &str) -> String {
    let room = WIDTH - prefix.len();
    let lines = wrap(&clean(text), room);
    let blank = " ".repeat(prefix.len());
    let lead = std::iter::once(prefix).chain(std::iter::repeat(blank.as_str()));
    lead.zip(lines).map(|(lead, line)| format!("{lead}{line}\n")).collect()
}

/// Breaks at spaces, and inside a word only where it alone is too wide.
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

fn push(lines: &mut [String], letter: char) {
    if let Some(line) = lines.last_mut() {
        line.push(letter);
    }
}

/// One source character as shown, and whether the caret stands under it.
struct RenderedCharacter {
    shown: String,
    width: usize,
    marked: bool,
}

/// The source line and its caret line, cut to `room` columns around the caret.
fn window(error: &ConfigError, room: usize) -> (String, String) {
    let cells = cells(error);
    let total: usize = cells.iter().map(|cell| cell.width).sum();
    let caret_at: usize = cells.iter().take_while(|cell| !cell.marked).map(|cell| cell.width).sum();
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

/// The characters of the line, with one more at its end for what is missing there.
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

fn show(letter: char) -> String {
    match letter {
        '\t' => " ".repeat(TAB),
        letter if is_unsafe(letter) => char::REPLACEMENT_CHARACTER.to_string(),
        letter => letter.to_string(),
    }
}

/// Control characters move the cursor; bidirectional ones make text look like other text.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn width(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

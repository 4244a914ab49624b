//! A reviewer at a terminal: an item, its pages, a key. Text is only added below, so nothing is ever
//! overwritten, and what was decided stays in sight.
//!
//! ```text
//!  Reading(item, page) ──space──► the next page
//!        │ y n u: decision on the disk, then what was hidden ──► the next item
//!        │ s: the next item      z: the last decision is taken back, its item is next
//!        └ q, a signal, the end of the terminal ──► the end
//! ```

use super::item_page::ItemDocument;
use super::raw_terminal::{RawTerminal, TerminalKey};
use crate::cli::terminal::output::{print_bytes, print_line, width};
use crate::cli::terminal::terminal_text::{TextStyle, TextStyler, escape_line};
use crate::dataset::rfc3339;
use crate::error::Result;
use crate::review::{ReviewFile, ReviewRows};
use crate::running_engine::SystemClock;
use std::collections::BTreeSet;
use std::process::ExitCode;
use synthd_actors::model::{ReviewDecision, ReviewValue};
use synthd_actors::ports::Clock;
use synthd_actors::review::{ReviewItem, ReviewRecord};

const KEYS: &str = "[y] right  [n] wrong  [u] unsure  [s] skip  [z] undo  [q] quit";
/// The lines of a page where the terminal does not say.
const USUAL_HEIGHT: usize = 24;
/// Lines that are kept free for the keys and what was before.
const RESERVED: usize = 3;
/// The fewest lines of a page.
const FEWEST_LINES: usize = 4;
/// The exit code of a process that a signal ended.
const INTERRUPTED: u8 = 130;

/// A reviewer at work.
pub(super) struct ReviewSession {
    file: ReviewFile,
    rows: ReviewRows,
    reviewer: String,
    blind: bool,
    /// Items that are not shown again in this session.
    skipped: BTreeSet<u64>,
    styler: TextStyler,
}

/// What a reviewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReviewChoice {
    Decide(ReviewValue),
    Skip,
    Undo,
    Quit,
    Interrupted,
}

impl ReviewSession {
    pub(super) fn new(file: ReviewFile, rows: ReviewRows, reviewer: String, blind: bool) -> Self {
        let (skipped, styler) = (BTreeSet::new(), TextStyler::for_stdout());
        Self { file, rows, reviewer, blind, skipped, styler }
    }

    /// Shows items until none is left or the reviewer quits.
    pub(super) fn run(mut self) -> Result<ExitCode> {
        let terminal = RawTerminal::begin()?;
        loop {
            self.file.refresh()?;
            let Some(item) = self.next_item() else {
                self.tell_end();
                return Ok(ExitCode::SUCCESS);
            };
            match self.ask(&terminal, &item)? {
                ReviewChoice::Decide(value) => self.decide(&item, value)?,
                ReviewChoice::Skip => {
                    self.skipped.insert(item.number);
                }
                ReviewChoice::Undo => self.undo()?,
                ReviewChoice::Quit => return Ok(ExitCode::SUCCESS),
                ReviewChoice::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
            }
        }
    }

    /// The first item that waits and was not skipped.
    fn next_item(&self) -> Option<ReviewItem> {
        let mut waiting = self.file.book().waiting(&self.reviewer);
        waiting.find(|item| !self.skipped.contains(&item.number)).cloned()
    }

    fn tell_end(&self) {
        match self.skipped.len() {
            0 => print_line(&format!("no item waits for {}", escape_line(&self.reviewer))),
            skipped => print_line(&format!("no other item waits; you have skipped {skipped}")),
        }
    }

    /// Shows an item page by page, until a key says what to do.
    fn ask(&mut self, terminal: &RawTerminal, item: &ReviewItem) -> Result<ReviewChoice> {
        let book = self.file.book();
        let row = self.rows.row(item, book.waiting(&self.reviewer))?;
        let document = ItemDocument::new(book, item, &row, !self.blind);
        let mut lines = document.lines(self.styler, width());
        lines.extend(document.hidden_lines(self.styler, width()));
        let mut pages = lines.chunks(page_height());
        self.show(pages.next(), pages.len());
        loop {
            match terminal.key()? {
                TerminalKey::Byte(b' ') => match pages.next() {
                    Some(page) => self.show(Some(page), pages.len()),
                    None => self.prompt("that was the last page"),
                },
                key => {
                    if let Some(choice) = choice_of(key) {
                        print_line("");
                        return Ok(choice);
                    }
                }
            }
        }
    }

    /// Prints a page and asks for a key.
    fn show(&self, page: Option<&[String]>, left: usize) {
        print_line(&format!("\n{}", page.unwrap_or_default().join("\n")));
        match left {
            0 => self.prompt(KEYS),
            1 => self.prompt("[space] 1 more page  [y] [n] [u] [s] [z] [q]"),
            left => self.prompt(&format!("[space] {left} more pages  [y] [n] [u] [s] [z] [q]")),
        }
    }

    /// The text stays on its line: the answer is a key.
    fn prompt(&self, text: &str) {
        let shown = self.styler.styled(TextStyle::Faint, text);
        print_bytes(format!("\n{shown} ").as_bytes());
    }

    /// Keeps a decision and shows what was hidden.
    fn decide(&mut self, item: &ReviewItem, value: ReviewValue) -> Result<()> {
        let decision = ReviewDecision {
            item: item.number,
            reviewer: self.reviewer.clone(),
            value,
            note: None,
            blind: self.blind,
            at: rfc3339(SystemClock.now_ms()),
        };
        self.file.add(|book| Ok(book.decided(decision)))?;
        let said = format!("item {}: {}", item.number, value.as_str());
        print_line(&self.styler.styled(TextStyle::Strong, &said));
        if self.blind {
            let row = self.rows.row(item, std::iter::empty())?;
            let document = ItemDocument::new(self.file.book(), item, &row, true);
            print_line(&document.hidden_lines(self.styler, width()).join("\n"));
        }
        Ok(())
    }

    /// Takes the last decision back. Its item is the next one that waits, even if it was skipped.
    fn undo(&mut self) -> Result<()> {
        let (reviewer, at) = (self.reviewer.clone(), rfc3339(SystemClock.now_ms()));
        let mut undone = None;
        self.file.add(|book| {
            undone = book.undone(&reviewer, at);
            Ok(undone.clone().map(ReviewRecord::Undo).into_iter().collect())
        })?;
        match undone {
            Some(undo) => {
                self.skipped.remove(&undo.item);
                print_line(&format!("item {}: taken back", undo.item));
            }
            None => print_line("nothing to take back"),
        }
        Ok(())
    }
}

/// What a key means; none for a key without a meaning.
fn choice_of(key: TerminalKey) -> Option<ReviewChoice> {
    match key {
        TerminalKey::Byte(b'y') => Some(ReviewChoice::Decide(ReviewValue::Right)),
        TerminalKey::Byte(b'n') => Some(ReviewChoice::Decide(ReviewValue::Wrong)),
        TerminalKey::Byte(b'u') => Some(ReviewChoice::Decide(ReviewValue::Unsure)),
        TerminalKey::Byte(b's') => Some(ReviewChoice::Skip),
        TerminalKey::Byte(b'z') => Some(ReviewChoice::Undo),
        TerminalKey::Byte(b'q') | TerminalKey::End => Some(ReviewChoice::Quit),
        TerminalKey::Interrupted => Some(ReviewChoice::Interrupted),
        TerminalKey::Byte(_) => None,
    }
}

/// How many lines a page may have.
fn page_height() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    let height = size.map_or(USUAL_HEIGHT, |(_, height)| usize::from(height.0));
    height.saturating_sub(RESERVED).max(FEWEST_LINES)
}

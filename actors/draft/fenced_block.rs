//! Fenced blocks in the text of a model. A fence is a line that begins with three or more backticks or
//! tildes; a line with as many of them and nothing else closes it.

use serde::Serialize;
use std::fmt;

/// The fewest characters of a fence.
const SHORTEST: usize = 3;

/// What is wrong with an answer of a model, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerMistake {
    /// The line of the answer, counted from one.
    pub line: usize,
    pub what: String,
}

impl AnswerMistake {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

impl fmt::Display for AnswerMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// One block between two fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FencedBlock<'a> {
    /// The line of the opening fence, counted from one.
    pub(super) line: usize,
    /// The last line before the block that is not empty and not in another block; empty if there is
    /// none.
    pub(super) label: &'a str,
    /// The lines between the fences.
    pub(super) body: &'a str,
}

/// A fence that is not closed yet.
struct OpenFence<'a> {
    line: usize,
    label: &'a str,
    mark: char,
    length: usize,
    /// The byte at which the body begins.
    begin: usize,
}

impl<'a> OpenFence<'a> {
    /// The fence that a line opens. `end` is the byte behind the line.
    fn of(shown: &str, line: usize, label: &'a str, end: usize) -> Option<Self> {
        let mark = shown.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
        let length = marks(shown, mark);
        // Text in backticks at the beginning of a line is no fence.
        let is_code = mark == '`' && shown.trim_start_matches(mark).contains(mark);
        let is_fence = length >= SHORTEST && !is_code;
        is_fence.then_some(Self { line, label, mark, length, begin: end })
    }

    fn is_closed_by(&self, shown: &str) -> bool {
        marks(shown, self.mark) >= self.length && shown.trim_start_matches(self.mark).is_empty()
    }
}

/// How many of these characters a line begins with. Each has one byte.
fn marks(line: &str, mark: char) -> usize {
    line.len() - line.trim_start_matches(mark).len()
}

/// All blocks of a text in their order. Err for a block that is never closed.
pub(super) fn fenced_blocks(text: &str) -> Result<Vec<FencedBlock<'_>>, AnswerMistake> {
    let mut blocks = Vec::new();
    let mut open: Option<OpenFence<'_>> = None;
    let (mut label, mut at) = ("", 0_usize);
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        let (shown, end) = (line.trim_end(), at + line.len());
        open = match open {
            Some(fence) if fence.is_closed_by(shown) => {
                let body = text.get(fence.begin..at).unwrap_or_default();
                blocks.push(FencedBlock { line: fence.line, label: fence.label, body });
                label = "";
                None
            }
            Some(fence) => Some(fence),
            None => {
                let opened = OpenFence::of(shown, number, label, end);
                if opened.is_none() && !shown.is_empty() {
                    label = shown;
                }
                opened
            }
        };
        at = end;
    }
    match open {
        Some(fence) => Err(AnswerMistake::new(fence.line, "this block is never closed")),
        None => Ok(blocks),
    }
}

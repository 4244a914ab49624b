//! The text of a file and the positions in it. Everything that turns a range of bytes into a line,
//! a column and an excerpt is here, so that unusual files (byte-order marks, CRLF, tabs, one very
//! long line) are handled in one place. Also reads the files, with a size limit.

use crate::config::reading::errors::{ConfigError, ConfigErrors};
use crate::config::reading::key_redaction::redact_keys;
use crate::error::Code;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

/// The size limit of a configuration file: 1 MiB. A larger file is usually a data file given by
/// mistake.
pub(in crate::config) const MAX_BYTES: u64 = 1 << 20;
/// The most characters of a line that an error keeps. A longer line is cut around the column.
const MAX_EXCERPT: usize = 240;
/// Some editors put this character at the beginning of a file.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A range of bytes from the start of the text.
pub(in crate::config) type Span = Range<usize>;

/// The text of one file and where its lines begin.
pub(in crate::config) struct SourceText<'t> {
    /// What errors call the file.
    name: String,
    text: &'t str,
    /// The position of the first byte of each line.
    starts: Vec<usize>,
}

impl<'t> SourceText<'t> {
    /// Finds the starts of the lines once, so that each position costs only a binary search.
    pub(in crate::config) fn new(name: &str, text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { name: name.to_owned(), text, starts }
    }

    pub(in crate::config) fn text(&self) -> &'t str {
        self.text
    }

    /// The line, counted from 0, in which the byte at `offset` is.
    pub(in crate::config) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Where a line begins. For a line after the last one: the end of the text.
    pub(in crate::config) fn start_of(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// The number of lines.
    pub(in crate::config) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The text of a line without its line end, LF or CRLF.
    pub(in crate::config) fn line(&self, line: usize) -> &'t str {
        let whole = self.text.get(self.start_of(line)..self.start_of(line + 1)).unwrap_or_default();
        let whole = whole.strip_suffix('\n').unwrap_or(whole);
        whole.strip_suffix('\r').unwrap_or(whole)
    }

    /// An error at `span`, with its line and column and the line's text. What may be a key in the
    /// line is redacted. If the span goes over several lines, only its part on the first line is
    /// marked.
    pub(in crate::config) fn error(
        &self,
        span: &Span,
        message: String,
        hint: Option<String>,
    ) -> ConfigError {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end).max(start);
        let line = self.line_of(start);
        let content = self.line(line);
        let line_start = self.start_of(line);
        let from = (start - line_start).min(content.len());
        let to = (end - line_start).clamp(from, content.len());
        let before = content.get(..from).map_or(0, count);
        let length = content.get(from..to).map_or(0, count);
        // The key must be redacted before the line is cut, since a part of a key may not look like
        // one.
        let (excerpt, cut) = excerpt(&redact_keys(content), before);
        ConfigError {
            path: self.name.clone(),
            line: line + 1,
            column: before + 1,
            length,
            message,
            hint,
            source_line: excerpt,
            cut,
        }
    }

    /// The start of the character at `offset`, or the end of the text. Spans of the parser may
    /// point into the middle of a character in a broken text.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// Columns and lengths are counted in characters, not in bytes.
fn count(text: &str) -> usize {
    text.chars().count()
}

/// The part of a line around `column` that an error keeps, and how many characters were cut before
/// it.
pub(in crate::config) fn excerpt(line: &str, column: usize) -> (String, usize) {
    if count(line) <= MAX_EXCERPT {
        return (line.to_owned(), 0);
    }
    let cut = column.saturating_sub(MAX_EXCERPT / 2);
    (line.chars().skip(cut).take(MAX_EXCERPT).collect(), cut)
}

/// What errors call a file. The path `-` is standard input.
pub(in crate::config) fn name_of(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a whole configuration file, or standard input. Fails if the file does not exist, is a
/// directory, is too large, or is not UTF-8.
pub(in crate::config) fn read(path: &Path) -> Result<String, ConfigErrors> {
    if is_stdin(path) {
        return whole(Path::new(&name_of(path)), std::io::stdin().lock());
    }
    let unreadable = |what: String, hint: &str| ConfigErrors::unreadable(path, what, hint);
    let file = File::open(path).map_err(|error| unreadable(cannot(&error), hint_of(&error)))?;
    let metadata = file.metadata().map_err(|error| unreadable(cannot(&error), hint_of(&error)))?;
    if metadata.is_dir() {
        return Err(unreadable("is a directory".to_owned(), "name a TOML file in it"));
    }
    whole(path, file)
}

/// Reads at most one byte more than the limit, so that an endless input (such as `/dev/zero`) is
/// refused instead of filling the memory.
fn whole(path: &Path, from: impl std::io::Read) -> Result<String, ConfigErrors> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| ConfigErrors::unreadable(path, cannot(&error), hint_of(&error)))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(path));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))
}

/// The error for a file that exceeds the size limit.
pub(in crate::config) fn too_large(path: &Path) -> ConfigErrors {
    let what = format!("is larger than {} KiB", MAX_BYTES >> 10);
    ConfigErrors::unreadable(path, what, "a configuration is a short text; check the path")
}

/// The text without a byte-order mark, which would shift the columns of line 1.
pub(in crate::config) fn strip_bom(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

fn cannot(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What people can do about an I/O error.
fn hint_of(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; `config/quickstart.toml` is a good start",
        std::io::ErrorKind::PermissionDenied => "check the permissions of the file",
        _ => "check that the path names a readable text file",
    }
}

/// The error for a file that is not UTF-8. It shows the line of the first bad byte.
fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> ConfigErrors {
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(error.as_bytes());
    let source = SourceText::new(&path.display().to_string(), &text);
    let message = format!("not UTF-8: byte 0x{byte:02x} at offset {at}");
    // UTF-16 is the most frequent reason, and begins with one of these two pairs of bytes.
    let utf16 =
        error.as_bytes().starts_with(b"\xff\xfe") || error.as_bytes().starts_with(b"\xfe\xff");
    let hint = if utf16 { "this looks like UTF-16; save it as UTF-8" } else { "save it as UTF-8" };
    // The replacement character is three bytes long and stands exactly at the bad byte.
    let found = source.error(&(at..at + 3), message, Some(hint.to_owned()));
    ConfigErrors::new(Code::ConfigUnreadable, path, vec![found], 1)
}

//! Reads the text of a shell script once from the left, into simple commands. A stack holds the commands in
//! whose substitutions the reader stands.
//!
//! ```text
//!  letter ─► within double quotes? ─► word ─► redirection or argument ─► command, at its end
//!                 $( or ` ─► a command of its own ─► ) or `
//! ```

use super::shell_words::ShellCommand;
use std::collections::HashMap;

/// How many substitutions are read within each other. Deeper ones are read as words.
const MOST_OPEN: usize = 64;

/// What the next word is, behind a redirection.
#[derive(Clone, Copy)]
enum NextWord {
    Written,
    Read,
    Input,
    /// The word that ends a heredoc. Whether tabs before its lines do not count.
    HeredocEnd(bool),
    /// The number of a stream.
    Stream,
}

/// A command that is being read.
#[derive(Default)]
struct OpenCommand {
    /// Its number, for its heredocs.
    number: usize,
    command: ShellCommand,
    /// The word that is being read.
    word: Option<String>,
    quoted: bool,
    next: Option<NextWord>,
    /// What closes the substitution or the group in which it stands.
    closed_by: Option<char>,
}

/// A heredoc whose text begins with the next line.
struct HeredocText {
    /// The command that reads it.
    number: usize,
    end: String,
    tabs: bool,
}

/// Reads a text once from the left.
pub(super) struct ShellReader<'t> {
    rest: &'t str,
    done: Vec<(usize, ShellCommand)>,
    /// The command that is read, behind those in whose substitutions it stands. Never empty.
    open: Vec<OpenCommand>,
    waiting: Vec<HeredocText>,
    inputs: HashMap<usize, String>,
    numbers: usize,
}

impl<'t> ShellReader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            done: Vec::new(),
            open: vec![OpenCommand::default()],
            waiting: Vec::new(),
            inputs: HashMap::new(),
            numbers: 0,
        }
    }

    pub(super) fn read(mut self) -> Vec<ShellCommand> {
        while let Some(letter) = self.take() {
            let quoted = self.open.last().is_some_and(|open| open.quoted);
            if quoted {
                self.read_quoted(letter);
            } else {
                self.read_plain(letter);
            }
        }
        while self.open.len() > 1 {
            self.close();
        }
        self.end_command();
        let Self { done, mut inputs, .. } = self;
        let with_input = |(number, mut command): (usize, ShellCommand)| {
            if let Some(input) = inputs.remove(&number) {
                command.input = input;
            }
            command
        };
        done.into_iter().map(with_input).collect()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        Some(letter)
    }

    /// Takes this text if it comes next.
    fn takes(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Adds to the word that is being read.
    fn add(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut() {
            open.word.get_or_insert_default().push_str(text);
        }
    }

    fn add_letter(&mut self, letter: char) {
        self.add(letter.encode_utf8(&mut [0; 4]));
    }

    fn read_quoted(&mut self, letter: char) {
        match letter {
            '"' => self.quote(false),
            '\\' => match self.take() {
                Some('\n') | None => {}
                Some(next) => {
                    if !matches!(next, '"' | '\\' | '$' | '`') {
                        self.add("\\");
                    }
                    self.add_letter(next);
                }
            },
            '`' => self.backtick(),
            '$' if self.rest.starts_with('(') => self.substitute(),
            other => self.add_letter(other),
        }
    }

    fn read_plain(&mut self, letter: char) {
        match letter {
            '\\' => match self.take() {
                Some('\n') | None => {}
                Some(next) => self.add_letter(next),
            },
            '\'' => {
                let (text, rest) = self.rest.split_once('\'').unwrap_or((self.rest, ""));
                self.rest = rest;
                self.add(text);
            }
            '"' => self.quote(true),
            '`' => self.backtick(),
            '$' if self.rest.starts_with('(') => self.substitute(),
            '#' if self.open.last().is_some_and(|open| open.word.is_none()) => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = self.rest.get(end..).unwrap_or_default();
            }
            ' ' | '\t' | '\r' => self.end_word(),
            '\n' => {
                self.end_command();
                self.read_heredocs();
            }
            '&' if self.takes(">>") || self.takes(">") => self.redirect(NextWord::Written),
            ';' | '&' | '|' => self.end_command(),
            '(' => {
                self.end_command();
                self.enter(')');
            }
            ')' => self.leave(')'),
            '<' => self.read_input(),
            '>' => self.read_output(),
            other => self.add_letter(other),
        }
    }

    fn read_input(&mut self) {
        if self.takes("<<") {
            self.redirect(NextWord::Input);
        } else if self.takes("<-") {
            self.redirect(NextWord::HeredocEnd(true));
        } else if self.takes("<") {
            self.redirect(NextWord::HeredocEnd(false));
        } else if self.takes("(") {
            self.add("$()");
            self.enter(')');
        } else {
            self.redirect(NextWord::Read);
        }
    }

    fn read_output(&mut self) {
        if self.takes("(") {
            self.add("$()");
            self.enter(')');
        } else if self.takes("&") {
            self.redirect(NextWord::Stream);
        } else {
            // `>>` adds to the file, and `>|` replaces it in any case.
            if !self.takes(">") {
                self.takes("|");
            }
            self.redirect(NextWord::Written);
        }
    }

    /// A redirection begins. The number of a stream before it is no word.
    fn redirect(&mut self, next: NextWord) {
        if let Some(open) = self.open.last_mut() {
            let is_stream =
                |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            if open.word.as_ref().is_some_and(is_stream) {
                open.word = None;
            }
        }
        self.end_word();
        if let Some(open) = self.open.last_mut() {
            open.next = Some(next);
        }
    }

    fn quote(&mut self, begins: bool) {
        self.add("");
        if let Some(open) = self.open.last_mut() {
            open.quoted = begins;
        }
    }

    fn backtick(&mut self) {
        if self.open.last().is_some_and(|open| open.closed_by == Some('`')) {
            self.leave('`');
        } else {
            self.add("$()");
            self.enter('`');
        }
    }

    /// A substitution begins; its parenthesis comes next.
    fn substitute(&mut self) {
        self.add("$()");
        self.take();
        self.enter(')');
    }

    fn enter(&mut self, closed_by: char) {
        if self.open.len() < MOST_OPEN {
            self.numbers += 1;
            let closed_by = Some(closed_by);
            self.open.push(OpenCommand { number: self.numbers, closed_by, ..Default::default() });
        }
    }

    fn leave(&mut self, closes: char) {
        if self.open.last().is_some_and(|open| open.closed_by == Some(closes)) {
            self.close();
        } else {
            self.end_command();
        }
    }

    /// Ends the innermost substitution.
    fn close(&mut self) {
        self.end_command();
        if self.open.len() > 1 {
            self.open.pop();
        }
    }

    fn end_word(&mut self) {
        let Some(open) = self.open.last_mut() else { return };
        let Some(word) = open.word.take() else { return };
        match open.next.take() {
            None => open.command.words.push(word),
            Some(NextWord::Written) => open.command.written.push(word),
            Some(NextWord::Read) => open.command.read.push(word),
            Some(NextWord::Input) => open.command.input = word,
            Some(NextWord::HeredocEnd(tabs)) => {
                self.waiting.push(HeredocText { number: open.number, end: word, tabs });
            }
            Some(NextWord::Stream) => {}
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.numbers += 1;
        let Some(open) = self.open.last_mut() else { return };
        let number = std::mem::replace(&mut open.number, self.numbers);
        open.next = None;
        open.quoted = false;
        let command = std::mem::take(&mut open.command);
        if command != ShellCommand::default() {
            self.done.push((number, command));
        }
    }

    /// Reads the texts of the heredocs of the line before.
    fn read_heredocs(&mut self) {
        for heredoc in std::mem::take(&mut self.waiting) {
            let mut text = String::new();
            while !self.rest.is_empty() {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = rest;
                let line = if heredoc.tabs { line.trim_start_matches('\t') } else { line };
                if line == heredoc.end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            self.inputs.insert(heredoc.number, text);
        }
    }
}

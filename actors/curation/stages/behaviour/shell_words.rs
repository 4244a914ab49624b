//! Reads a shell command as far as its words tell: which programs it calls with which words, which files
//! it redirects, and the texts of its heredocs. Nothing is expanded: `$NAME` stays as it stands, and
//! the place of a substitution is `$()`. Its commands are found as commands of their own.
//!
//! Every text gives commands. The work grows with the length of the text only.

use std::collections::HashMap;

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::curation) struct ShellCommand {
    /// Its words without their quotes, assignments and words such as `then` included.
    words: Vec<String>,
    /// The files that it writes by `>` or `>>`.
    pub(in crate::curation) written: Vec<String>,
    /// The files that it reads by `<`.
    pub(in crate::curation) read: Vec<String>,
    /// The text of its heredoc or here-string.
    pub(in crate::curation) input: String,
}

/// Words that stand before a command and are none.
const KEYWORDS: [&str; 12] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "}", "fi", "done"];
/// Programs that run the program that their words name.
const WRAPPERS: [&str; 13] = [
    "sudo", "env", "nohup", "exec", "command", "builtin", "setsid", "time", "timeout", "nice",
    "ionice", "stdbuf", "xargs",
];
/// Options of these programs whose next word is their value.
const WRAPPER_VALUES: [&str; 5] = ["-n", "-I", "-u", "-k", "-s"];
/// Shells, which run the script that they are given.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "zsh", "ash"];
/// How deep scripts within scripts are read.
const DEEPEST: usize = 3;
/// How many substitutions are read within each other. Deeper ones are read as words.
const MOST_OPEN: usize = 64;

impl ShellCommand {
    /// The words of the program that is called, with its own name first. Empty if none is.
    pub(in crate::curation) fn called(&self) -> &[String] {
        let mut at = 0;
        while let Some(word) = self.words.get(at) {
            if WRAPPERS.contains(&name_of(word)) {
                at = self.behind_wrapper(at + 1);
            } else if KEYWORDS.contains(&word.as_str()) || is_assignment(word) {
                at += 1;
            } else {
                break;
            }
        }
        self.words.get(at..).unwrap_or_default()
    }

    /// Where the words of a wrapper end: its options, their values, durations and placeholders.
    fn behind_wrapper(&self, mut at: usize) -> usize {
        while let Some(word) = self.words.get(at) {
            if WRAPPER_VALUES.contains(&word.as_str()) {
                at += 2;
            } else if word.starts_with('-') || is_duration(word) {
                at += 1;
            } else {
                break;
            }
        }
        at
    }

    /// The name of the program, without its directory. Empty if none is called.
    pub(in crate::curation) fn program(&self) -> &str {
        self.called().first().map_or("", |word| name_of(word))
    }

    /// The words behind the program's name.
    pub(in crate::curation) fn arguments(&self) -> &[String] {
        self.called().get(1..).unwrap_or_default()
    }

    /// The arguments that are no options.
    pub(in crate::curation) fn plain(&self) -> impl Iterator<Item = &str> {
        let plain = self.arguments().iter().filter(|word| !word.starts_with('-'));
        plain.map(String::as_str)
    }

    /// Whether an argument is one of these.
    pub(in crate::curation) fn has(&self, options: &[&str]) -> bool {
        self.arguments().iter().any(|word| options.contains(&word.as_str()))
    }

    /// The script that this command gives to a shell. None if it gives none.
    fn script(&self) -> Option<String> {
        let arguments = self.arguments();
        match self.program() {
            "eval" => Some(arguments.join(" ")),
            program if SHELLS.contains(&program) => {
                let runs = |word: &String| {
                    word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
                };
                let at = arguments.iter().position(runs);
                let given = at.and_then(|at| arguments.get(at + 1).cloned());
                given.or_else(|| Some(self.input.clone()).filter(|input| !input.is_empty()))
            }
            _ => None,
        }
    }
}

/// The last part of a path.
pub(in crate::curation) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(['s', 'm', 'h']);
    word == "{}" || !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The commands of a script, in the order in which they end. The last one is that of the exit code.
/// Scripts that it gives to a shell are read too.
pub(in crate::curation) fn shell_commands(script: &str) -> Vec<ShellCommand> {
    let mut found = Vec::new();
    read_script(script, DEEPEST, &mut found);
    found
}

fn read_script(script: &str, depth: usize, found: &mut Vec<ShellCommand>) {
    for command in ShellReader::new(script).read() {
        if let Some(inner) = command.script().filter(|_| depth > 0) {
            read_script(&inner, depth - 1, found);
        }
        found.push(command);
    }
}

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
struct ShellReader<'t> {
    rest: &'t str,
    done: Vec<(usize, ShellCommand)>,
    /// The command that is read, behind those in whose substitutions it stands. Never empty.
    open: Vec<OpenCommand>,
    waiting: Vec<HeredocText>,
    inputs: HashMap<usize, String>,
    numbers: usize,
}

impl<'t> ShellReader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            done: Vec::new(),
            open: vec![OpenCommand::default()],
            waiting: Vec::new(),
            inputs: HashMap::new(),
            numbers: 0,
        }
    }

    fn read(mut self) -> Vec<ShellCommand> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The called words of each command, each command on a line.
    fn called(script: &str) -> String {
        let commands = shell_commands(script);
        let called = commands.iter().map(|command| command.called().join(" "));
        called.filter(|words| !words.is_empty()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn commands_are_found_wherever_they_stand() {
        for (script, expected) in [
            ("ls -l | wc -l; cd 'a b' && pwd", "ls -l\nwc -l\ncd a b\npwd"),
            ("A=1 sudo -u me timeout -k 5 10s nice -n 5 make all", "make all"),
            ("echo \"at $(date +%s) and `id`\"", "date +%s\nid\necho at $() and $()"),
            ("if grep -q x f; then rm f; fi", "grep -q x f\nrm f"),
            ("(cd src; make) 2>&1 >log &", "cd src\nmake"),
            ("bash -lc 'git log --all'", "git log --all\nbash -lc git log --all"),
            ("cat a # rm b\ntrue", "cat a\ntrue"),
            ("echo 'rm a; curl b'", "echo rm a; curl b"),
            ("diff <(sort a) b", "sort a\ndiff $() b"),
            ("echo a\\ b \\\n c", "echo a b c"),
        ] {
            assert_eq!(called(script), expected, "{script}");
        }
    }

    #[test]
    fn files_and_texts_are_those_of_their_commands() {
        let script = "cat > a.py <<'EOF' && python3 - <<-END 2>/dev/null >> out\nprint(1)\nEOF\n\
            \t\tprint(2)\n\tEND\nsh < in.sh";
        let commands = shell_commands(script);
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert_eq!(commands[0].written, ["a.py"]);
        assert_eq!(commands[0].input, "print(1)\n");
        assert_eq!((commands[1].program(), &*commands[1].input), ("python3", "print(2)\n"));
        assert_eq!(commands[1].written, ["/dev/null", "out"]);
        assert_eq!(commands[2].read, ["in.sh"]);
    }

    proptest! {
        #[test]
        fn every_text_is_read(script in "[-a-z$(){}`'\"<>|&;#\\\\\n\t 0-9é]{0,200}") {
            let commands = shell_commands(&script);
            let words: usize = commands.iter().map(|command| command.called().len()).sum();
            prop_assert!(words <= 8 * (script.len() + 1));
        }
    }
}

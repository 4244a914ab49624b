//! Reads a shell command as far as its words tell: which programs it calls with which words, which files
//! it redirects, and the texts of its heredocs. Nothing is expanded: `$NAME` stays as it stands, and
//! the place of a substitution is `$()`. Its commands are found as commands of their own.
//!
//! Every text gives commands. The work grows with the length of the text only.

use super::shell_reader::ShellReader;

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::curation) struct ShellCommand {
    /// Its words without their quotes, assignments and words such as `then` included.
    pub(super) words: Vec<String>,
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

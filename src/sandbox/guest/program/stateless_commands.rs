//! Telling commands that cannot change a session from those that might.
//!
//! A shell that must report its state when it ends has to stay: it forks for every program,
//! even a lone one, which it would otherwise become. For bash that fork costs as much as
//! half the command. So where a glance shows that only a program runs, no report is asked.

/// Every builtin and keyword of bash and dash, but those that change nothing whatever their
/// arguments (`echo`, `false`, `kill`, `pwd`, `test`, `true`). A name missing here would lose
/// what it changes, so the list is of all there are, not of the likely; a test asks bash.
const SHELLS_OWN: &[&str] = &[
    ".", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir", "command",
    "compgen", "complete", "compopt", "continue", "coproc", "declare", "dirs", "disown", "do",
    "done", "elif", "else", "enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi",
    "for", "function", "getopts", "hash", "help", "history", "if", "in", "jobs", "let", "local",
    "logout", "mapfile", "popd", "printf", "pushd", "read", "readarray", "readonly", "return",
    "select", "set", "shift", "shopt", "source", "suspend", "then", "time", "times", "trap",
    "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

/// Whether a command is one program or harmless builtin with plain words for arguments.
pub fn is_stateless(command: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _./-:,@%+".contains(byte);
    let Ok(text) = std::str::from_utf8(command) else { return false };
    let first = text.split(' ').find(|word| !word.is_empty());
    command.iter().all(plain) && first.is_none_or(|first| !SHELLS_OWN.contains(&first))
}

//! Recognises commands that cannot change the shell session.
//!
//! A shell that reports the session's state at its end has to stay until then. So it forks for
//! every program, even for a single one, which it would otherwise become by `exec`. For bash,
//! that fork takes as long as half of a short command. So where a quick look shows that a
//! command only runs one program, the guest asks for no report.

/// Every builtin and keyword of bash and dash, except those that change nothing whatever their
/// arguments are (`echo`, `false`, `kill`, `pwd`, `test`, `true`). If a name were missing here,
/// its changes of the session would be lost. So the list has all names, not only the likely
/// ones; a test compares it with bash.
const SHELLS_OWN: &[&str] = &[
    ".", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir", "command",
    "compgen", "complete", "compopt", "continue", "coproc", "declare", "dirs", "disown", "do",
    "done", "elif", "else", "enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi",
    "for", "function", "getopts", "hash", "help", "history", "if", "in", "jobs", "let", "local",
    "logout", "mapfile", "popd", "printf", "pushd", "read", "readarray", "readonly", "return",
    "select", "set", "shift", "shopt", "source", "suspend", "then", "time", "times", "trap",
    "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

/// Whether a command is one program, or one harmless builtin, with plain words as arguments.
/// `ls -l src` is; `cd src`, `X=1 make` and `ls | wc` are not. False is always safe: then the
/// shell reports its state.
pub fn is_stateless(command: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _./-:,@%+".contains(byte);
    let Ok(text) = std::str::from_utf8(command) else { return false };
    let first = text.split(' ').find(|word| !word.is_empty());
    command.iter().all(plain) && first.is_none_or(|first| !SHELLS_OWN.contains(&first))
}

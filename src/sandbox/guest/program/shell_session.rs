//! The shell session: the working directory and the environment that stay from command to
//! command.
//!
//! When the shell of a command ends, it writes `pwd -P`, a NUL byte and `export -p` to the
//! guest. An example of such a report (`\0` is the NUL byte):
//!
//! ```text
//! /work/src
//! \0export HOME='/home/agent'
//! export PATH='/usr/bin:/bin'
//! ```
//! A program can forge this text. So the guest parses it and never evaluates it. The worst that
//! a program can do is to change its own environment, which it may do anyway.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

/// Bytes of the longest variable, with its name. The kernel's limit for one is 128 KiB, and for
/// all of them a quarter of the stack.
const MAX_VARIABLE: usize = 96 << 10;
/// Bytes of all variables together. Further variables are left out.
const MAX_ENVIRONMENT: usize = 512 << 10;
/// The most bytes of a shell's report that are read.
pub const MAX_REPORT: usize = 1 << 20;
/// Bytes of the longest working directory: `PATH_MAX`. No longer path can be entered.
const MAX_CWD: usize = 4096;
/// Variables of the shell itself. In the next shell they would count too high or be wrong, so
/// they are not kept.
const SHELLS_OWN: [&[u8]; 2] = [b"SHLVL", b"_"];

/// The workspace of ordinary sandboxes.
const WORKSPACE: &CStr = c"/work";

/// The variable that says that the workspace is the directory in which the guest was started. It stands
/// in a container whose root can be written. It is for the guest only, and commands do not get it.
const AT_START: &str = "SYNTHD_WORKSPACE";

/// Where commands start, and where a command starts whose directory is gone. The first call decides; the
/// guest makes it before it runs anything.
pub fn workspace() -> &'static CStr {
    static FOUND: OnceLock<CString> = OnceLock::new();
    FOUND.get_or_init(|| {
        let there = std::env::var_os(AT_START).and_then(|_| std::env::current_dir().ok());
        let there = there.map(|path| CString::new(path.into_os_string().as_bytes()));
        there.and_then(Result::ok).unwrap_or_else(|| WORKSPACE.to_owned())
    })
}

/// The workspace as a path.
pub fn workspace_path() -> &'static Path {
    Path::new(OsStr::from_bytes(workspace().to_bytes()))
}

/// Whether the root of the sandbox can be written, and the workspace is a directory of it.
fn is_open() -> bool {
    std::env::var_os(AT_START).is_some()
}

/// The state that one command leaves to the next. Variables have the form `NAME=value`.
pub struct ShellSession {
    pub cwd: CString,
    /// The environment of the next command of the session.
    pub environment: Vec<CString>,
    /// The environment of commands outside of the session.
    pub base: Vec<CString>,
}

impl ShellSession {
    pub fn new() -> Self {
        let base = base_environment();
        Self { cwd: workspace().to_owned(), environment: base.clone(), base }
    }

    /// Sets a variable for the session and for all other later commands. None: the name or the
    /// value cannot be in an environment.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let start = [name, b"="].concat();
        if name.is_empty() || name.contains(&b'=') || value.len() > MAX_VARIABLE {
            return None;
        }
        let variable = CString::new([start.as_slice(), value].concat()).ok()?;
        for all in [&mut self.base, &mut self.environment] {
            all.retain(|known| !known.as_bytes().starts_with(&start));
            all.push(variable.clone());
        }
        Some(())
    }

    /// Takes over what a shell has reported. Directory and environment are taken each by
    /// itself. A report without the NUL byte changes nothing, and an environment that cannot be
    /// parsed leaves the earlier one.
    pub fn update(&mut self, report: &[u8]) {
        let Some(at) = report.iter().position(|b| *b == 0) else { return };
        let (cwd, exports) = (&report[..at], &report[at + 1..]);
        let cwd = cwd.strip_suffix(b"\n").filter(|c| c.starts_with(b"/") && c.len() < MAX_CWD);
        if let Some(cwd) = cwd.and_then(|cwd| CString::new(cwd).ok()) {
            self.cwd = cwd;
        }
        if let Some(environment) = parse(exports) {
            self.environment = environment;
        }
    }
}

/// The variable in which a backend names further areas that programs may write to, separated by
/// colons. It is for the guest only, and commands do not get it.
pub const SCRATCH: &str = "SYNTHD_SCRATCH";

/// Variables that are the same in every sandbox.
const FIXED: [(&str, &str); 6] = [
    ("HOME", "/home/agent"),
    ("USER", "agent"),
    ("LOGNAME", "agent"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("TERM", "dumb"),
];
/// Variables of a container whose root can be written, where neither the image nor the user has them.
const OPEN: [(&str, &str); 4] =
    [("HOME", "/root"), ("PATH", PATH), ("LANG", "C.UTF-8"), ("TERM", "dumb")];
/// The search path where an image has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment of the first command: the variables that the guest was started with, which
/// are the image's and never the host's, and those of [`FIXED`].
fn base_environment() -> Vec<CString> {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    variables.retain(|(name, _)| name != SCRATCH && name != AT_START);
    if is_open() {
        // The user and the image have values of their own. Only what is missing is added.
        for (name, value) in OPEN {
            if !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.into(), value.into()));
            }
        }
        return texts(variables);
    }
    variables.retain(|(name, _)| !FIXED.iter().any(|(fixed, _)| name == fixed));
    if !variables.iter().any(|(name, _)| name == "PATH") {
        variables.insert(0, ("PATH".into(), PATH.into()));
    }
    variables.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
    texts(variables)
}

/// Variables in the form `NAME=value`. What has a NUL byte is left out.
fn texts(variables: Vec<(OsString, OsString)>) -> Vec<CString> {
    let text = |(name, value): (OsString, OsString)| [name.as_bytes(), value.as_bytes()].join(&b'=');
    variables.into_iter().filter_map(|variable| CString::new(text(variable)).ok()).collect()
}

/// Parses the output of `export -p`. dash writes `export NAME='value'`, bash writes `declare -x
/// NAME="value"`. Variables that are too long are left out. None: the text is neither, or it is
/// incomplete.
fn parse(exports: &[u8]) -> Option<Vec<CString>> {
    let mut rest = exports;
    let mut environment = Vec::new();
    let mut room = MAX_ENVIRONMENT;
    while !rest.is_empty() {
        let (name, value) = statement(&mut rest)?;
        let Some(value) = value else { continue };
        let size = name.len() + value.len() + 2;
        if size > MAX_VARIABLE || size > room || SHELLS_OWN.contains(&name.as_slice()) {
            continue;
        }
        room -= size;
        environment.push(CString::new([name, value].join(&b'=')).ok()?);
    }
    Some(environment)
}

/// Takes one statement with its newline from `rest`: a name, and its value unless it has none
/// or is an array.
fn statement(rest: &mut &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let mut array = false;
    if let Some(after) = rest.strip_prefix(b"export ") {
        *rest = after;
    } else {
        *rest = rest.strip_prefix(b"declare -")?;
        let options = rest.iter().position(|b| *b == b' ')?;
        array = rest[..options].to_ascii_lowercase().contains(&b'a');
        *rest = &rest[options + 1..];
    }
    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))?;
    let name = rest[..end].to_vec();
    *rest = &rest[end..];
    let mut value = None;
    if let Some(after) = rest.strip_prefix(b"=").filter(|_| end > 0) {
        *rest = after;
        value = Some(word(rest)?);
    }
    *rest = rest.strip_prefix(b"\n")?;
    Some((name, value.filter(|_| !array)))
}

/// Takes a quoted word up to its newline, which stays in `rest`. It may have several parts in
/// single or double quotes or in `$'…'`.
fn word(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    loop {
        match rest {
            [b'\n', ..] => return Some(value),
            [b'\'', after @ ..] => {
                let end = after.iter().position(|b| *b == b'\'')?;
                value.extend_from_slice(&after[..end]);
                *rest = &after[end + 1..];
            }
            [b'$', b'\'', after @ ..] => *rest = escaped(after, &mut value)?,
            [b'"', after @ ..] => *rest = double_quoted(after, &mut value)?,
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                value.push(*byte);
                *rest = after;
            }
            [] => return None,
        }
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', byte @ (b'"' | b'\\' | b'$' | b'`'), after @ ..] | [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

/// Takes the rest of a word in `$'…'`, which bash uses where a value has bytes that cannot be
/// printed. It has escapes such as `\n` and `\033`.
fn escaped<'a>(mut rest: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [b'\'', after @ ..] => return Some(after),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                value.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = after;
            }
            [b'\\', byte, after @ ..] => {
                value.push(unescape(*byte));
                rest = after;
            }
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

/// The byte that a backslash and a letter stand for in `$'…'`.
fn unescape(byte: u8) -> u8 {
    match byte {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        b'E' | b'e' => 27,
        other => other,
    }
}

//! Runs the binary and holds what it printed against snapshots.

use crate::support;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::Termios;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What one command did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command with an environment that is the same everywhere, and no terminal.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(support::synthd());
    command.args(args).current_dir(dir).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs synthd in `dir`.
pub fn synthd_in(dir: &Path, args: &[&str]) -> Ran {
    Ran::from(command(dir, args).output().unwrap())
}

/// Runs synthd beside the tests' own files.
pub fn synthd(args: &[&str]) -> Ran {
    synthd_in(&here(), args)
}

/// What synthd prints on a terminal of so many columns.
pub fn on_terminal(dir: &Path, args: &[&str], columns: u16) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None::<&Termios>).unwrap();
    let mut child = command(dir, args).stdout(Stdio::from(terminal.slave)).spawn().unwrap();
    let mut printed = Vec::new();
    // The end of a terminal is an error.
    File::from(terminal.master).read_to_end(&mut printed).ok();
    assert!(child.wait().unwrap().success(), "{args:?}");
    String::from_utf8(printed).unwrap().replace('\r', "")
}

/// What a command prints on a terminal of so many columns that is its stdout and its stderr.
pub fn both_on_terminal(mut command: Command, columns: u16) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None::<&Termios>).unwrap();
    let also = terminal.slave.try_clone().unwrap();
    command.stdout(Stdio::from(terminal.slave)).stderr(Stdio::from(also));
    let mut child = command.spawn().unwrap();
    // Its copies of the terminal's end must close, or the reading does not end.
    drop(command);
    let mut printed = Vec::new();
    File::from(terminal.master).read_to_end(&mut printed).ok();
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&printed));
    String::from_utf8(printed).unwrap()
}

/// The directory of these tests.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: without_host_warning(&String::from_utf8(output.stderr).unwrap()),
        }
    }
}

impl Ran {
    /// The one JSON document that stdout must be.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Ends with this exit code and says this error code, the hint included.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Self {
        assert_eq!(self.code, Some(exit), "{self:#?}");
        assert!(self.stderr.contains(&format!("error[{code}]: ")), "{self:#?}");
        assert!(self.stderr.contains("\n  help: "), "{self:#?}");
        self
    }

    /// No line of stdout is wider than the terminals of old.
    #[track_caller]
    pub fn fits(self) -> Self {
        assert_fits(&self.stdout);
        self
    }

    /// For snapshots.
    pub fn told(&self) -> String {
        let code = self.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let part = |name: &str, text: &str| match text {
            "" => String::new(),
            text => format!("--- {name}\n{}", trimmed(text)),
        };
        format!(
            "exit code {code}\n{}{}",
            part("stdout", &self.stdout),
            part("stderr", &self.stderr)
        )
    }
}

#[track_caller]
pub fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

/// Without what is said on hosts where an ordinary user cannot count the memory of a whole sandbox.
fn without_host_warning(text: &str) -> String {
    let of_host = "on this host, each process of a sandbox has a memory limit";
    text.split_inclusive('\n').filter(|line| !line.contains(of_host)).collect()
}

/// Without the blanks a table ends its lines with.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What differs from run to run and from host to host.
const FILTERS: [(&str, &str); 13] = [
    (r"ep-[0-9a-f]{16}", "ep-0123456789abcdef"),
    (r"ep-[0-9a-f]{8}\b", "ep-01234567"),
    (r"@[0-9a-f]{12}\b", "@0123456789ab"),
    (r"canary-[0-9a-f]{32}", "canary-[CANARY]"),
    (r"\b[0-9a-f]{64}\b", "[SHA256]"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[TIME]"),
    (r"\b\d+ ms\b", "[N] ms"),
    (r"\b\d+\.\d+ s\b", "[N] s"),
    (r"\b\d+\.\d KiB", "[N] KiB"),
    (r"(?m)^  sandbox .*\n(?: {12}\w.*\n)+", "  sandbox   [FINGERPRINT]\n"),
    (r"\b\d+ (tokens in|in), \d+ out", "[N] $1, [N] out"),
    (r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", "[DATE]"),
    (r"by process \d+", "by process [PID]"),
];

/// Compares with the snapshot of that name; `dir` is shown as `[DIR]`.
pub fn snapshot(name: &str, text: &str, dir: Option<&Path>) {
    let text = &trimmed(text);
    let text = match dir {
        Some(dir) => text.replace(dir.to_str().unwrap(), "[DIR]"),
        None => text.to_owned(),
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    FILTERS.iter().for_each(|(pattern, shown)| settings.add_filter(pattern, *shown));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

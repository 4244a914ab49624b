//! A home for one test: a data directory, campaign files, daemons, and commands to them.
//! Nothing here sleeps for a while and hopes: it waits for a line, a socket, an answer or
//! an exit, and fails when that does not come in time.

use crate::support::synthd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// For a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn socket(&self) -> PathBuf {
        self.data_dir().join("synthd.sock")
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A campaign of the given templates, in a file of its name.
    pub fn campaign(&self, name: &str, templates: &str, per_template: u32) -> String {
        let text = format!(
            "[campaign]\nname = \"{name}\"\nseed = 7\nconcurrency = 2\n\
             [tasks]\ntemplates = [{templates}]\nper_template = {per_template}\n\
             [[models]]\nname = \"scripted/oracle\"\n"
        );
        let file = format!("{name}.toml");
        self.file(&file, &text);
        file
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(synthd());
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.args(["--data-dir", "data"]);
        command
    }

    pub fn ask(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }

    /// The one JSON document that a command which succeeds prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.ask(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// The status of a campaign as `status` has it.
    pub fn campaign_status(&self, name: &str) -> Value {
        self.json(&["status", name, "--json"])["campaigns"][0].clone()
    }

    pub fn serve(&self, args: &[&str]) -> Process {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates");
        let all = [&["serve", "--templates", fixtures], args].concat();
        let process = Process::start(self.command(&all));
        process.line_with("\"listening\"");
        process
    }

    /// Waits until a question is answered with yes.
    pub fn until(&self, what: &str, mut yes: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !yes() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::yield_now();
        }
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that lives beside the test, and no longer.
pub struct Process {
    pub pid: Pid,
    lines: Receiver<String>,
    ended: Receiver<ExitStatus>,
}

impl Process {
    pub fn start(command: Command) -> Self {
        Self::start_saying(command, Stdio::null())
    }

    /// The same with a place for what it prints.
    pub fn start_saying(mut command: Command, stdout: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let lines = lines_of(&mut child);
        let (tell, ended) = channel();
        std::thread::spawn(move || tell.send(child.wait().unwrap()).ok());
        Self { pid, lines, ended }
    }

    /// Waits for a line on stderr that contains `text`.
    pub fn line_with(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {text:?} among {seen:#?}"),
            }
        }
    }

    /// Everything it still says until it ends.
    pub fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    pub fn wait(&self) -> ExitStatus {
        self.ended.recv_timeout(PATIENCE).expect("the process does not end")
    }

    pub fn exit_code(&self) -> Option<i32> {
        self.wait().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its launcher notices; a process that has ended is not there to be killed.
        if self.ended.try_recv().is_err() {
            kill(self.pid, Signal::SIGKILL).ok();
        }
    }
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A client that may say anything.
pub struct Peer(pub BufReader<UnixStream>);

impl Peer {
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The next line; none where the daemon has closed.
    pub fn reply(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }
}

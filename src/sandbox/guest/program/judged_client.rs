//! The program `/sealed/lib/judged`: the guest under another name. A check in the shell runs it to
//! reach the judged sandbox. `docs/templates.md` describes its commands, and `actors/judge/` is the
//! other end of the connection.
//!
//! ```text
//! judged run [--timeout SECONDS] [--dir DIR] [--stdin] -- PROGRAM [ARGUMENT...]
//! judged run [--timeout SECONDS] [--dir DIR] [--stdin] -c LINE
//! judged read PATH | write PATH | list [PATH] | reset
//! ```
//! `run` ends with the exit code of the program. The codes 124 (its time was up), 125 (refused, or
//! the sandbox cannot be reached) and 2 (wrong usage) are the helper's own.

use crate::wire::{MalformedFrame, PayloadReader, PayloadWriter};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The name under which the guest is this program.
const NAME: &str = "judged";
/// The variable with the port of the judged sandbox.
const PORT: &str = "SYNTHD_JUDGED_PORT";
/// The largest file to read: what the engine allows.
const MAX_FILE: u64 = crate::wire::MAX_FILE;
const USAGE_CODE: i32 = 2;
const REFUSED_CODE: i32 = 125;
const TIMED_OUT_CODE: i32 = 124;
const DEFAULT_SECONDS: f64 = 30.0;
const USAGE: &str = "usage: judged run [--timeout SECONDS] [--dir DIR] [--stdin] (-c LINE | -- PROGRAM [ARGUMENT...])
       judged read PATH | write PATH | list [PATH] | reset
";

/// The operations by their numbers on the wire.
mod operation {
    pub const RUN: u8 = 1;
    pub const READ: u8 = 2;
    pub const WRITE: u8 = 3;
    pub const LIST: u8 = 4;
    pub const RESET: u8 = 5;
}

/// Why the helper has no result.
enum ClientError {
    Usage(&'static str),
    /// The request was refused, or cannot be made. The text says why.
    Refused(String),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Refused(format!("the judged sandbox cannot be reached: {error}"))
    }
}

impl From<MalformedFrame> for ClientError {
    fn from(error: MalformedFrame) -> Self {
        Self::Refused(format!("the engine's answer cannot be read: {}", error.0))
    }
}

/// The exit code of the helper, if the process was started under its name. None: this is the guest.
pub fn run_if_named() -> Option<i32> {
    let mut arguments = std::env::args_os().map(|word| word.as_bytes().to_vec());
    let program = arguments.next()?;
    let name = Path::new(OsStr::from_bytes(&program)).file_name()?.to_owned();
    if name != NAME || std::process::id() == 1 {
        return None;
    }
    Some(perform(&arguments.collect::<Vec<_>>()).unwrap_or_else(|error| {
        let (text, code) = match error {
            ClientError::Usage(what) => (format!("{what}\n{USAGE}"), USAGE_CODE),
            ClientError::Refused(why) => (format!("judged: {why}\n"), REFUSED_CODE),
        };
        let _ = io::stderr().write_all(text.as_bytes());
        code
    }))
}

/// Carries out what the arguments ask for.
fn perform(arguments: &[Vec<u8>]) -> Result<i32, ClientError> {
    let (command, rest) = arguments.split_first().ok_or(ClientError::Usage("no command"))?;
    match (command.as_slice(), rest) {
        (b"run", rest) => run(rest),
        (b"read", [path]) => read(path),
        (b"write", [path]) => write(path),
        (b"list", []) => list(b"."),
        (b"list", [path]) => list(path),
        (b"reset", []) => ask(operation::RESET, |_| {}).map(|_| 0),
        _ => Err(ClientError::Usage("unknown command or wrong number of arguments")),
    }
}

/// The options of `judged run`.
struct RunOptions {
    seconds: f64,
    directory: Vec<u8>,
    feeds: bool,
    line: Vec<u8>,
}

impl RunOptions {
    fn parse(words: &[Vec<u8>]) -> Result<Self, ClientError> {
        let mut options = Self {
            seconds: DEFAULT_SECONDS,
            directory: b"/work".to_vec(),
            feeds: false,
            line: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(ClientError::Usage("a value is missing"));
            match word.as_slice() {
                b"--timeout" => options.seconds = seconds(value()?)?,
                b"--dir" => options.directory = value()?.clone(),
                b"--stdin" => options.feeds = true,
                b"-c" => options.line = value()?.clone(),
                b"--" => {
                    let quoted: Vec<Vec<u8>> = words.by_ref().map(|word| quote(word)).collect();
                    options.line = quoted.join(&b' ');
                }
                _ => return Err(ClientError::Usage("unknown option of run")),
            }
        }
        match options.line.is_empty() {
            true => Err(ClientError::Usage("no program to run")),
            false => Ok(options),
        }
    }
}

fn seconds(word: &[u8]) -> Result<f64, ClientError> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    number
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .ok_or(ClientError::Usage("--timeout wants a number of seconds"))
}

/// A word in single quotes, so that the shell takes it as it is.
fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Runs a program and passes its output and its exit code through.
fn run(words: &[Vec<u8>]) -> Result<i32, ClientError> {
    let options = RunOptions::parse(words)?;
    let mut input = Vec::new();
    if options.feeds {
        io::stdin().read_to_end(&mut input)?;
    }
    let reply = ask(operation::RUN, |fields| {
        fields.u64((options.seconds * 1_000.0) as u64);
        fields.bytes(&options.directory).bytes(&input).bytes(&options.line);
    })?;
    let mut reader = PayloadReader::new(&reply);
    let (end, code) = (reader.u8()?, reader.i32()?);
    let mut whole = true;
    let streams: [&mut dyn Write; 2] = [&mut io::stdout(), &mut io::stderr()];
    for stream in streams {
        let bytes = reader.bytes()?;
        whole &= reader.u64()? == bytes.len() as u64;
        stream.write_all(bytes)?;
    }
    reader.finish()?;
    match end {
        _ if !whole => Err(ClientError::Refused("the program wrote too much output".to_owned())),
        2 => Ok(TIMED_OUT_CODE),
        _ => Ok(code),
    }
}

/// Writes a file of the judged sandbox to standard output.
fn read(path: &[u8]) -> Result<i32, ClientError> {
    let reply = ask(operation::READ, |fields| {
        fields.u64(MAX_FILE).bytes(&absolute(path));
    })?;
    let mut reader = PayloadReader::new(&reply);
    io::stdout().write_all(reader.bytes()?)?;
    Ok(0)
}

/// Writes standard input to a file of the judged sandbox.
fn write(path: &[u8]) -> Result<i32, ClientError> {
    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content)?;
    ask(operation::WRITE, |fields| {
        fields.bytes(&absolute(path)).bytes(&content);
    })?;
    Ok(0)
}

/// Prints what is below a directory of the judged sandbox, as lines `kind path`.
fn list(path: &[u8]) -> Result<i32, ClientError> {
    let reply = ask(operation::LIST, |fields| {
        fields.u32(64).bytes(&absolute(path));
    })?;
    let mut reader = PayloadReader::new(&reply);
    if reader.u64()? > 0 {
        return Err(ClientError::Refused("the directory has too many entries".to_owned()));
    }
    let mut lines = Vec::new();
    for _ in 0..reader.u32()? {
        let kind = reader.u8()?;
        let kind = ["file", "directory", "link"].get(usize::from(kind)).unwrap_or(&"other");
        reader.u64()?;
        lines.extend_from_slice(kind.as_bytes());
        lines.push(b' ');
        lines.extend_from_slice(reader.bytes()?);
        lines.push(b'\n');
    }
    io::stdout().write_all(&lines)?;
    Ok(0)
}

/// A path of the judged sandbox. A relative one is below the workspace.
fn absolute(path: &[u8]) -> Vec<u8> {
    match path {
        [b'/', ..] => path.to_vec(),
        b"." => b"/work".to_vec(),
        _ => [b"/work/", path].concat(),
    }
}

/// Sends one request and returns the fields of its result.
fn ask(
    operation: u8,
    fill: impl FnOnce(&mut PayloadWriter),
) -> Result<Vec<u8>, ClientError> {
    let port = std::env::var(PORT).ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| {
        ClientError::Refused(format!("{PORT} is not set: this is no judge's sandbox"))
    })?;
    let mut body = PayloadWriter::default();
    body.u8(operation);
    fill(&mut body);
    let mut message = PayloadWriter::default();
    message.bytes(&body.0);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&message.0)?;
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let mut reply = Vec::new();
    let length = u32::from_le_bytes(prefix).into();
    stream.take(length).read_to_end(&mut reply)?;
    match reply.split_first() {
        Some((0, fields)) => Ok(fields.to_vec()),
        Some((_, fields)) => {
            let why = PayloadReader::new(fields).bytes()?;
            Err(ClientError::Refused(String::from_utf8_lossy(why).into_owned()))
        }
        None => Err(ClientError::Refused("the engine gave no answer".to_owned())),
    }
}

//! A server with the interface of the Hub, as far as a push needs it, that fails when it is told to. It
//! keeps one dataset repository, `me/rows`, and a store of large files.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) const TOKEN: &str = "hf_canary_of_the_hub";
/// What makes an address of the store a signed one.
const SIGNED: &str = "?signature=canary-of-the-store";

/// How a request fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// A status, with `retry-after: 0`.
    Status(u16),
    /// The connection ends before an answer.
    Cut,
    /// The connection ends in the middle of an answer.
    Half,
}

/// What the server has and does.
pub(crate) struct HubState {
    /// The role of the token.
    pub(crate) role: &'static str,
    /// Whether the token may write the repository.
    pub(crate) writes: bool,
    pub(crate) exists: bool,
    /// The committed files.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Which of them are large.
    pub(crate) large: BTreeMap<String, String>,
    pub(crate) commits: u64,
    /// The store of large files, by checksum.
    pub(crate) stored: BTreeMap<String, Vec<u8>>,
    /// Files of more bytes go in parts of so many.
    pub(crate) part: usize,
    /// Whether the checksums of large files that it states are wrong.
    pub(crate) misstates: bool,
    /// Whether somebody else commits just before the next commit.
    pub(crate) is_raced: bool,
    /// Whether the answer of the next commit is lost.
    pub(crate) loses_answer: bool,
    /// The next failures of requests whose line has this text.
    pub(crate) troubles: VecDeque<(&'static str, Trouble)>,
    /// The line of each request.
    pub(crate) asked: Vec<String>,
    parts: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
}

pub(crate) struct Hub {
    port: u16,
    state: Arc<Mutex<HubState>>,
}

/// A request.
struct Heard {
    line: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

/// An answer: a status, headers and a body.
struct Answer(u16, Vec<(&'static str, String)>, Vec<u8>);

impl Hub {
    pub(crate) fn start() -> Self {
        let state = HubState {
            role: "write",
            writes: true,
            exists: true,
            files: BTreeMap::from([(".gitattributes".to_owned(), b"*.parquet lfs".to_vec())]),
            large: BTreeMap::new(),
            commits: 1,
            stored: BTreeMap::new(),
            part: usize::MAX,
            misstates: false,
            is_raced: false,
            loses_answer: false,
            troubles: VecDeque::new(),
            asked: Vec::new(),
            parts: BTreeMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                // Whatever the client did is its own affair.
                std::thread::spawn(move || serve(&stream, port, &state).ok());
            }
        });
        Self { port, state }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap()
    }

    /// The next requests with this text fail.
    pub(crate) fn trouble(&self, text: &'static str, troubles: &[Trouble]) {
        self.state().troubles.extend(troubles.iter().map(|trouble| (text, *trouble)));
    }

    /// How many requests have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.state().asked.iter().filter(|line| line.contains(text)).count()
    }
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn serve(stream: &TcpStream, port: u16, state: &Mutex<HubState>) -> std::io::Result<()> {
    let heard = hear(stream)?;
    let mut state = state.lock().unwrap();
    state.asked.push(heard.line.clone());
    let next = state.troubles.front().filter(|(text, _)| heard.line.contains(text)).copied();
    if let Some((_, trouble)) = next {
        state.troubles.pop_front();
        drop(state);
        return fail(stream, trouble);
    }
    let Answer(status, headers, body) = state.answer(&heard, port);
    let is_lost = heard.line.contains("/commit/") && std::mem::take(&mut state.loses_answer);
    drop(state);
    if is_lost {
        return Ok(());
    }
    say(stream, status, &headers, &body, body.len())
}

fn fail(stream: &TcpStream, trouble: Trouble) -> std::io::Result<()> {
    match trouble {
        Trouble::Status(status) => {
            let headers = [("retry-after", "0".to_owned())];
            // A careless server repeats what it was sent.
            say(stream, status, &headers, format!("no, {TOKEN}").as_bytes(), 24)
        }
        Trouble::Cut => Ok(()),
        Trouble::Half => say(stream, 200, &[], b"{", 1_000),
    }
}

fn hear(stream: &TcpStream) -> std::io::Result<Heard> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    Ok(Heard { line, authorization, body })
}

fn say(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
    length: usize,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body[..body.len().min(length)])?;
    stream.flush()
}

fn document(value: &Value) -> Answer {
    Answer(200, Vec::new(), value.to_string().into_bytes())
}

fn refusal(status: u16, why: &str) -> Answer {
    Answer(status, Vec::new(), json!({ "error": why }).to_string().into_bytes())
}

impl HubState {
    fn answer(&mut self, heard: &Heard, port: u16) -> Answer {
        let (method, path) = heard.line.split_once(' ').unwrap();
        let is_store = path.starts_with("/store/");
        let token = format!("Bearer {TOKEN}");
        match (is_store, heard.authorization.as_deref()) {
            (true, Some(_)) => return refusal(400, "a token was sent to the store"),
            (false, given) if given != Some(token.as_str()) => {
                return refusal(401, &format!("{given:?} is no token"));
            }
            _ => {}
        }
        let body = || serde_json::from_slice::<Value>(&heard.body).unwrap();
        let api = path.strip_prefix("/api/datasets/me/rows/");
        if api.is_some() && !self.exists {
            return refusal(404, "Repository not found");
        }
        match (method, path) {
            ("GET", "/api/whoami-v2") => {
                document(&json!({ "name": "me", "auth": { "accessToken": { "role": self.role } } }))
            }
            ("POST", "/api/repos/create") => {
                assert_eq!(body(), json!({ "type": "dataset", "name": "rows", "private": true }));
                self.exists = true;
                document(&json!({ "url": "x" }))
            }
            ("GET", "/api/datasets/me/rows/revision/main") => {
                document(&json!({ "sha": format!("c{}", self.commits) }))
            }
            ("POST", "/api/datasets/me/rows/preupload/main") => self.preupload(&body()),
            ("POST", "/api/datasets/me/rows/commit/main") => self.commit(&heard.body),
            ("POST", "/datasets/me/rows.git/info/lfs/objects/batch") => self.batch(&body(), port),
            ("POST", "/datasets/me/rows.git/verify") => self.verify(&body()),
            ("POST", "/datasets/me/rows.git/complete") => self.complete(&body()),
            ("PUT", path) if is_store => self.put(path, &heard.body),
            ("GET", path) if path.starts_with("/datasets/me/rows/resolve/") => self.resolve(path),
            ("GET", path) if path.contains("/tree/") => self.tree(path, port),
            _ => refusal(404, "no such path"),
        }
    }

    fn preupload(&self, asked: &Value) -> Answer {
        if !self.writes {
            return refusal(403, &format!("{TOKEN} may not write"));
        }
        let files = asked["files"].as_array().unwrap().iter().map(|file| {
            let path = file["path"].as_str().unwrap();
            let mode = if path.ends_with(".parquet") { "lfs" } else { "regular" };
            json!({ "path": path, "uploadMode": mode, "shouldIgnore": false })
        });
        document(&json!({ "files": files.collect::<Vec<_>>() }))
    }

    fn batch(&self, asked: &Value, port: u16) -> Answer {
        assert_eq!(asked["operation"], "upload");
        let objects = asked["objects"].as_array().unwrap().iter().map(|object| {
            let oid = object["oid"].as_str().unwrap();
            if self.stored.contains_key(oid) {
                return json!({ "oid": oid });
            }
            let here = format!("http://127.0.0.1:{port}");
            let git = format!("{here}/datasets/me/rows.git");
            let size = usize::try_from(object["size"].as_u64().unwrap()).unwrap();
            let upload = if size > self.part {
                let mut header = json!({ "chunk_size": self.part.to_string() });
                for number in 1..=size.div_ceil(self.part) {
                    header[format!("{number:05}")] =
                        format!("{here}/store/{oid}/{number}{SIGNED}").into();
                }
                json!({ "href": format!("{git}/complete"), "header": header })
            } else {
                json!({ "href": format!("{here}/store/{oid}{SIGNED}") })
            };
            let verify = json!({ "href": format!("{git}/verify") });
            json!({ "oid": oid, "actions": { "upload": upload, "verify": verify } })
        });
        document(&json!({ "transfer": "basic", "objects": objects.collect::<Vec<_>>() }))
    }

    fn put(&mut self, path: &str, body: &[u8]) -> Answer {
        let name = path.trim_start_matches("/store/").strip_suffix(SIGNED).unwrap();
        let etag = |name: &str| vec![("etag", format!("\"{name}\""))];
        if let Some((oid, number)) = name.split_once('/') {
            let parts = self.parts.entry(oid.to_owned()).or_default();
            parts.insert(number.parse().unwrap(), body.to_vec());
            return Answer(200, etag(number), Vec::new());
        }
        if sum(body) != name {
            return refusal(400, "the bytes have another checksum");
        }
        self.stored.insert(name.to_owned(), body.to_vec());
        Answer(200, etag("whole"), Vec::new())
    }

    fn complete(&mut self, asked: &Value) -> Answer {
        let oid = asked["oid"].as_str().unwrap();
        let parts = self.parts.remove(oid).unwrap_or_default();
        let named = asked["parts"].as_array().unwrap();
        let is_named = |number: &usize| {
            let name = format!("\"{number}\"");
            named.iter().any(|part| part["partNumber"] == *number && part["etag"] == name.as_str())
        };
        assert!(parts.keys().all(is_named) && parts.len() == named.len(), "{asked}");
        let whole: Vec<u8> = parts.into_values().flatten().collect();
        if sum(&whole) != oid {
            return refusal(400, "the parts have another checksum");
        }
        self.stored.insert(oid.to_owned(), whole);
        document(&json!({ "success": true }))
    }

    fn verify(&self, asked: &Value) -> Answer {
        match self.stored.get(asked["oid"].as_str().unwrap()) {
            Some(bytes) if asked["size"] == bytes.len() => document(&json!({})),
            _ => refusal(404, "not stored"),
        }
    }

    fn commit(&mut self, body: &[u8]) -> Answer {
        if std::mem::take(&mut self.is_raced) {
            self.commits += 1;
        }
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["key"], "header");
        if lines[0]["value"]["parentCommit"] != format!("c{}", self.commits).as_str() {
            return refusal(412, "a commit has happened since");
        }
        for line in &lines[1..] {
            let value = &line["value"];
            let path = value["path"].as_str().unwrap().to_owned();
            match line["key"].as_str().unwrap() {
                "file" => {
                    let content = base64(value["content"].as_str().unwrap());
                    self.large.remove(&path);
                    self.files.insert(path, content);
                }
                "lfsFile" => {
                    let oid = value["oid"].as_str().unwrap();
                    let Some(bytes) = self.stored.get(oid) else {
                        return refusal(400, "a large file was not stored");
                    };
                    self.files.insert(path.clone(), bytes.clone());
                    self.large.insert(path, oid.to_owned());
                }
                "deletedFile" => {
                    self.large.remove(&path);
                    assert!(self.files.remove(&path).is_some(), "{path}");
                }
                key => panic!("{key}"),
            }
        }
        self.commits += 1;
        document(&json!({ "commitOid": format!("c{}", self.commits), "commitUrl": "x" }))
    }

    /// Any revision is the newest commit: no test looks at another.
    fn resolve(&self, path: &str) -> Answer {
        let path = path.trim_start_matches("/datasets/me/rows/resolve/");
        let found = path.split_once('/').and_then(|(_, path)| self.files.get(path));
        found.map_or_else(
            || refusal(404, "Entry not found"),
            |bytes| Answer(200, Vec::new(), bytes.clone()),
        )
    }

    /// One entry a page.
    fn tree(&self, path: &str, port: u16) -> Answer {
        let (path, page) = path.split_once("?page=").unwrap_or((path, "0"));
        let page: usize = page.parse().unwrap();
        let below = path.split_once("/tree/").unwrap().1.split_once('/').map_or("", |(_, dir)| dir);
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let direct = |name: &&String| {
            name.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        };
        let names: Vec<&String> = self.files.keys().filter(direct).collect();
        let Some(name) = names.get(page) else { return refusal(404, "Entry not found") };
        let mut entry = json!({ "type": "file", "path": name, "size": self.files[*name].len() });
        if let Some(oid) = self.large.get(*name) {
            let stated = if self.misstates { "0".repeat(64) } else { oid.clone() };
            entry["lfs"] = json!({ "oid": stated, "size": 1, "pointerSize": 1 });
        }
        let next = format!("<http://127.0.0.1:{port}{path}?page={}>; rel=\"next\"", page + 1);
        let headers = if page + 1 < names.len() { vec![("link", next)] } else { Vec::new() };
        Answer(200, headers, json!([entry]).to_string().into_bytes())
    }
}

/// Reads base64, as any other program would.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| LETTERS.iter().position(|letter| *letter == byte);
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0);
    for six in text.bytes().map_while(value) {
        held = ((held << 6) | six) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    bytes
}

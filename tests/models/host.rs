//! A server that says exactly what a test wants, byte by byte, and remembers what it heard.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it does for one connection, act by act; then it closes.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Vec<u8>),
    /// So many bytes of filler.
    Pour(usize),
    /// Says nothing until the other end gives up.
    Stall,
    /// Breaks the connection.
    Reset,
}

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Host {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Host {
    /// Does the same for everybody who comes.
    pub(crate) fn doing(acts: Vec<Act>) -> Self {
        Self::answering(move |_| acts.clone())
    }

    pub(crate) fn answering(answer: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let (noted, answer) = (heard.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (noted, answer) = (noted.clone(), answer.clone());
                thread::spawn(move || {
                    let Some(request) = hear(&stream) else { return };
                    noted.lock().unwrap().push(request.clone());
                    answer(&request).into_iter().for_each(|act| perform(&stream, act));
                });
            }
        });
        Self { address, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream);
    let mut heard = Heard::default();
    reader.read_line(&mut heard.line).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        heard.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = heard.header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    heard.body = serde_json::from_slice(&body).ok()?;
    Some(heard)
}

fn perform(mut stream: &TcpStream, act: Act) {
    match act {
        // Who has gone wants no more.
        Act::Say(bytes) => drop(stream.write_all(&bytes).and_then(|()| stream.flush())),
        Act::Pour(count) => {
            let filler = [b' '; 64 << 10];
            for _ in 0..count / filler.len() {
                if stream.write_all(&filler).is_err() {
                    return;
                }
            }
        }
        Act::Stall => drop(stream.read(&mut [0; 64])),
        Act::Reset => {
            let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            let option = nix::sys::socket::sockopt::Linger;
            nix::sys::socket::setsockopt(&stream, option, &linger).unwrap();
        }
    }
}

fn say(text: impl Into<Vec<u8>>) -> Act {
    Act::Say(text.into())
}

/// The head of a stream of events that ends with the connection.
pub(crate) fn events_begin() -> Act {
    say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
}

pub(crate) fn event(data: &str) -> Act {
    say(format!("data: {data}\n\n"))
}

/// A whole stream of chunks, as the format has it.
pub(crate) fn stream_of(chunks: &[Value]) -> Vec<Act> {
    let mut acts = vec![events_begin()];
    acts.extend(chunks.iter().map(|chunk| event(&chunk.to_string())));
    acts.push(event("[DONE]"));
    acts
}

pub(crate) fn status(line: &str, headers: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    vec![say(format!(
        "HTTP/1.1 {line}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    ))]
}

pub(crate) fn delta(delta: Value) -> Value {
    json!({ "id": "x", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta,
        "finish_reason": null }] })
}

pub(crate) fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

pub(crate) fn usage(input: u64, output: u64) -> Value {
    json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output,
        "total_tokens": input + output } })
}

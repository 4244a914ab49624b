//! A model server of the OpenAI chat format that answers at once, or after a while: so many
//! commands, then the submission. The engine and its peer ask the same one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The argument that asks for a server as a program of its own. The milliseconds of a call and the
/// command follow.
pub const ASKED: &str = "--model-server";
const SUBMIT: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

/// Starts one for as long as the bench runs; its base URL. A model's name ends with the
/// number of its commands, such as `m-50`.
pub fn start(command: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(&listener, command, Duration::ZERO));
    format!("http://{address}/v1")
}

/// A server in a process of its own, so that its work is not the engine's.
pub struct ModelServer {
    child: Child,
    pub url: String,
}

impl ModelServer {
    /// Each call takes as long as the model thinks.
    pub fn start(thinks: Duration, command: &str) -> Self {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args([ASKED, &thinks.as_millis().to_string(), command]).stdout(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().to_owned() }
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Says where it listens, and serves until it is killed. The arguments are those behind [`ASKED`].
pub fn run(thinks: &str, command: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}/v1", listener.local_addr().unwrap());
    serve(&listener, command, Duration::from_millis(thinks.parse().unwrap()));
}

fn serve(listener: &TcpListener, command: &str, thinks: Duration) {
    for client in listener.incoming().map_while(Result::ok) {
        let command = command.to_owned();
        thread::spawn(move || while answer(&client, &command, thinks).is_some() {});
    }
}

/// One request of a connection that may bring more.
fn answer(client: &TcpStream, command: &str, thinks: Duration) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let body = hear(client)?;
    thread::sleep(thinks);
    let text = String::from_utf8(body).ok()?;
    let asked: serde_json::Value = serde_json::from_str(&text).ok()?;
    let messages = asked["messages"].as_array()?;
    let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
    let turns: usize = asked["model"].as_str()?.rsplit('-').next()?.parse().ok()?;
    let command = if turn < turns { command } else { SUBMIT };
    let reply =
        if asked["stream"] == true { streamed(turn, command) } else { whole(turn, command) };
    let mut client = client;
    client.write_all(reply.as_bytes()).ok()
}

fn hear(client: &TcpStream) -> Option<Vec<u8>> {
    // Nothing is read ahead: a client waits for its answer.
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn call(turn: usize, command: &str) -> serde_json::Value {
    let arguments = serde_json::json!({ "command": command }).to_string();
    serde_json::json!([{ "index": 0, "id": format!("call_{turn}"), "type": "function",
        "function": { "name": "bash", "arguments": arguments } }])
}

fn usage() -> serde_json::Value {
    serde_json::json!({ "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 })
}

fn whole(turn: usize, command: &str) -> String {
    let message = serde_json::json!({ "role": "assistant", "content": "Again.",
        "tool_calls": call(turn, command) });
    let body = serde_json::json!({ "id": "x", "object": "chat.completion", "created": 1,
        "model": "m", "usage": usage(), "choices": [{ "index": 0, "message": message,
        "finish_reason": "tool_calls" }] })
    .to_string();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn streamed(turn: usize, command: &str) -> String {
    let delta = serde_json::json!({ "content": "Again.", "tool_calls": call(turn, command) });
    let first = serde_json::json!({ "choices": [{ "index": 0, "delta": delta }] });
    let last = serde_json::json!({ "choices": [{ "index": 0, "delta": {},
        "finish_reason": "tool_calls" }], "usage": usage() });
    let body = format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

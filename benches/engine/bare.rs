//! Clients and a provider that speak just as much HTTP as they need.

use crate::load::{PATH, REPLY, Span, TOKEN, think};
use std::time::{Duration, Instant};
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long each call took.
pub async fn client(address: &str, body: &str, span: Span) -> Vec<Duration> {
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buffer) = (Vec::new(), Vec::new());
    loop {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (head, _) = message(&mut stream, &mut buffer).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        if !span.keep(begun, &mut times) {
            return times;
        }
    }
}

/// One message of HTTP with its length: its head and its body.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
            // What has none asks whether somebody is there.
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        buffer.reserve(16 << 10);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

pub async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = spawn("provider", async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn("connection", answer(stream)).detach();
        }
    });
    serving.detach();
    address
}

async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{REPLY}",
        REPLY.len()
    );
    let mut buffer = Vec::new();
    while let Some((_, asked)) = message(&mut stream, &mut buffer).await {
        think(&asked).await;
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

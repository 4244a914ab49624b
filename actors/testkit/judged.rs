//! The command `judged COMMAND` of fake sandboxes: runs COMMAND in the judged sandbox, through the
//! service at the other end of the tunnel. `judged reset` begins anew there, and `judged read PATH`
//! reads a file.

use crate::model::InternalService;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Exit code and output of the command; 125 if it was refused.
pub(super) async fn run(service: &InternalService, command: &str) -> (i32, String) {
    let (near, far) = duplex(1 << 16);
    tokio::select! {
        answer = ask(near, command) => answer,
        () = service.serve(far) => (125, String::new()),
    }
}

async fn ask(mut stream: DuplexStream, command: &str) -> (i32, String) {
    if command == "reset" {
        return match exchange(&mut stream, &[5]).await.as_deref() {
            Some([0]) => (0, String::new()),
            _ => (125, String::new()),
        };
    }
    if let Some(path) = command.strip_prefix("read ") {
        return read(&mut stream, path).await;
    }
    let mut body = vec![1];
    body.extend_from_slice(&1_000_u64.to_le_bytes());
    for field in ["/work", "", command] {
        body.extend_from_slice(&(field.len() as u32).to_le_bytes());
        body.extend_from_slice(field.as_bytes());
    }
    let reply = exchange(&mut stream, &body).await.unwrap_or_default();
    // Status, end, exit code and the length of the output come before the output.
    match reply.as_slice() {
        [0, _, a, b, c, d, e, f, g, h, rest @ ..] => {
            let size = u32::from_le_bytes([*e, *f, *g, *h]) as usize;
            let output = String::from_utf8_lossy(&rest[..size.min(rest.len())]).into_owned();
            (i32::from_le_bytes([*a, *b, *c, *d]), output)
        }
        _ => (125, String::new()),
    }
}

/// Exit code and content of a file.
async fn read(stream: &mut DuplexStream, path: &str) -> (i32, String) {
    let mut body = vec![2];
    body.extend_from_slice(&1_000_u64.to_le_bytes());
    body.extend_from_slice(&(path.len() as u32).to_le_bytes());
    body.extend_from_slice(path.as_bytes());
    match exchange(stream, &body).await.unwrap_or_default().as_slice() {
        [0, _, _, _, _, content @ ..] => (0, String::from_utf8_lossy(content).into_owned()),
        _ => (125, String::new()),
    }
}

/// Sends one request and returns the body of its reply. None if the connection ends before.
async fn exchange(stream: &mut DuplexStream, body: &[u8]) -> Option<Vec<u8>> {
    let length = (body.len() as u32).to_le_bytes();
    stream.write_all(&[&length[..], body].concat()).await.ok()?;
    let mut reply = vec![0; stream.read_u32_le().await.ok()? as usize];
    stream.read_exact(&mut reply).await.ok()?;
    Some(reply)
}

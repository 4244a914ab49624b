//! The tunnel: programs in a sandbox without a network reach one address of the host's, and
//! nothing else.

use super::lab::{Lab, ok, python, request, run, works};
use crate::support::Upstream;
use std::time::Duration;
use synthd_actors::model::{ExecEnd, FaultKind, HostAddress};
use synthd_actors::ports::Sandbox;

const PORT: u16 = 8_181;

async fn tunnelled(lab: &Lab, upstream: &Upstream) -> Box<dyn Sandbox> {
    let mut sandbox = lab.sandbox().await;
    sandbox.tunnel(PORT, upstream.address()).await.unwrap();
    sandbox
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import concurrent.futures, threading, urllib.request
# Where memory is bounded by address space, sixty-four full stacks are too many.
threading.stack_size(256 << 10)
def fetch(number):
    with urllib.request.urlopen(f"http://127.0.0.1:8181/bytes/{number * 1000}") as reply:
        return reply.status == 200 and len(reply.read()) == number * 1000
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(sum(pool.map(fetch, range(256))))
"#;
    let Some(printed) = python(&mut *sandbox, "many clients of the tunnel", program).await else {
        return;
    };
    assert_eq!(printed, "256\n");
    assert_eq!(upstream.served(), 256);
    lab.is_well().await;
}

/// More than one window each way, with nothing lost, added or out of order.
#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import urllib.request, hashlib
body = bytes(i * i % 251 for i in range(1_000_003)) * 8
request = urllib.request.Request("http://127.0.0.1:8181/echo", data=body)
with urllib.request.urlopen(request) as reply:
    print(hashlib.sha256(reply.read()).digest() == hashlib.sha256(body).digest())
"#;
    let Some(printed) = python(&mut *sandbox, "large bodies", program).await else { return };
    assert_eq!(printed, "True\n");
}

/// Whoever does not read holds up nobody else, and gets all of it when it does.
#[tokio::test]
async fn a_client_that_does_not_read_holds_up_itself_alone() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import socket, urllib.request
idle = socket.create_connection(("127.0.0.1", 8181))
idle.sendall(b"GET /bytes/20000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
for number in range(50):
    with urllib.request.urlopen("http://127.0.0.1:8181/bytes/5000") as reply:
        assert len(reply.read()) == 5000
received = 0
while chunk := idle.recv(65536):
    received += len(chunk)
print(received > 20000000)
"#;
    let Some(printed) = python(&mut *sandbox, "an idle reader", program).await else { return };
    assert_eq!(printed, "True\n");
    // What it had not read was not kept for it by the engine either.
    assert!(upstream.most_unsent() < 20_000_000);
}

#[tokio::test]
async fn either_side_may_close_first() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import socket
one = socket.create_connection(("127.0.0.1", 8181))
one.sendall(b"COUNT\n" + b"x" * 300000)
one.shutdown(socket.SHUT_WR)
print(one.makefile().read())
two = socket.create_connection(("127.0.0.1", 8181))
two.sendall(b"HANGUP\n")
print(two.recv(1))
"#;
    let Some(printed) = python(&mut *sandbox, "half-closed connections", program).await else {
        return;
    };
    assert_eq!(printed, "300000\nb''\n");
}

/// What was cut does not look complete, and an answer that comes before a body has been sent
/// is heard.
#[tokio::test]
async fn a_server_that_breaks_off_is_told_from_one_that_has_ended() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import socket
def say(text):
    one = socket.create_connection(("127.0.0.1", 8181))
    one.sendall(text)
    return one
def hear(one):
    heard = b""
    try:
        while chunk := one.recv(65536):
            heard += chunk
        return heard, "ended"
    except ConnectionResetError:
        return heard, "broken"
print(hear(say(b"CUT\n"))[1])
early = say(b"EARLY\n")
try:
    for _ in range(400):
        early.sendall(b"x" * 65536)
except (BrokenPipeError, ConnectionResetError):
    pass
print(hear(say(b"EARLY\n"))[0])
"#;
    let Some(printed) = python(&mut *sandbox, "a server that breaks off", program).await else {
        return;
    };
    assert_eq!(printed, "broken\nb'too large'\n");
}

#[tokio::test]
async fn it_leads_to_its_address_alone() {
    let (lab, upstream, other) =
        (Lab::new().await, Upstream::start().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = format!(
        r#"
import socket
for address in [("127.0.0.1", {}), ("127.0.0.1", {}), ("127.0.0.1", 22), ("10.0.0.1", 80)]:
    try:
        socket.create_connection(address, 3)
        print("reached", address)
    except OSError as error:
        print("no")
"#,
        upstream.port(),
        other.port()
    );
    let Some(printed) = python(&mut *sandbox, "the tunnel's one address", &program).await else {
        return;
    };
    assert_eq!(printed, "no\nno\nno\nno\n");
    assert_eq!(other.served() + upstream.served(), 0);
}

#[tokio::test]
async fn where_nobody_listens_the_client_is_told_at_once() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let nowhere = upstream.address();
    drop(upstream);
    let mut sandbox = lab.sandbox().await;
    sandbox.tunnel(PORT, nowhere).await.unwrap();
    let program = r#"
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:8181/bytes/1", timeout=30)
except OSError as error:
    print(type(error).__name__)
"#;
    let Some(printed) = python(&mut *sandbox, "a tunnel to nowhere", program).await else { return };
    assert!(
        ["ConnectionResetError\n", "RemoteDisconnected\n", "URLError\n"]
            .contains(&printed.as_str()),
        "{printed}"
    );
    works(&mut *sandbox).await;
}

/// A process in the background goes on talking while no command runs, and is cut off by a
/// copy that quiesces.
#[tokio::test]
async fn connections_live_between_commands_and_end_with_their_processes() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import os, socket
if os.fork() == 0:
    line = socket.create_connection(("127.0.0.1", 8181))
    line.sendall(b"PINGPONG\n")
    while line.recv(1):
        line.sendall(b".")
"#;
    if python(&mut *sandbox, "talk between commands", program).await.is_none() {
        return;
    }
    upstream.rounds(100).await;
    assert_eq!(upstream.open(), 1);
    sandbox.pack(true).await.unwrap();
    upstream.all_closed().await;
    works(&mut *sandbox).await;
    // And new ones may come.
    let fetch = "python3 -c \"import urllib.request as u; \
                 print(len(u.urlopen('http://127.0.0.1:8181/bytes/7').read()))\"";
    assert_eq!(ok(&mut *sandbox, fetch).await, "7\n");
}

#[tokio::test]
async fn connections_end_with_the_sandbox() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let program = r#"
import os, socket, time
if os.fork() == 0:
    lines = [socket.create_connection(("127.0.0.1", 8181)) for _ in range(20)]
    for line in lines: line.sendall(b"COUNT\n")
    time.sleep(1000)
"#;
    if python(&mut *sandbox, "the end of connections", program).await.is_none() {
        return;
    }
    upstream.accepted(20).await;
    drop(sandbox);
    upstream.all_closed().await;
    lab.is_well().await;
}

#[tokio::test]
async fn it_opens_once_and_never_twice() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    let again = sandbox.tunnel(PORT + 1, upstream.address()).await.unwrap_err();
    assert_eq!(again.kind, FaultKind::SandboxStart, "{again}");
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn it_leads_to_a_unix_socket_too() {
    let lab = Lab::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let mut sandbox = lab.sandbox().await;
    sandbox.tunnel(PORT, HostAddress::Unix(path)).await.unwrap();
    let program = "import socket; print(socket.create_connection(('127.0.0.1', 8181)).recv(9))";
    let serve = async {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"from host").await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serve => {}
        printed = python(&mut *sandbox, "a tunnel to a Unix socket", program) => {
            assert!(printed.is_none_or(|printed| printed == "b'from host'\n"));
        }
    }
}

/// A command's own deadline holds while connections flood.
#[tokio::test]
async fn floods_do_not_hold_up_the_clock() {
    let (lab, upstream) = (Lab::new().await, Upstream::start().await);
    let mut sandbox = tunnelled(&lab, &upstream).await;
    if run(&mut *sandbox, "command -v python3").await.end != ExecEnd::Exited(0) {
        return crate::support::skip("floods through the tunnel", "no python3 inside");
    }
    let program = r#"
import socket, threading
def flood():
    while True:
        try:
            line = socket.create_connection(("127.0.0.1", 8181))
            line.sendall(b"COUNT\n")
            for _ in range(100): line.sendall(b"x" * 65536)
        except OSError: pass
for _ in range(8): threading.Thread(target=flood).start()
"#;
    let command = format!("python3 - <<'PROGRAM'\n{program}\nPROGRAM");
    let report = sandbox.exec(&request(&command, Duration::from_secs(3))).await.unwrap();
    assert_eq!(report.end, ExecEnd::TimedOut);
    works(&mut *sandbox).await;
    lab.is_well().await;
}

//! The way out to hosts that a campaign allows: those and no other, and no address that is
//! private, whatever name leads to it.

use super::lab::{Lab, ok, python, run, spec, works};
use crate::support::Upstream;
use async_trait::async_trait;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use synthd::sandbox::SandboxBackends;
use synthd::sandbox::egress::HostResolver;
use synthd_actors::model::{ExecEnd, ExecRequest, NetworkPolicy, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

/// The Internet: every name leads to the test's own server.
struct Everywhere(SocketAddr);

#[async_trait]
impl HostResolver for Everywhere {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        if host == "inner.test" { Ok(vec![]) } else { Ok(vec![self.0]) }
    }
}

fn allowing(hosts: &[&str]) -> SandboxSpec {
    let allow = hosts.iter().map(|host| host.parse().unwrap()).collect();
    SandboxSpec { network: Some(NetworkPolicy { name: "some".to_owned(), allow }), ..spec() }
}

async fn connected(hosts: &[&str], upstream: &Upstream) -> (SandboxBackends, Box<dyn Sandbox>) {
    let server = SocketAddr::from(([127, 0, 0, 1], upstream.port()));
    let backend = Lab::new().await.backend.resolving_by(Arc::new(Everywhere(server)));
    let sandbox = backend.create(&allowing(hosts)).await.unwrap();
    (backend, sandbox)
}

/// Asks the proxy as real clients do, and prints what came of it.
const FETCH: &str = r#"
import http.client, os, urllib.error, urllib.request
def fetch(url):
    try:
        with urllib.request.urlopen(url) as reply:
            return f"{reply.status} {len(reply.read())}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode().strip()}"
def connect(host, port):
    client = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
    client.set_tunnel(host, port)
    try:
        client.request("GET", "/bytes/70000")
        return f"{client.getresponse().status}"
    except OSError as error:
        return str(error)
"#;

#[tokio::test]
async fn what_is_named_is_reached_by_real_clients() {
    let upstream = Upstream::start().await;
    let hosts = ["pypi.test", "*.crates.test:8443"];
    let (backend, mut sandbox) = connected(&hosts, &upstream).await;
    let program = format!(
        "{FETCH}
print(fetch('http://pypi.test/bytes/5000'))
print(fetch('http://PyPI.test:80/bytes/300000'))
print(connect('pypi.test', 443), connect('a.crates.test', 8443))
"
    );
    let Some(printed) = python(&mut *sandbox, "allowed hosts", &program).await else { return };
    assert_eq!(printed, "200 5000\n200 300000\n200 200\n");
    assert_eq!(upstream.served(), 4);
    let enforced = &sandbox.fingerprint().enforced;
    assert_eq!(enforced["network"], "some: pypi.test, *.crates.test:8443");
    drop(sandbox);
    backend.settle().await.unwrap();
}

#[tokio::test]
async fn nothing_else_is_reached() {
    let upstream = Upstream::start().await;
    let (_backend, mut sandbox) = connected(&["pypi.test", "inner.test"], &upstream).await;
    let program = format!(
        "{FETCH}
import socket
print(fetch('http://other.test/'))
print(fetch('http://inner.test/'))
print(fetch('http://169.254.169.254/latest/meta-data/'))
print(fetch('http://pypi.test:{port}/'))
for host, port in [('127.0.0.1', {port}), ('other.test', 443), ('pypi.test', 22)]:
    print(connect(host, port))
for address in [('127.0.0.1', {port}), ('169.254.169.254', 80), ('1.1.1.1', 443)]:
    try:
        print('reached', socket.create_connection(address, 3))
    except OSError:
        print('no')
try:
    print(socket.getaddrinfo('pypi.test', 80))
except OSError:
    print('no name')
",
        port = upstream.port()
    );
    let Some(printed) = python(&mut *sandbox, "other hosts", &program).await else { return };
    let port = upstream.port();
    let expected = format!(
        "403 synthd: other.test:80 is not among the hosts of some
403 synthd: inner.test has no address outside of private networks
403 synthd: 169.254.169.254:80 is not among the hosts of some
403 synthd: pypi.test:{port} is not among the hosts of some
Tunnel connection failed: 403 Forbidden
Tunnel connection failed: 403 Forbidden
Tunnel connection failed: 403 Forbidden
no
no
no
no name
"
    );
    assert_eq!(printed, expected);
    assert_eq!(upstream.served(), 0);
    works(&mut *sandbox).await;
}

/// By this host's own resolver.
#[tokio::test]
async fn a_name_of_a_private_address_leads_nowhere() {
    let lab = Lab::new().await;
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let host = format!("localhost:{port}");
    let mut sandbox = lab.with(allowing(&[&host])).await;
    let program =
        format!("{FETCH}\nos.environ['no_proxy'] = ''\nprint(fetch('http://localhost:{port}/'))");
    let Some(printed) = python(&mut *sandbox, "private names", &program).await else { return };
    assert_eq!(printed, "403 synthd: localhost has no address outside of private networks\n");
    assert_eq!(upstream.served(), 0);
}

#[tokio::test]
async fn programs_that_ask_for_nonsense_are_told_and_hold_up_nobody() {
    let upstream = Upstream::start().await;
    let (_backend, mut sandbox) = connected(&["pypi.test"], &upstream).await;
    let program = format!(
        "{FETCH}
import socket
def say(text):
    raw = socket.create_connection(('127.0.0.1', 3128))
    raw.sendall(text)
    raw.shutdown(socket.SHUT_WR)
    return raw.recv(100).split(b'\\r\\n')[0].decode()
print(say(b''), say(b'\\0' * 100 + b'\\r\\n\\r\\n'), say(b'GET / HTTP/1.1\\r\\n\\r\\n'), sep='\\n')
print(say(b'GET http://pypi.test/ HTTP/1.1\\r\\nX: ' + b'x' * 40000))
idle = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(64)]
print(fetch('http://pypi.test/bytes/10'))
"
    );
    let Some(printed) = python(&mut *sandbox, "nonsense", &program).await else { return };
    let expected = "HTTP/1.1 400 Bad Request\nHTTP/1.1 400 Bad Request\n\
                    HTTP/1.1 400 Bad Request\nHTTP/1.1 431 Request Header Fields Too Large\n200 10\n";
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn every_command_is_told_of_it_and_none_where_there_is_none() {
    let lab = Lab::new().await;
    let mut sandbox = lab.with(allowing(&["pypi.test"])).await;
    let told = "echo $http_proxy $HTTPS_PROXY $no_proxy";
    let expected = "http://127.0.0.1:3128 http://127.0.0.1:3128 localhost,127.0.0.1\n";
    assert_eq!(ok(&mut *sandbox, told).await, expected);
    // A session may change its own; the engine's commands see what they always saw.
    assert_eq!(ok(&mut *sandbox, "export http_proxy=none; echo $http_proxy").await, "none\n");
    assert_eq!(ok(&mut *sandbox, "echo $http_proxy").await, "none\n");
    let own = ExecRequest {
        command: told.to_owned(),
        session: false,
        timeout: std::time::Duration::from_secs(30),
        scan: false,
        output_kept: None,
        joined: false,
    };
    assert_eq!(sandbox.exec(&own).await.unwrap().stdout.text(), expected);

    let mut alone = lab.sandbox().await;
    assert_eq!(run(&mut *alone, "env | grep -i proxy").await.end, ExecEnd::Exited(1));
}

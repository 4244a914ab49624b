//! The egress proxy of one network policy: accepts connections from sandboxes, and carries each
//! one to one allowed host.
//!
//! ```text
//!  head ─► parsed ─► allowed ─► resolved ─► connected ─► carried until either side ends
//!   │ to the proxy itself: the agent gateway (503: busy) ───▲
//!   │        │ 400     │ 403     │ 403, 502, 504 │ 502
//!   └ 408    └─────────┴─────────┴───────────────┴──► the program gets the reason, then closed
//! ```
//! A request with a path as its target (`POST /v1/messages`) is for the agent gateway, at which
//! external agents call their models. All other requests name a host (`request.rs`).
//!
//! Invariants: no byte of a program reaches a host that the policy does not allow or whose
//! address is not public, and a connection never changes its host. Every refusal is an HTTP
//! response with the reason as its text, so that the program can show it. Each step before the
//! data flows has a time limit.

use super::body::RemainingBody;
use super::request::{self, MAX_HEAD, MalformedRequest, ProxyRequest};
use super::resolve::HostResolver;
use crate::socket_path::connect_unix;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::NetworkPolicy;
use synthd_actors::supervisor::spawn;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, sink,
};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// The time limit of each single step: the program sends its head, the host's name is resolved,
/// one address accepts the connection, the agent gateway accepts the connection.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most connections at once, of all sandboxes of the policy. Further connections wait in the
/// socket's queue.
const MOST: usize = 8_192;
/// The longest time that a connection to a host may last, whether data flows or not. No package
/// takes longer to download. It also ends connections that were left idle. Calls to the agent
/// gateway have no limit here.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// The most bytes of a refused program that are still read (and thrown away) before its
/// connection is closed.
const MOST_UNHEARD: u64 = 1 << 20;
/// The most addresses of one host that are tried in turn.
const TRIED: usize = 4;
/// The wait before another try, after an error of `accept` (such as too many open files) or while
/// the queue of the agent gateway's socket is full.
const AGAIN: Duration = Duration::from_millis(100);

/// The state that all connections of one proxy share.
pub(super) struct EgressProxy {
    /// The policy with the allowed hosts and its name for messages.
    network: NetworkPolicy,
    resolver: Arc<dyn HostResolver>,
    /// One permit for each connection; see [`MOST`].
    slots: Arc<Semaphore>,
    /// The socket of the agent gateway. It exists from the first external agent until shutdown.
    agents: PathBuf,
}

/// Why a program is not connected: the HTTP status and the reason. It is an error that the
/// program can still be told, because nothing of an answer was sent yet.
struct EgressRefusal(u16, String);

impl EgressProxy {
    pub(super) fn new(
        network: NetworkPolicy,
        resolver: Arc<dyn HostResolver>,
        agents: PathBuf,
    ) -> Self {
        Self { network, resolver, slots: Arc::new(Semaphore::new(MOST)), agents }
    }

    /// Accepts connections until the task is aborted. Each connection gets a task of its own. An
    /// error of `accept` does not end the proxy.
    pub(super) async fn serve(self, listener: UnixListener) {
        let proxy = Arc::new(self);
        loop {
            // The permit is taken before `accept`, so that a connection beyond the limit waits in
            // the kernel and not in memory.
            let Ok(place) = proxy.slots.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((program, _)) => {
                    let proxy = proxy.clone();
                    spawn("egress connection", async move {
                        if let Err(error) = proxy.serve_client(program).await {
                            tracing::debug!(%error, "a connection to the outside has ended");
                        }
                        drop(place);
                    })
                    .detach();
                }
                Err(error) => {
                    tracing::warn!(%error, "the egress proxy cannot accept");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Serves one connection from beginning to end. `Err` is an error of the connection itself,
    /// after data began to flow or while a refusal was sent.
    async fn serve_client(&self, mut program: UnixStream) -> io::Result<()> {
        match self.carry(&mut program).await {
            Ok(carried) => carried,
            Err(EgressRefusal(status, why)) => {
                tracing::info!(network = self.network.name, status, why, "a program was refused");
                program.write_all(told(status, &why).as_bytes()).await?;
                program.shutdown().await?;
                // The rest of what the program sends is read for a while. A close with unread
                // bytes would reset the connection, and the program could lose the answer.
                let mut rest = program.take(MOST_UNHEARD);
                drop(timeout(PATIENCE, copy(&mut rest, &mut sink())).await);
                Ok(())
            }
        }
    }

    /// Connects the program to the host that it asks for, or to the agent gateway, and carries
    /// the bytes. The outer `Err` is a refusal that the program must be told. The inner result is
    /// how the connection ended after data began to flow.
    async fn carry(&self, program: &mut UnixStream) -> Result<io::Result<()>, EgressRefusal> {
        let (head, rest) = match timeout(PATIENCE, read_head(program)).await {
            Ok(read) => read?,
            Err(_) => {
                return Err(EgressRefusal(408, "the request did not come in time".to_owned()));
            }
        };
        if request::is_origin_request(&head) {
            match self.connect_agents().await {
                Ok(agents) => return Ok(pass(program, agents, &[&head, &rest]).await),
                // No gateway is open, so the program's request is a mistake: `parse` refuses it
                // below with a text that explains proxies.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(EgressRefusal(503, format!("the gateway is busy: {error}")));
                }
            }
        }
        let request = request::parse(&head).map_err(|why| EgressRefusal(400, why.0.to_owned()))?;
        let host = self.reach(&request).await?;
        let carried = async {
            match &request.head {
                Some(head) => exchange(program, host, head, request.body, &rest).await,
                None => {
                    program.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
                    pass(program, host, &[&rest]).await
                }
            }
        };
        let carried = timeout(LONGEST, carried).await;
        Ok(carried.unwrap_or_else(|late| Err(late.into())))
    }

    /// Connects to the agent gateway. While the queue of its socket is full (`WouldBlock`), the
    /// connection is tried again, until the time limit of the step. `NotFound` means that no
    /// gateway is open.
    async fn connect_agents(&self) -> io::Result<UnixStream> {
        let until = Instant::now() + PATIENCE;
        loop {
            match connect_unix(&self.agents).await {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until =>
                {
                    sleep(AGAIN).await;
                }
                connected => return connected,
            }
        }
    }

    /// Checks the host against the policy, resolves it and connects to it. The order matters: a
    /// name that is not allowed is never resolved, since a query to a name server could carry
    /// data out.
    async fn reach(&self, request: &ProxyRequest) -> Result<TcpStream, EgressRefusal> {
        let ProxyRequest { host, port, .. } = request;
        if !self.network.allows(host, *port) {
            let why = format!("{host}:{port} is not among the hosts of {}", self.network.name);
            return Err(EgressRefusal(403, why));
        }
        let found = timeout(PATIENCE, self.resolver.resolve(host, *port)).await;
        let addresses = match found {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(EgressRefusal(502, format!("{host}: {error}"))),
            Err(_) => return Err(EgressRefusal(504, format!("{host} was not found in time"))),
        };
        if addresses.is_empty() {
            return Err(EgressRefusal(
                403,
                format!("{host} has no address outside of private networks"),
            ));
        }
        connect(host, &addresses).await
    }
}

/// Sends `heard` (the bytes that were read from the program already) to the host, then copies in
/// both directions until both sides have ended or one of them fails.
async fn pass(
    program: &mut UnixStream,
    mut host: impl AsyncRead + AsyncWrite + Unpin,
    heard: &[&[u8]],
) -> io::Result<()> {
    for heard in heard {
        host.write_all(heard).await?;
    }
    copy_bidirectional(program, &mut host).await.map(|_| ())
}

/// Carries one plain request and its answer. `heard` are the bytes after the head that were read
/// already. What the program sends after the end of its request is read and thrown away.
///
/// The answer ends when the host closes its side; the head asks for this (`Connection: close`).
/// If the program closes early, the host is told by a half-close and may still answer.
async fn exchange(
    program: &mut UnixStream,
    host: TcpStream,
    head: &str,
    mut body: RemainingBody,
    heard: &[u8],
) -> io::Result<()> {
    let (mut from_program, mut to_program) = program.split();
    let (mut from_host, mut to_host) = host.into_split();
    let broken = |MalformedRequest(why)| io::Error::new(io::ErrorKind::InvalidData, why);
    let asked = async {
        to_host.write_all(head.as_bytes()).await?;
        to_host.write_all(&heard[..body.take(heard).map_err(broken)?]).await?;
        let mut buffer = vec![0; 16 << 10];
        while !body.is_over() {
            let got = from_program.read(&mut buffer).await?;
            if got == 0 {
                return to_host.shutdown().await;
            }
            let taken = body.take(&buffer[..got]).map_err(broken)?;
            to_host.write_all(&buffer[..taken]).await?;
        }
        // The program is read on, although nothing is forwarded, so that its writes do not block.
        // An end of its side is no error: the answer may still be on its way.
        copy(&mut from_program, &mut sink()).await.map(drop)
    };
    let answered = copy(&mut from_host, &mut to_program);
    // Only the end of the answer or an error ends the exchange. A request that was sent
    // completely disables its branch, and the answer is still waited for.
    tokio::select! {
        answered = answered => answered.map(drop),
        Err(error) = asked => Err(error),
    }
}

/// Connects to the first address that answers, in the order of the resolver. If none answers, the
/// refusal (502) has the error of the last one.
async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, EgressRefusal> {
    let mut why = String::new();
    for address in addresses.iter().take(TRIED) {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(connected)) => {
                // Programs wait for small packets, such as those of a TLS handshake. Failure only
                // costs speed.
                connected.set_nodelay(true).ok();
                return Ok(connected);
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "no answer in time".to_owned(),
        }
    }
    Err(EgressRefusal(502, format!("{host} cannot be reached: {why}")))
}

/// Reads the head, up to and with the empty line. The second part of the result are the bytes
/// after it that came in the same reads. A connection that ends too early is refused with 400, a
/// head that is too long with 431.
async fn read_head(program: &mut UnixStream) -> Result<(Vec<u8>, Vec<u8>), EgressRefusal> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let got = program.read(&mut buffer).await.unwrap_or(0);
        if got == 0 {
            return Err(EgressRefusal(400, "the request ends in the middle".to_owned()));
        }
        // The empty line may be split over two reads, so the last three bytes of the earlier
        // reads are searched again.
        let from = read.len().saturating_sub(3);
        read.extend_from_slice(&buffer[..got]);
        let end = read[from..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = read.split_off(from + end + 4);
            return Ok((read, rest));
        }
        if read.len() > MAX_HEAD {
            return Err(EgressRefusal(431, "the head of the request is too long".to_owned()));
        }
    }
}

/// The HTTP response of a refusal. Its body is one line, such as
/// `synthd: example.org:443 is not among the hosts of pypi`.
fn told(status: u16, why: &str) -> String {
    let name = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Bad Gateway",
    };
    let body = format!("synthd: {why}\n");
    format!(
        "HTTP/1.1 {status} {name}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A second request would be read by the first one's host, whatever host it names.
    #[tokio::test]
    async fn nothing_after_a_request_reaches_its_host() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let (mut program, mut ours) = UnixStream::pair().unwrap();
        let next = "GET / HTTP/1.1\r\nHost: inner\r\n\r\n";
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        program.write_all(format!("llo{next}").as_bytes()).await.unwrap();
        let carried = exchange(&mut ours, host, head, RemainingBody::Length(5), b"he");
        let served = async {
            let mut heard = vec![0; head.len() + 5];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, format!("{head}hello").into_bytes());
            program.write_all(next.as_bytes()).await.unwrap();
            program.shutdown().await.unwrap();
            server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            server.shutdown().await.unwrap();
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).await.ok();
            assert_eq!(String::from_utf8(rest).unwrap(), "", "nothing more is heard");
        };
        let (carried, ()) = tokio::join!(carried, served);
        carried.unwrap();
        drop(ours);
        let mut answer = Vec::new();
        // What the program sent on is left unread, so the end of its connection may be a reset.
        program.read_to_end(&mut answer).await.ok();
        assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 204 No Content\r\n\r\n");
    }
}

//! One network's proxy: each connection asks for one host, once.
//!
//! ```text
//!  head ─► parsed ─► named ─► resolved ─► connected ─► carried until either side ends
//!   │ for us: to the door of agents ───────────────────────────▲
//!   │        │ 400     │ 403     │ 403, 502   │ 502
//!   └ 408    └─────────┴─────────┴────────────┴─────► told why, closed
//! ```

use super::body::RemainingBody;
use super::request::{self, MAX_HEAD, MalformedRequest, ProxyRequest};
use super::resolve::HostResolver;
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

/// For a program to say what it wants, and for a host to be found and to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Connections at once, of all sandboxes of the network.
const MOST: usize = 8_192;
/// No package takes longer; a connection that does nothing is nobody's to keep.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Bytes of a refused request that are taken and thrown away.
const MOST_UNHEARD: u64 = 1 << 20;
/// Addresses of one host that are tried.
const TRIED: usize = 4;
/// After an error of accepting, such as too many open files.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) struct EgressProxy {
    network: NetworkPolicy,
    resolver: Arc<dyn HostResolver>,
    places: Arc<Semaphore>,
    /// The socket that agents ask their models at, where there is one.
    agents: PathBuf,
}

/// What a program is told instead of being connected.
struct EgressRefusal(u16, String);

impl EgressProxy {
    pub(super) fn new(
        network: NetworkPolicy,
        resolver: Arc<dyn HostResolver>,
        agents: PathBuf,
    ) -> Self {
        Self { network, resolver, places: Arc::new(Semaphore::new(MOST)), agents }
    }

    pub(super) async fn serve(self, listener: UnixListener) {
        let proxy = Arc::new(self);
        loop {
            let Ok(place) = proxy.places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((program, _)) => {
                    let proxy = proxy.clone();
                    spawn("egress connection", async move {
                        if let Err(error) = proxy.attend(program).await {
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

    async fn attend(&self, mut program: UnixStream) -> io::Result<()> {
        match self.carry(&mut program).await {
            Ok(carried) => carried,
            Err(EgressRefusal(status, why)) => {
                tracing::info!(network = self.network.name, status, why, "a program was refused");
                program.write_all(told(status, &why).as_bytes()).await?;
                program.shutdown().await?;
                // What it still says is heard out for a while: to close on it would break the
                // connection, and the answer with it.
                let mut rest = program.take(MOST_UNHEARD);
                drop(timeout(PATIENCE, copy(&mut rest, &mut sink())).await);
                Ok(())
            }
        }
    }

    /// To the host that a program asks for, or to the door of agents.
    async fn carry(&self, program: &mut UnixStream) -> Result<io::Result<()>, EgressRefusal> {
        let (head, rest) = match timeout(PATIENCE, read_head(program)).await {
            Ok(read) => read?,
            Err(_) => {
                return Err(EgressRefusal(408, "the request did not come in time".to_owned()));
            }
        };
        if request::is_origin_request(&head) {
            match self.door().await {
                Ok(door) => return Ok(pass(program, door, &[&head, &rest]).await),
                // Nobody has opened one: it is a mistake of the program's.
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

    /// The door of agents, which may have a crowd in front of it.
    async fn door(&self) -> io::Result<UnixStream> {
        let until = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(&self.agents).await {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until =>
                {
                    sleep(AGAIN).await;
                }
                connected => return connected,
            }
        }
    }

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

/// Says what was heard already, and from then on whatever either side says.
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

/// One request and its answer. What the program says after its request goes to nobody.
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
        copy(&mut from_program, &mut sink()).await.map(drop)
    };
    let answered = copy(&mut from_host, &mut to_program);
    tokio::select! {
        answered = answered => answered.map(drop),
        Err(error) = asked => Err(error),
    }
}

async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, EgressRefusal> {
    let mut why = String::new();
    for address in addresses.iter().take(TRIED) {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(connected)) => {
                connected.set_nodelay(true).ok();
                return Ok(connected);
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "no answer in time".to_owned(),
        }
    }
    Err(EgressRefusal(502, format!("{host} cannot be reached: {why}")))
}

/// Up to the empty line, and what came with it.
async fn read_head(program: &mut UnixStream) -> Result<(Vec<u8>, Vec<u8>), EgressRefusal> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let got = program.read(&mut buffer).await.unwrap_or(0);
        if got == 0 {
            return Err(EgressRefusal(400, "the request ends in the middle".to_owned()));
        }
        // The end may lie across two pieces.
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

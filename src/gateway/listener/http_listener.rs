//! The HTTP listener of the gateway: it accepts connections, reads their requests, and sends the
//! answers.
//!
//! ```text
//!  socket ─► connection limit ─► task of the connection ─► routes ─► answer ─► socket
//!                                   │ ends when: the client disconnects, the connection
//!                                   │ is evicted while idle, or a head takes too long
//! ```
//! [`serve`] and [`accept_connections`] run the accept loop. Each connection has a task of its own
//! with hyper's HTTP/1 server. `routes` answers each request. A [`DisconnectMonitor`] watches the
//! client while its answer is not ready. [`UnsentAnswers`] keeps the connection busy until the
//! socket has taken the answer.
//!
//! The accept loop has only a weak reference to the gateway. If the gateway is gone, requests get
//! a 503. An error of one connection ends that connection alone. An error of `accept` is logged,
//! and the loop goes on.

use crate::config::ListenAddress;
use crate::gateway::listener::connection_limit::{ConnectionLimit, GatewayConnection};
use crate::gateway::listener::disconnect_monitor::DisconnectMonitor;
use crate::gateway::listener::response_sink::GatewayResponse;
use crate::gateway::listener::routes;
use crate::gateway::listener::unsent::{FlushedStream, SendingAnswer, UnsentAnswers};
use crate::gateway::sessions::session::StandaloneGateway;
use crate::gateway::sessions::token_authenticator::TokenAuthenticator;
use crate::socket_path::{bind_unix, connect_unix};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Connections of one listener at once.
const MOST: usize = 4_096;
/// How long a client may take to send the head of a request. The time runs from the moment at which
/// the head may come, so a connection that stays idle for so long is closed, too.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after an error of `accept`, such as too many open files.
const AGAIN: Duration = Duration::from_millis(100);

/// The body of an answer, whole or as a stream. An error breaks the connection off.
type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// The socket on which the gateway accepts connections.
pub enum HttpListener {
    /// A TCP address, on loopback.
    Tcp(TcpListener),
    /// A Unix socket with its path. The file is removed when the listener is dropped.
    Unix(UnixListener, PathBuf),
}

impl HttpListener {
    /// Opens the socket. A Unix socket that a dead process has left behind is replaced. If a
    /// process still answers on it, this fails with `AddrInUse`. Only the user may connect to a
    /// Unix socket.
    pub async fn open(listen: &ListenAddress) -> io::Result<Self> {
        match listen {
            ListenAddress::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            ListenAddress::Unix(path) => {
                if is_socket(path) {
                    if connect_unix(path).await.is_ok() {
                        return Err(io::ErrorKind::AddrInUse.into());
                    }
                    fs::remove_file(path)?;
                }
                let listener = bind_unix(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// The address as users write it, such as `http://127.0.0.1:8377` or `unix:/run/user/1000/gw`.
    pub fn address(&self) -> io::Result<String> {
        Ok(match self {
            Self::Tcp(listener) => format!("http://{}", listener.local_addr()?),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        })
    }
}

impl Drop for HttpListener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            fs::remove_file(path).ok();
        }
    }
}

/// Whether the path is a socket. Another kind of file is never removed.
fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Accepts clients of a standalone gateway until this future is dropped. Connections that are open
/// then go on, as tasks of their own.
pub async fn serve(gateway: Arc<StandaloneGateway>, listener: HttpListener) {
    let authenticator: Arc<dyn TokenAuthenticator> = gateway;
    accept_connections(Arc::downgrade(&authenticator), listener).await;
}

/// Accepts clients of any gateway until this future is dropped.
pub(in crate::gateway) async fn accept_connections(
    authenticator: Weak<dyn TokenAuthenticator>,
    listener: HttpListener,
) {
    accept_at_most(MOST, authenticator, listener).await;
}

/// The accept loop, with at most so many connections.
async fn accept_at_most(
    most: usize,
    authenticator: Weak<dyn TokenAuthenticator>,
    listener: HttpListener,
) {
    let limit = ConnectionLimit::new(most);
    loop {
        let accepted = match &listener {
            HttpListener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                // Small pieces of a stream must leave at once.
                stream.set_nodelay(true).ok();
                GatewayStream::Tcp(stream)
            }),
            HttpListener::Unix(listener, _) => {
                listener.accept().await.map(|(s, _)| GatewayStream::Unix(s))
            }
        };
        match accepted {
            Ok(stream) => {
                // While every connection is busy, this waits, and new clients wait in the queue of
                // the kernel.
                let (authenticator, member) = (authenticator.clone(), limit.admit().await);
                spawn("gateway client", serve_client(authenticator, member, stream)).detach();
            }
            Err(error) => {
                tracing::warn!(%error, "the gateway cannot accept");
                // The error may mean that too many files are open. Closing an idle connection may
                // help.
                limit.evict_idle();
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// The connection of one client.
enum GatewayStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Handles a connection from its first byte to its end. Errors are only logged, because the client
/// has caused them.
async fn serve_client(
    authenticator: Weak<dyn TokenAuthenticator>,
    member: Arc<GatewayConnection>,
    stream: GatewayStream,
) {
    let attended = match stream {
        GatewayStream::Tcp(stream) => match DisconnectMonitor::of_tcp(&stream) {
            Ok(peer) => serve_http(authenticator, member, peer, stream).await,
            Err(error) => Err(error.into()),
        },
        GatewayStream::Unix(stream) => match DisconnectMonitor::of_unix(&stream) {
            Ok(peer) => serve_http(authenticator, member, peer, stream).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = attended {
        tracing::debug!(%error, "a client's connection has ended");
    }
}

/// Why a connection has ended. An error is for the log alone.
type ConnectionResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Runs hyper's server on one connection. A client may close its sending half when it has sent its
/// request; it still gets its answer.
async fn serve_http(
    authenticator: Weak<dyn TokenAuthenticator>,
    member: Arc<GatewayConnection>,
    peer: DisconnectMonitor,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> ConnectionResult {
    let (asking, unsent) = (member.clone(), Arc::<UnsentAnswers>::default());
    let stream = FlushedStream::new(stream, unsent.clone());
    let leaving = unsent.clone();
    // The busy guard is taken before anything is awaited. So the connection is not evicted while
    // its token is checked.
    let service = service_fn(move |request| {
        let (authenticator, busy) = (authenticator.upgrade(), asking.mark_busy());
        let (member, peer, unsent) = (asking.clone(), peer.clone(), leaving.clone());
        async move {
            let answered = tokio::select! {
                biased;
                // An answer that is ready wins. If the client has gone, the future of the request
                // is dropped, and a call that has not left is cancelled by that.
                answered = routes::answer(authenticator, request) => answered,
                () = peer.disconnected() => return Err(io::Error::from(io::ErrorKind::NotConnected)),
            };
            // A connection without a valid token may be closed at any time from here on.
            let busy = member.has_shown(answered.is_known).then_some(busy);
            Ok(response(answered.answer, SendingAnswer::new(busy, unsent), peer.clone()))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    // `give_up` never ends. It runs beside the server, so that an answer which the client does not
    // read keeps the connection busy for a minute only. After that it may be evicted.
    tokio::select! {
        biased;
        never = unsent.give_up() => match never {},
        () = member.evicted() => Err("it was idle, and made room for others".into()),
        served = serving => Ok(served?),
    }
}

/// A body that is sent as one piece.
fn whole(body: Bytes) -> ResponseBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// The answer as hyper sends it. `sending` belongs to the body, so it is dropped when hyper has
/// taken the last bytes of the body.
fn response(
    answer: GatewayResponse,
    sending: SendingAnswer,
    peer: DisconnectMonitor,
) -> Response<ResponseBody> {
    let (status, headers, body) = match answer {
        GatewayResponse::Whole { status, headers, body } => {
            // The closure keeps `sending` as long as the body lives. It is never called.
            let body = whole(body).map_err(move |error| {
                let _ = &sending;
                error
            });
            (status, headers, body.boxed_unsync())
        }
        GatewayResponse::Stream { headers, pieces } => {
            // A client that leaves in the middle of a stream is noticed at once, and not only when
            // the next piece cannot be written.
            let parts = (pieces, sending, peer);
            let frames = stream::unfold(parts, |(mut pieces, sending, peer)| async move {
                let piece = tokio::select! {
                    biased;
                    piece = pieces.next() => piece?,
                    () = peer.disconnected() => Err(io::ErrorKind::NotConnected.into()),
                };
                Some((piece, (pieces, sending, peer)))
            });
            let frames = frames.map(|piece| piece.map(Frame::data));
            (200, headers, StreamBody::new(frames).boxed_unsync())
        }
    };
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    // Every header came over HTTP, so it can go over HTTP. This cannot happen.
    builder.body(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer that is none");
        Response::new(whole(Bytes::new()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::sessions::token_authenticator::{AuthenticatedClient, SessionError};
    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Nobody;

    #[async_trait]
    impl TokenAuthenticator for Nobody {
        async fn authenticate(&self, _: &str) -> Result<AuthenticatedClient, SessionError> {
            Err(SessionError::Stranger)
        }
    }

    #[tokio::test]
    async fn a_path_that_is_not_there_shows_no_token() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = GatewayStream::Tcp(listener.accept().await.unwrap().0);
        let authenticator: Arc<dyn TokenAuthenticator> = Arc::new(Nobody);
        let member = ConnectionLimit::new(1).admit().await;
        let _served =
            spawn("client", serve_client(Arc::downgrade(&authenticator), member.clone(), stream));
        client.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
        assert!(!member.has_shown(false));
    }

    /// A whole answer, over a connection that holds little of it: it is not evicted before the
    /// client has taken the rest.
    #[tokio::test(start_paused = true)]
    async fn an_answer_is_left_when_its_last_byte_is() {
        let (limit, unsent) = (ConnectionLimit::new(1), Arc::<UnsentAnswers>::default());
        let member = limit.admit().await;
        let (mut client, stream) = tokio::io::duplex(1 << 10);
        let (asking, leaving) = (member.clone(), unsent.clone());
        let (there, _other) = UnixStream::pair().unwrap();
        let watched = DisconnectMonitor::of_unix(&there).unwrap();
        let service = service_fn(move |_| {
            let body = Bytes::from(vec![b'x'; 64 << 10]);
            let answer = GatewayResponse::Whole { status: 200, headers: Vec::new(), body };
            let sending = SendingAnswer::new(Some(asking.mark_busy()), leaving.clone());
            let peer = watched.clone();
            async move { Ok::<_, io::Error>(response(answer, sending, peer)) }
        });
        let stream = TokioIo::new(FlushedStream::new(stream, unsent.clone()));
        let serving = http1::Builder::new().serve_connection(stream, service);
        let _served = spawn("server", async move { drop(serving.await) });
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut some = [0; 1 << 10];
        let mut taken = client.read(&mut some).await.unwrap();
        while !limit.evict_idle() {
            tokio::select! {
                biased;
                more = client.read(&mut some) => taken += more.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(taken > 63 << 10, "only {taken} bytes were taken");
        // One that takes nothing is given up.
        let slow = ConnectionLimit::new(1);
        let asks = slow.admit().await;
        drop(SendingAnswer::new(Some(asks.mark_busy()), unsent.clone()));
        assert!(!slow.evict_idle());
        let patience = tokio::time::timeout(Duration::from_secs(61), unsent.give_up());
        assert!(patience.await.is_err() && slow.evict_idle());
    }

    /// Sockets that say nothing keep nobody waiting, however many there are.
    #[tokio::test]
    async fn idle_sockets_hold_nobody_up() {
        let listen = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = HttpListener::open(&listen).await.unwrap();
        let address = listener.address().unwrap().replace("http://", "");
        let authenticator: Arc<dyn TokenAuthenticator> = Arc::new(Nobody);
        let _serving =
            spawn("listener", accept_at_most(8, Arc::downgrade(&authenticator), listener));
        let mut idle = Vec::new();
        for _ in 0..40 {
            idle.push(TcpStream::connect(&address).await.unwrap());
        }
        let mut asking = TcpStream::connect(&address).await.unwrap();
        let request = b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        asking.write_all(request).await.unwrap();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        // The oldest of them were closed.
        assert_eq!(idle[0].read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

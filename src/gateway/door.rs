//! The gateway's HTTP: who connects, and the answer on its way back.

use super::crowd::{Busy, Crowd, Member};
use super::outlet::Answer;
use super::peer::Peer;
use super::routes;
use super::session::{Reception, Standalone};
use crate::config::Listen;
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

/// Connections at once.
const MOST: usize = 4_096;
/// For the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// After an error of accepting, such as too many open files.
const AGAIN: Duration = Duration::from_millis(100);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where clients are let in.
pub enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Door {
    /// A socket that a dead process left behind is taken over; one that answers is not.
    pub async fn open(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                if is_socket(path) {
                    if tokio::net::UnixStream::connect(path).await.is_ok() {
                        return Err(io::ErrorKind::AddrInUse.into());
                    }
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// As clients write it.
    pub fn address(&self) -> io::Result<String> {
        Ok(match self {
            Self::Tcp(listener) => format!("http://{}", listener.local_addr()?),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            fs::remove_file(path).ok();
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Lets clients in until it is dropped; what they have asked goes on.
pub async fn serve(gateway: Arc<Standalone>, door: Door) {
    let reception: Arc<dyn Reception> = gateway;
    let_in(Arc::downgrade(&reception), door).await;
}

/// The same, for as long as there is a reception.
pub(super) async fn let_in(reception: Weak<dyn Reception>, door: Door) {
    let_in_at_most(MOST, reception, door).await;
}

async fn let_in_at_most(most: usize, reception: Weak<dyn Reception>, door: Door) {
    let crowd = Crowd::new(most);
    loop {
        let accepted = match &door {
            Door::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                stream.set_nodelay(true).ok();
                Stream::Tcp(stream)
            }),
            Door::Unix(listener, _) => listener.accept().await.map(|(s, _)| Stream::Unix(s)),
        };
        match accepted {
            Ok(stream) => {
                let (reception, member) = (reception.clone(), crowd.enter().await);
                spawn("gateway client", greet(reception, member, stream)).detach();
            }
            Err(error) => {
                tracing::warn!(%error, "the gateway cannot accept");
                // Perhaps too many files are open.
                crowd.evict();
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// A client's connection.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

async fn greet(reception: Weak<dyn Reception>, member: Arc<Member>, stream: Stream) {
    let attended = match stream {
        Stream::Tcp(stream) => match Peer::of_tcp(&stream) {
            Ok(peer) => attend(reception, member, peer, stream).await,
            Err(error) => Err(error.into()),
        },
        Stream::Unix(stream) => match Peer::of_unix(&stream) {
            Ok(peer) => attend(reception, member, peer, stream).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = attended {
        tracing::debug!(%error, "a client's connection has ended");
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A client may close its half of the connection when it has said all.
async fn attend(
    reception: Weak<dyn Reception>,
    member: Arc<Member>,
    peer: Peer,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Ended {
    let asking = member.clone();
    let service = service_fn(move |request| {
        let (reception, busy) = (reception.upgrade(), asking.begin());
        let (member, peer) = (asking.clone(), peer.clone());
        async move {
            let answer = tokio::select! {
                biased;
                answer = routes::answer(reception, request) => answer,
                () = peer.gone() => return Err(io::Error::from(io::ErrorKind::NotConnected)),
            };
            member.is_known(!answer.is_to_a_stranger());
            Ok(response(answer, busy))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = member.evicted() => Err("it was idle, and made room for others".into()),
        served = serving => Ok(served?),
    }
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// It is busy until all of it was taken.
fn response(answer: Answer, busy: Busy) -> Response<Body> {
    let (status, headers, body) = match answer {
        Answer::Whole { status, headers, body } => (status, headers, whole(body)),
        Answer::Stream { headers, pieces } => {
            let frames = stream::unfold((pieces, busy), |(mut pieces, busy)| async move {
                pieces.next().await.map(|piece| (piece, (pieces, busy)))
            });
            let frames = frames.map(|piece| piece.map(Frame::data));
            (200, headers, StreamBody::new(frames).boxed_unsync())
        }
    };
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    // What came over HTTP can go over HTTP.
    builder.body(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer that is none");
        Response::new(whole(Bytes::new()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::session::{Caller, NoSession};
    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Nobody;

    #[async_trait]
    impl Reception for Nobody {
        async fn of(&self, _: &str) -> Result<Caller, NoSession> {
            Err(NoSession::Stranger)
        }
    }

    /// Sockets that say nothing keep nobody waiting, however many there are.
    #[tokio::test]
    async fn idle_sockets_hold_nobody_up() {
        let listen = Listen::Tcp("127.0.0.1:0".parse().unwrap());
        let door = Door::open(&listen).await.unwrap();
        let address = door.address().unwrap().replace("http://", "");
        let reception: Arc<dyn Reception> = Arc::new(Nobody);
        let _serving = spawn("door", let_in_at_most(8, Arc::downgrade(&reception), door));
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
        // The oldest of them were hung up on.
        assert_eq!(idle[0].read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

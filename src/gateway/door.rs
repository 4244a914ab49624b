//! The gateway's HTTP: who connects, and the answer on its way back.

use super::outlet::Answer;
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
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

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
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = match &door {
            Door::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                stream.set_nodelay(true).ok();
                let reception = reception.clone();
                spawn("gateway client", async move {
                    attend(reception, stream).await;
                    drop(place);
                })
                .detach();
            }),
            Door::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                let reception = reception.clone();
                spawn("gateway client", async move {
                    attend(reception, stream).await;
                    drop(place);
                })
                .detach();
            }),
        };
        if let Err(error) = accepted {
            tracing::warn!(%error, "the gateway cannot accept");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn attend(
    reception: Weak<dyn Reception>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let service = service_fn(move |request| {
        let reception = reception.upgrade();
        async move { Ok::<_, Infallible>(response(routes::answer(reception, request).await)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client's connection has ended");
    }
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

fn response(answer: Answer) -> Response<Body> {
    let (status, headers, body) = match answer {
        Answer::Whole { status, headers, body } => (status, headers, whole(body)),
        Answer::Stream { headers, pieces } => {
            let frames = stream::unfold(pieces, |mut pieces| async move {
                pieces.next().await.map(|piece| (piece, pieces))
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

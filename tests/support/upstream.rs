//! A server on the host for programs in sandboxes: enough of HTTP for a real client, and a
//! few bare exchanges that no HTTP client makes.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use synthd_actors::model::HostAddress;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

#[derive(Clone, Debug, Default)]
struct Tally {
    accepted: usize,
    open: usize,
    rounds: usize,
}

pub(crate) struct Upstream {
    address: SocketAddr,
    tally: watch::Receiver<Tally>,
    served: Arc<AtomicUsize>,
    written: Arc<AtomicUsize>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Counters {
    tally: Arc<watch::Sender<Tally>>,
    served: Arc<AtomicUsize>,
    written: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        more_open_files();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, tally) = watch::channel(Tally::default());
        let counters =
            Counters { tally: Arc::new(sender), served: Arc::default(), written: Arc::default() };
        let (served, written) = (counters.served.clone(), counters.written.clone());
        let _server = spawn("upstream", accept(listener, counters));
        Self { address, tally, served, written, _server }
    }

    pub(crate) fn address(&self) -> HostAddress {
        HostAddress::Tcp(self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.tally.borrow().open
    }

    /// Bytes of a large body that could be written before its reader began to read.
    pub(crate) fn most_unsent(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    pub(crate) async fn accepted(&self, count: usize) {
        self.tally.clone().wait_for(|tally| tally.accepted >= count).await.unwrap();
    }

    pub(crate) async fn rounds(&self, count: usize) {
        self.tally.clone().wait_for(|tally| tally.rounds >= count).await.unwrap();
    }

    pub(crate) async fn all_closed(&self) {
        self.tally.clone().wait_for(|tally| tally.open == 0).await.unwrap();
    }
}

/// All tests of this process together have more connections than an ordinary user usually may.
fn more_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    raised.unwrap();
}

async fn accept(listener: TcpListener, counters: Counters) {
    let mut connections = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        counters.tally.send_modify(|tally| {
            tally.accepted += 1;
            tally.open += 1;
        });
        let counters = counters.clone();
        connections.push(spawn("upstream connection", async move {
            // Whatever the client did is its own affair.
            serve(BufReader::new(stream), &counters).await.ok();
            counters.tally.send_modify(|tally| tally.open -= 1);
        }));
    }
}

async fn serve(mut stream: BufReader<TcpStream>, counters: &Counters) -> std::io::Result<()> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    match line.trim() {
        "COUNT" => {
            let count = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
            stream.write_all(count.to_string().as_bytes()).await
        }
        "HANGUP" => Ok(()),
        // Answers at once, and hears no more of it.
        "EARLY" => {
            stream.write_all(b"too large").await?;
            stream.shutdown().await
        }
        // Ends in the middle of what it says.
        "CUT" => {
            stream.write_all(b"half").await?;
            stream.flush().await?;
            stream.get_ref().set_zero_linger()
        }
        "PINGPONG" => loop {
            stream.write_all(b".").await?;
            stream.read_u8().await?;
            counters.tally.send_modify(|tally| tally.rounds += 1);
        },
        _ => http(&line, stream, counters).await,
    }
}

async fn http(
    first: &str,
    mut stream: BufReader<TcpStream>,
    counters: &Counters,
) -> std::io::Result<()> {
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    if let Some(count) = path.strip_prefix("/bytes/") {
        body = vec![b'x'; count.parse().unwrap()];
    }
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    for chunk in body.chunks(1 << 16) {
        stream.write_all(chunk).await?;
        if counters.served() < 50 && body.len() > 1 << 20 {
            counters.written.fetch_add(chunk.len(), Ordering::SeqCst);
        }
    }
    counters.served.fetch_add(1, Ordering::SeqCst);
    stream.shutdown().await
}

impl Counters {
    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

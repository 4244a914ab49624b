//! A real S3 server over a directory, with one bucket, behind a door that can be out of order.

use super::door;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use synthd_actors::supervisor::spawn;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const BUCKET: &str = "rows";
pub(crate) const SECRET: &str = "canary-of-a-bucket";

/// Refuses what writes, if it is told to.
struct ReadOnly(Arc<AtomicBool>);

#[async_trait::async_trait]
impl S3Access for ReadOnly {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let reads = ["GetObject", "HeadObject", "HeadBucket", "ListObjects", "ListObjectsV2"];
        let is_known = context.credentials().is_some();
        let is_read = reads.contains(&context.s3_op().name());
        match is_known && (is_read || !self.0.load(Ordering::SeqCst)) {
            true => Ok(()),
            false => Err(s3_error!(AccessDenied, "it may not be written")),
        }
    }
}

pub(crate) struct Bucket {
    directory: TempDir,
    port: u16,
    troubles: Arc<AtomicUsize>,
    reads_only: Arc<AtomicBool>,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let (troubles, reads_only) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut builder = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single("somebody", SECRET));
        builder.set_access(ReadOnly(reads_only.clone()));
        let service = builder.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inner = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, service));
        });
        let port = door(inner, troubles.clone());
        Self { directory, port, troubles, reads_only }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file of an object.
    pub(crate) fn object(&self, path: &str) -> PathBuf {
        self.directory.path().join(BUCKET).join(path)
    }

    /// The next so many connections find an overloaded server.
    pub(crate) fn trouble(&self, times: usize) {
        self.troubles.store(times, Ordering::SeqCst);
    }

    pub(crate) fn troubles_left(&self) -> usize {
        self.troubles.load(Ordering::SeqCst)
    }

    /// Whether everybody may only read.
    pub(crate) fn reads_only(&self, is_so: bool) {
        self.reads_only.store(is_so, Ordering::SeqCst);
    }
}

async fn serve(listener: std::net::TcpListener, service: S3Service) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        connections.push(spawn("bucket connection", async move {
            let stream = hyper_util::rt::TokioIo::new(stream);
            let builder = hyper::server::conn::http1::Builder::new();
            // Whatever the client did is its own affair.
            builder.serve_connection(stream, service).await.ok();
        }));
    }
}

//! A service of the engine at the host's end of a tunnel. Connections of the sandbox reach it without
//! a socket of the host, so nobody else on the host can reach it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::DuplexStream;

/// The work on one connection. Dropping it ends the connection.
pub type ServedConnection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves the connections of a tunnel. What comes over them was written by a program of a sandbox.
pub trait TunnelService: Send + Sync + 'static {
    /// Serves one connection until it ends. The future is dropped with the tunnel.
    fn serve(&self, connection: DuplexStream) -> ServedConnection;
}

/// A shared [`TunnelService`]. Two are equal if they are the same service.
#[derive(Clone)]
pub struct InternalService(Arc<dyn TunnelService>);

impl InternalService {
    pub fn new(service: Arc<dyn TunnelService>) -> Self {
        Self(service)
    }

    /// See [`TunnelService::serve`].
    pub fn serve(&self, connection: DuplexStream) -> ServedConnection {
        self.0.serve(connection)
    }
}

impl fmt::Debug for InternalService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InternalService")
    }
}

impl PartialEq for InternalService {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for InternalService {}

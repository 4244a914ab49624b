//! From an allowed name to addresses that may be connected to.

use super::addresses::is_public;
use async_trait::async_trait;
use std::io;
use std::net::SocketAddr;

/// Where a host may be reached.
#[async_trait]
pub trait HostResolver: Send + Sync + 'static {
    /// Only addresses that a sandbox may be led to; none, where there are only others.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As this host resolves names itself, without what is not public.
pub struct SystemResolver;

#[async_trait]
impl HostResolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((host, port)).await?;
        Ok(found.filter(|address| is_public(address.ip())).collect())
    }
}

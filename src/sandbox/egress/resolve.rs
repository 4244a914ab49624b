//! Resolves an allowed host name to addresses that the egress proxy may connect to.
//!
//! The sandbox asks no name server itself. The proxy resolves a name here, after the campaign's
//! allow-list has accepted it, and connects to the very addresses that were checked. So a name
//! server cannot give a public address to the check and a private one to the connection.

use super::addresses::is_public;
use async_trait::async_trait;
use std::io;
use std::net::SocketAddr;

/// Turns a host name into addresses. The egress proxy trusts its result: it connects to any
/// address that the resolver returns.
#[async_trait]
pub trait HostResolver: Send + Sync + 'static {
    /// The addresses of `host` to which a sandbox may be connected, each with `port`. An empty
    /// list means that the host exists, but has no public address. `Err` means that the name
    /// could not be resolved.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Resolves names like any program of this host does, and drops every address that is not public.
pub struct SystemResolver;

#[async_trait]
impl HostResolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((host, port)).await?;
        Ok(found.filter(|address| is_public(address.ip())).collect())
    }
}

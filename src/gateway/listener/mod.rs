//! The HTTP side of the gateway: the listener, its connections, bodies and responses.

pub(super) mod body_memory;
pub(super) mod client_wait;
pub(super) mod connection_limit;
pub(super) mod disconnect_monitor;
pub(super) mod http_listener;
pub(super) mod response_sink;
pub(super) mod routes;
#[cfg(test)]
pub(super) mod stalled;
pub(super) mod unsent;

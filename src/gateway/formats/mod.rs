//! The wire formats as clients of the gateway speak them.

pub(super) mod chat;
pub(super) mod messages;
pub(super) mod response_events;
pub(super) mod responses;
#[cfg(test)]
mod tests;

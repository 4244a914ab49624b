//! How requests and replies are read, in every format: losses of a request; events, token counts and
//! faults of a reply.

pub(crate) mod any_reply_builder;
pub(crate) mod counts;
pub(crate) mod events;
pub(crate) mod faults;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod loss_tests;
pub(crate) mod losses;
pub(crate) mod request_parser;
mod retry_after;

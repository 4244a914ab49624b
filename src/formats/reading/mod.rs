//! How a reply is read, in every format: events of a stream, token counts, and faults.

pub(crate) mod counts;
pub(crate) mod events;
pub(crate) mod faults;
#[cfg(test)]
mod fuzz;
mod retry_after;

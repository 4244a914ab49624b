//! The collector: every durable record passes through it on its way to the disk.
//!
//! ```text
//!  caller ─► CollectorHandle ─► Journal::append ─► encoded ─► queue (bound) ─► one thread:
//!                                                    batch ─► fence ─► commit ─► sync ─► answer
//! ```
//! Buffering, batching and fencing happen once, in the store's writer thread (`src/store/writing/`):
//! only there it is known which attempt is the newest, what shares a commit, and what is on the
//! disk. `docs/adr/0021-the-store-collects.md` says why there is no actor in front of it.
//!
//! This handle adds two rules for callers. What has begun to be written is written whole, also if
//! the caller is dropped. And a store that panics is a fault, and no end of its caller.

mod handle;
#[cfg(test)]
mod tests;

pub use handle::CollectorHandle;

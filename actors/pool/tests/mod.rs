//! The pool: its decisions against a simple model, and the actor under paused time.

mod actor;
mod spec_pools;

//! The native scaffolds: what they say they read back, whatever is in it, and what their tools show.

mod files;
mod minimal;

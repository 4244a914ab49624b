//! The namespace backend against the real kernel.

mod basics;

//! `minimal`: what it says it reads back, whatever is in it.

mod minimal;

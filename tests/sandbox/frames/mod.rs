//! The guest protocol when one end of it is hostile: the client against guests that only
//! pretend, the guest against hosts that only babble.

mod fake;
mod guest;
mod operations;
mod tunnel;
mod wire;

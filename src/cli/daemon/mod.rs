//! The daemon and the commands that talk to it.

pub(super) mod control_commands;
pub(super) mod daemon_address;
pub(super) mod serve;
pub(super) mod shutdown;
pub(super) mod signals;
pub(super) mod status;
pub(super) mod submit;
pub(super) mod watch;

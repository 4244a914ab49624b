//! The namespace backend: sandboxes made of Linux namespaces, for root and for ordinary users,
//! with no daemon and nothing to install.
//!
//! The engine starts one launcher, a process of its own binary with a single thread
//! (`launcher/`). It sends the launcher requests over a private socket (`protocol.rs`), and the
//! launcher forks the sandboxes. `backend.rs` is the engine's side of that socket,
//! `slot_guard.rs` ends one sandbox when it is dropped, `facts.rs` says what this host
//! enforces, and `root.rs` identifies the programs that sandboxes see.

mod backend;
mod facts;
mod launcher;
mod protocol;
mod root;
mod slot_guard;

pub use backend::NamespaceBackend;

/// The hidden subcommand of synthd by which the engine starts its launcher.
pub const LAUNCHER_COMMAND: &str = "__sandbox-launcher";

/// Runs the launcher in this process. It returns when the engine has closed the socket, or with
/// an error of the launcher. It must be called before the process has a second thread.
pub fn run_launcher() -> crate::error::Result<()> {
    launcher::run(super::guest::PROGRAM).map_err(|error| {
        crate::error::Error::new(crate::error::Code::LauncherFailed, "the launcher stopped")
            .with_source(error)
    })
}

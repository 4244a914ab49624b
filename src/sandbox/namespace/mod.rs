//! The embedded backend: Linux namespaces, for root and for ordinary users, with no
//! daemon and nothing to install.

mod backend;
mod facts;
mod launcher;
mod protocol;
mod root;
mod slot_guard;

pub use backend::NamespaceBackend;

/// The hidden subcommand by which the engine starts its launcher.
pub const LAUNCHER_COMMAND: &str = "__sandbox-launcher";

/// The launcher's whole life; returns when the engine is gone.
pub fn run_launcher() -> crate::error::Result<()> {
    launcher::run(super::guest::PROGRAM).map_err(|error| {
        crate::error::Error::new(crate::error::Code::LauncherFailed, "the launcher stopped")
            .with_source(error)
    })
}

//! The tools of native agents, one in each file.

mod shell;

pub use shell::ShellTool;

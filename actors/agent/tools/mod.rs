//! The tools of native agents, one in each file. `file_call` is what the tools for files share.

mod file_call;
mod list_directory;
mod read_file;
mod shell;
mod str_replace;
mod write_file;

pub use list_directory::ListDirectoryTool;
pub use read_file::ReadFileTool;
pub use shell::ShellTool;
pub use str_replace::ReplaceTextTool;
pub use write_file::WriteFileTool;

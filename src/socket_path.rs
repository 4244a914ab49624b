//! Paths of Unix sockets of any length. The kernel takes at most [`MAX_PATH`] bytes for a socket's
//! path. A longer path is given to it by way of an open directory: `/proc/self/fd/7/agents-1-2-3`.
//!
//! [`bind_unix`] and [`connect_unix`] keep the directory open until the kernel has read the path.
//!
//! Only the directory part may be long; the name of the socket itself must fit. If the directory
//! cannot be opened, the error is that of opening it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The most bytes of a socket's path on Linux, without the closing zero.
pub const MAX_PATH: usize = 107;

/// A path that the kernel takes for a socket. It is valid in this process, while this value lives.
struct SocketPath {
    path: PathBuf,
    /// The directory that the path leads through. None if the path is short enough by itself.
    _directory: Option<File>,
}

impl SocketPath {
    /// The form of `path` that the kernel takes.
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= MAX_PATH {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY;
        let directory = OpenOptions::new().read(true).custom_flags(flags.bits()).open(directory)?;
        let through = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
        Ok(Self { path: through.join(name), _directory: Some(directory) })
    }
}

/// Makes a socket with this path and listens.
pub(crate) fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let short = SocketPath::of(path)?;
    // By reference: tokio drops its argument before it asks the kernel.
    UnixListener::bind(&short)
}

/// Connects to the socket with this path.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let short = SocketPath::of(path)?;
    UnixStream::connect(&short).await
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_in_a_deep_directory_is_made_and_found() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("d".repeat(100)).join("e".repeat(200));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("agents-4026531836-4194304-1234567890");
        assert!(UnixListener::bind(&path).is_err(), "the kernel does not take it");
        let listener = bind_unix(&path).unwrap();
        assert!(path.exists());
        let (met, _stream) = tokio::join!(listener.accept(), connect_unix(&path));
        met.unwrap();
    }

    #[test]
    fn a_short_path_stays_as_it_is() {
        let short = SocketPath::of(Path::new("/nowhere/s")).unwrap();
        assert_eq!(short.as_ref(), Path::new("/nowhere/s"));
    }
}

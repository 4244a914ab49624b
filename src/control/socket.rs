//! The file of the control socket: who holds it, how a process takes it, and how it is given back.
//!
//! Beside the socket is a lock file, `<socket>.lock`, which the holder locks with `flock`. The
//! kernel releases the lock when the process ends, so it is never stale. The lock decides who holds
//! the socket, and its text names the holder: process id and data directory, one per line.
//!
//! A process that gets the lock may find a socket at the path. If nobody listens on it, a killed
//! process left it, and it is replaced. A file that is no socket belongs to the user and is left
//! alone.

use crate::error::{Code, Error, Result};
pub use crate::socket_path::MAX_PATH;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, getsockopt, listen, socket, sockopt,
};
use nix::sys::stat::{Mode, fchmod};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The permission mode of the socket and its lock file: only the owner may connect.
const MODE: u32 = 0o600;

/// How often a lock that is taken is tried again.
const LOOKS: u32 = 5;
/// The pause between two tries.
const LOOK: Duration = Duration::from_millis(20);

/// A control socket that this process holds. Dropping it removes the socket file and releases the
/// lock, so that the next process can take it. It must therefore be dropped last, after the store.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    listener: UnixListener,
    /// The device and inode of the socket file. They tell whether the file at the path is still the
    /// one that this process made.
    identity: (u64, u64),
    /// The lock file, locked while this value lives.
    lock: File,
}

impl ControlSocket {
    /// Takes the socket at `path` for this process, which serves `data_dir`. The error is
    /// `SocketInUse` with the holder's name, or `SocketUnusable`.
    pub fn bind(path: &Path, data_dir: &Path) -> Result<Self> {
        check_length(path)?;
        let lock = take_lock(path, data_dir)?;
        clear(path)?;
        let listener = listen_at(path).map_err(|error| unusable(path, error.into()))?;
        let file = std::fs::symlink_metadata(path).map_err(|error| unusable(path, error))?;
        let identity = (file.dev(), file.ino());
        Ok(Self { path: path.to_owned(), listener, identity, lock })
    }

    /// The path of the socket file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle to the listening socket, non-blocking, for the async runtime.
    pub fn listener(&self) -> io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A file that somebody put at the path in the meantime is not removed.
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket was not removed");
        }
        // Closing the file is not enough: a child process that is being started may share the open
        // file for a moment, and would keep the lock.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the control socket was not unlocked");
        }
    }
}

/// Fails if a process holds the socket. It takes and changes nothing.
pub fn check_free(path: &Path) -> Result<()> {
    check_length(path)?;
    if let Ok(mut lock) = File::open(lock_path(path))
        && matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
    {
        return Err(in_use(path, &mut lock));
    }
    match find(path) {
        ExistingSocket::Listener(pid) => Err(held(path, pid, None)),
        ExistingSocket::Nothing | ExistingSocket::Stale => Ok(()),
        ExistingSocket::Other(error) => Err(error),
    }
}

/// Waits until no process holds the socket any more. `synthd shutdown` waits here for the daemon's
/// end.
pub fn wait_released(path: &Path) {
    if let Ok(lock) = File::open(lock_path(path)) {
        // If the lock cannot be waited for, that is no error: the daemon has already answered that
        // it ends.
        lock.lock_shared().ok();
    }
}

/// Checks that `path` is short enough for a socket. The error is `SocketUnusable`.
pub fn check_length(path: &Path) -> Result<()> {
    let length = path.as_os_str().len();
    if length <= MAX_PATH {
        return Ok(());
    }
    Err(Error::new(
        Code::SocketUnusable,
        format!(
            "the socket's path has {length} bytes, but the system allows {MAX_PATH}: {}",
            path.display()
        ),
    )
    .hint("give a shorter path with --socket, such as /run/user/1000/synthd.sock"))
}

/// The path of the lock file: the socket's path with `.lock` at its end.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Opens or creates the lock file, locks it, and writes this process into it. A symbolic link at
/// its path is refused, so that nobody can make this process write to another file.
fn take_lock(path: &Path, data_dir: &Path) -> Result<File> {
    let failed = |error| unusable(path, error);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(lock_path(path))
        .map_err(failed)?;
    match lock_patiently(&lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(path, &mut lock)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    sign(&mut lock, data_dir).map_err(failed)?;
    Ok(lock)
}

/// Locks the file, with some retries. A process that only checks whether the lock is free (such as
/// `check_free`) holds it for an instant; that must not make the start of a daemon fail.
fn lock_patiently(lock: &File) -> std::result::Result<(), TryLockError> {
    for _ in 0..LOOKS {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            taken => return taken,
        }
    }
    lock.try_lock()
}

/// Writes who holds the lock: the process id and the data directory, one per line.
fn sign(lock: &mut File, data_dir: &Path) -> io::Result<()> {
    let data_dir = std::path::absolute(data_dir)?;
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}\n{}", std::process::id(), data_dir.display())
}

/// The error for a lock that another process holds, with what the lock file says about it.
fn in_use(path: &Path, lock: &mut File) -> Error {
    let mut text = String::new();
    // A text that cannot be read gives no name. The socket is held all the same.
    lock.take(8_192).read_to_string(&mut text).ok();
    let mut lines = text.lines();
    let pid = lines.next().and_then(|pid| pid.parse().ok());
    held(path, pid, lines.next())
}

/// The error `SocketInUse`, with as much about the holder as is known.
fn held(path: &Path, pid: Option<i32>, data_dir: Option<&str>) -> Error {
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    let what = data_dir.map_or_else(String::new, |dir| format!(", which serves {dir}"));
    let path = path.display();
    Error::new(Code::SocketInUse, format!("{path} is held by {who}{what}")).hint(format!(
        "use it with `synthd status --socket {path}`, end it with `synthd shutdown --socket \
         {path}`, or choose another path"
    ))
}

/// What is at the path of the socket.
enum ExistingSocket {
    /// There is no file.
    Nothing,
    /// A socket on which nobody listens any more.
    Stale,
    /// A process listens that does not hold the lock, for example another program. The number is
    /// its process id, where the system gives it.
    Listener(Option<i32>),
    /// The file is no socket, or it could not be looked at.
    Other(Error),
}

/// Looks at the path. A socket is tested with a connect, which disturbs a listener only for an
/// instant.
fn find(path: &Path) -> ExistingSocket {
    let file = match std::fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return ExistingSocket::Nothing,
        Err(error) => return ExistingSocket::Other(unusable(path, error)),
    };
    if !file.file_type().is_socket() {
        return ExistingSocket::Other(not_a_socket(path));
    }
    match UnixStream::connect(path) {
        Ok(stream) => ExistingSocket::Listener(listener_pid(&stream)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => ExistingSocket::Stale,
        Err(error) if error.kind() == io::ErrorKind::NotFound => ExistingSocket::Nothing,
        // The queue of the listener is full, so there is a listener.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => ExistingSocket::Listener(None),
        Err(error) => ExistingSocket::Other(unusable(path, error)),
    }
}

/// The process id of the listener, from the kernel (`SO_PEERCRED`).
fn listener_pid(stream: &UnixStream) -> Option<i32> {
    getsockopt(stream, sockopt::PeerCredentials).ok().map(|peer| peer.pid())
}

/// Removes a stale socket, so that a new one can be made. Everything else at the path is an error.
fn clear(path: &Path) -> Result<()> {
    match find(path) {
        ExistingSocket::Nothing => Ok(()),
        ExistingSocket::Stale => std::fs::remove_file(path).map_err(|error| unusable(path, error)),
        ExistingSocket::Listener(pid) => Err(held(path, pid, None)),
        ExistingSocket::Other(error) => Err(error),
    }
}

/// Creates the socket file and listens. The mode is set on the socket before `bind`, and the kernel
/// gives it to the file. So there is no moment in which others could connect, and the umask of the
/// whole process need not be changed.
fn listen_at(path: &Path) -> std::result::Result<UnixListener, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&socket, Mode::from_bits_truncate(MODE))?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let listening = listen(&socket, Backlog::new(128)?);
    if listening.is_err() {
        std::fs::remove_file(path).ok();
    }
    listening.map(|()| UnixListener::from(socket))
}

/// The error for a file at the path that is no socket.
fn not_a_socket(path: &Path) -> Error {
    Error::new(Code::SocketUnusable, format!("{} exists and is not a socket", path.display()))
        .hint("it was not changed; choose another path with --socket, or move it away")
}

/// The error for a path at which no socket can be made.
fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::SocketUnusable, format!("no control socket can be made at {}", path.display()))
        .with_source(error)
        .hint("choose a path in one of your own directories with --socket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn only_its_owner_may_connect() {
        let home = home();
        let path = home.path().join("s");
        let socket = ControlSocket::bind(&path, home.path()).unwrap();
        let file = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!(file.permissions().mode() & 0o7777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_second_one_hears_who_holds_it() {
        let home = home();
        let path = home.path().join("s");
        let socket = ControlSocket::bind(&path, Path::new("/data/one")).unwrap();
        let expected = format!("process {}, which serves /data/one", std::process::id());
        for error in
            [ControlSocket::bind(&path, home.path()).unwrap_err(), check_free(&path).unwrap_err()]
        {
            assert_eq!(error.code(), Code::SocketInUse);
            assert!(error.to_string().contains(&expected), "{error}");
        }
        drop(socket);
        check_free(&path).unwrap();
        ControlSocket::bind(&path, home.path()).unwrap();
    }

    #[test]
    fn a_strangers_listener_is_not_replaced() {
        let home = home();
        let path = home.path().join("s");
        let stranger = UnixListener::bind(&path).unwrap();
        let error = ControlSocket::bind(&path, home.path()).unwrap_err();
        assert_eq!(error.code(), Code::SocketInUse);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(stranger);
        ControlSocket::bind(&path, home.path()).unwrap();
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let home = home();
        let path = home.path().join("s");
        std::fs::write(&path, "dear diary").unwrap();
        assert_eq!(
            ControlSocket::bind(&path, home.path()).unwrap_err().code(),
            Code::SocketUnusable
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
        let link = home.path().join("l");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(
            ControlSocket::bind(&link, home.path()).unwrap_err().code(),
            Code::SocketUnusable
        );
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_file_that_took_its_place_is_not_removed() {
        let home = home();
        let path = home.path().join("s");
        let socket = ControlSocket::bind(&path, home.path()).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "new").unwrap();
        drop(socket);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_path_that_is_too_long_is_said_to_be() {
        let path = PathBuf::from(format!("/{}", "x".repeat(MAX_PATH)));
        let error = ControlSocket::bind(&path, Path::new("/")).unwrap_err();
        assert_eq!(error.code(), Code::SocketUnusable);
        assert!(error.to_string().contains("108 bytes"), "{error}");
    }
}

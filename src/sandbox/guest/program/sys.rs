//! The few system calls the standard library does not offer. All `unsafe` of the guest's
//! set-up lives here; each wrapper checks and returns an [`io::Result`].

use std::ffi::{c_int, c_long, c_ulong};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub const SIGKILL: c_int = 9;
pub const SIGPIPE: c_int = 13;
pub const SIGCHLD: c_int = 17;
pub const SIGXCPU: c_int = 24;
pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;
pub const POLLERR: i16 = 8;
const SIG_BLOCK: c_int = 0;
const SIG_DFL: usize = 0;
const LAST_SIGNAL: c_int = 64;
const SFD_FLAGS: c_int = 0o2_004_000; // SFD_CLOEXEC | SFD_NONBLOCK
const O_CLOEXEC: c_int = 0o2_000_000;
const O_NONBLOCK: c_int = 0o4000;
const F_DUPFD_CLOEXEC: c_int = 1030;
const LOWEST_MOVED: c_int = 64;
const F_SETFD: c_int = 2;
const F_GETFL: c_int = 3;
const F_SETFL: c_int = 4;
const FD_CLOEXEC: c_int = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_CHILD_SUBREAPER: c_int = 36;
const WNOHANG: c_int = 1;

#[repr(C)]
pub struct PollFd {
    pub fd: RawFd,
    pub events: i16,
    pub revents: i16,
}

#[repr(C)]
#[derive(Default)]
struct Rusage {
    user_sec: c_long,
    user_usec: c_long,
    system_sec: c_long,
    system_usec: c_long,
    rest: [c_long; 14],
}

// The kernel's signal set is 8 bytes; glibc's type is 128.
pub type SigSet = [c_ulong; 16];

unsafe extern "C" {
    fn prctl(option: c_int, ...) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn sigemptyset(set: *mut SigSet) -> c_int;
    fn sigaddset(set: *mut SigSet, signal: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn signalfd(fd: c_int, set: *const SigSet, flags: c_int) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
    fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut Rusage) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
    fn syscall(number: c_long, ...) -> c_long;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const [c_int; 2], size: u32) -> c_int;
}

pub fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The errno of the call that has just failed.
pub fn last_errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(1)
}

/// Sets up what PID 1 needs: unreadable to its children, in charge of orphans, with no
/// signal handled or ignored but SIGPIPE, and SIGCHLD kept for [`child_signals`].
pub fn become_init() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    unsafe {
        check(prctl(PR_SET_DUMPABLE, 0 as c_ulong))?;
        check(prctl(PR_SET_CHILD_SUBREAPER, 1 as c_ulong))?;
    }
    default_signals();
    let set = sigchld_set();
    // SAFETY: `set` is a valid signal set; the old mask is not wanted.
    unsafe { check(sigprocmask(SIG_BLOCK, &set, std::ptr::null_mut()))? };
    Ok(())
}

/// Commands inherit what is ignored, so `kill` would not work on them; and a handler (the
/// standard library's own for stack overflows) would let them signal PID 1.
fn default_signals() {
    for number in (1..=LAST_SIGNAL).filter(|number| *number != SIGPIPE) {
        // SAFETY: restores a default action; the kernel refuses the few it must.
        unsafe { signal(number, SIG_DFL) };
    }
}

fn sigchld_set() -> SigSet {
    let mut set: SigSet = [0; 16];
    // SAFETY: both calls write only into `set`, which is as large as glibc's type.
    unsafe {
        sigemptyset(&mut set);
        sigaddset(&mut set, SIGCHLD);
    }
    set
}

/// A descriptor that becomes readable when a child has died.
pub fn child_signals() -> io::Result<File> {
    let set = sigchld_set();
    // SAFETY: `set` is a valid signal set.
    let fd = unsafe { check(signalfd(-1, &set, SFD_FLAGS))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Takes over an inherited descriptor, closed on exec from now on.
pub fn take_stream(fd: RawFd) -> io::Result<File> {
    // SAFETY: fcntl on an integer; a bad descriptor is an error, not undefined.
    unsafe { check(fcntl(fd, F_SETFD, FD_CLOEXEC))? };
    // SAFETY: the launcher hands this descriptor over for us alone to own.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Takes over standard input and output, and leaves nothing there for a child to find.
pub fn take_stdio() -> io::Result<(File, File)> {
    // SAFETY: both are this process's own from its start on, and nobody else has them.
    let (input, output) = unsafe { (File::from_raw_fd(0), File::from_raw_fd(1)) };
    let (input, output) = (move_fd_high(input)?, move_fd_high(output)?);
    for _ in 0..2 {
        // The lowest free numbers: zero, then one.
        let null = File::options().read(true).write(true).open("/dev/null")?;
        std::mem::forget(null);
    }
    Ok((input, output))
}

pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: fcntl on a descriptor we own.
    unsafe {
        let flags = check(fcntl(fd.as_raw_fd(), F_GETFL))?;
        check(fcntl(fd.as_raw_fd(), F_SETFL, flags | O_NONBLOCK))?;
    }
    Ok(())
}

/// Moves a descriptor beyond the numbers a child's descriptors are moved to.
pub fn move_fd_high(file: File) -> io::Result<File> {
    // SAFETY: fcntl on a descriptor we own.
    let fd = unsafe { check(fcntl(file.as_raw_fd(), F_DUPFD_CLOEXEC, LOWEST_MOVED))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
}

pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors pipe2 writes.
    unsafe { check(pipe2(fds.as_mut_ptr(), O_CLOEXEC))? };
    // SAFETY: the kernel has just given us both.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Waits for events; an interruption counts as none.
pub fn wait_for(fds: &mut [PollFd], timeout_ms: i32) -> io::Result<()> {
    // SAFETY: the slice is valid for its length.
    match unsafe { check(poll(fds.as_mut_ptr(), fds.len() as c_ulong, timeout_ms)) } {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// A dead child.
pub struct ChildExit {
    pub pid: i32,
    pub status: i32,
    pub cpu: Duration,
}

/// Reaps one child if any is dead. `Ok(None)`: none is; `Err`: there are no children.
/// Processor time includes that of the child's own children it has waited for.
pub fn reap() -> io::Result<Option<ChildExit>> {
    let mut status = 0;
    let mut usage = Rusage::default();
    // SAFETY: both out-pointers are valid; Rusage is laid out as the kernel's.
    let pid = unsafe { check(wait4(-1, &mut status, WNOHANG, &mut usage))? };
    let cpu = Duration::from_secs((usage.user_sec + usage.system_sec) as u64)
        + Duration::from_micros((usage.user_usec + usage.system_usec) as u64);
    Ok((pid != 0).then_some(ChildExit { pid, status, cpu }))
}

/// Whether there is such a process, dead and not reaped ones included.
pub fn exists(pid: i32) -> bool {
    // SAFETY: signal zero only asks.
    unsafe { kill(pid, 0) == 0 }
}

/// Sends SIGKILL; a process that is gone already is fine.
pub fn kill_process(pid: i32) {
    // SAFETY: kill touches no memory; a stale pid inside our namespace is only our child's.
    unsafe { kill(pid, SIGKILL) };
}

/// Where data begins at or after `at`, and where it ends: none where there is none left. A
/// file system that knows no holes has data to the end.
pub fn data_from(file: &File, at: u64, size: u64) -> Option<(u64, u64)> {
    const SEEK_DATA: c_int = 3;
    const SEEK_HOLE: c_int = 4;
    const ENXIO: c_int = 6;
    let seek = |offset: u64, whence| {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        // SAFETY: integers; only the file's own position changes.
        let found = unsafe { lseek(file.as_raw_fd(), offset, whence) };
        u64::try_from(found).map_err(|_| last_errno())
    };
    match seek(at, SEEK_DATA) {
        Err(ENXIO) => None,
        Err(_) => Some((at, size)),
        Ok(begin) => Some((begin, seek(begin, SEEK_HOLE).unwrap_or(size))),
    }
}

/// Sends a signal to everybody but the guest, at one moment. Whether there is anybody.
pub fn signal_everybody(signal: c_int) -> bool {
    // SAFETY: as in `kill_process`; the kernel leaves out the caller and PID 1.
    unsafe { kill(-1, signal) == 0 }
}

/// A process that is gone already is fine.
pub fn signal_process(pid: i32, signal: c_int) {
    // SAFETY: as in `kill_process`.
    unsafe { kill(pid, signal) };
}

/// The same for one thread of a process.
pub fn signal_thread(process: i32, thread: i32, signal: c_int) {
    #[cfg(target_arch = "x86_64")]
    const SYS_TGKILL: c_long = 234;
    #[cfg(target_arch = "aarch64")]
    const SYS_TGKILL: c_long = 131;
    // SAFETY: as in `kill_process`; the arguments are integers.
    unsafe { syscall(SYS_TGKILL, process, thread, signal) };
}

/// Closing the connection from now on is an error to its other end, not an end of the data.
pub fn break_on_close(socket: RawFd) {
    const SOL_SOCKET: c_int = 1;
    const SO_LINGER: c_int = 13;
    let at_once: [c_int; 2] = [1, 0];
    // SAFETY: the option's value is two integers, and is only read. One that cannot be set is
    // of a connection that has ended already.
    unsafe { setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, 8) };
}

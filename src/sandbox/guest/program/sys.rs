//! The few system calls that the standard library does not offer: signals, `poll`, reaping,
//! pipes, terminals, holes of files.
//!
//! The guest links no crate, not even `libc`, so the functions and the constants are declared
//! here by hand. Almost all `unsafe` code of the guest is in this file. Each wrapper checks the
//! result and returns an [`io::Result`]. The constants are those of Linux on `x86_64` and
//! `aarch64`, which agree unless the code says otherwise.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

// Signals and events of `poll` by their numbers.
pub const SIGKILL: c_int = 9;
pub const SIGPIPE: c_int = 13;
pub const SIGCHLD: c_int = 17;
pub const SIGXCPU: c_int = 24;
pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;
pub const POLLERR: i16 = 8;
const SIG_BLOCK: c_int = 0;
const SIG_DFL: usize = 0;
/// The highest signal number of Linux.
const LAST_SIGNAL: c_int = 64;
const SFD_FLAGS: c_int = 0o2_004_000; // SFD_CLOEXEC | SFD_NONBLOCK
const O_CLOEXEC: c_int = 0o2_000_000;
const O_NONBLOCK: c_int = 0o4000;
const F_DUPFD_CLOEXEC: c_int = 1030;
/// The lowest number for descriptors that [`move_fd_high`] moves. A child's own descriptors (0,
/// 1, 2, 8, 9) are below it.
const LOWEST_MOVED: c_int = 64;
const F_SETFD: c_int = 2;
const F_GETFL: c_int = 3;
const F_SETFL: c_int = 4;
const FD_CLOEXEC: c_int = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_NAME: c_int = 15;
const PR_SET_CHILD_SUBREAPER: c_int = 36;
const PR_SET_NO_NEW_PRIVS: c_int = 38;
const WNOHANG: c_int = 1;
const AT_FDCWD: c_int = -100;
const AT_SYMLINK_NOFOLLOW: c_int = 0x100;
/// In place of nanoseconds: this time stays as it is.
const UTIME_OMIT: c_long = 0x3fff_fffe;
const TIOCSPTLCK: c_ulong = 0x4004_5431;
const TIOCGPTN: c_ulong = 0x8004_5430;
const TIOCSWINSZ: c_ulong = 0x5414;

/// The kernel's `struct pollfd`: what to wait for, and what has happened.
#[repr(C)]
pub struct PollFd {
    pub fd: RawFd,
    pub events: i16,
    pub revents: i16,
}

/// The kernel's `struct rusage`: processor time as seconds and microseconds, and 14 further
/// fields that nobody reads here.
#[repr(C)]
#[derive(Default)]
struct Rusage {
    user_sec: c_long,
    user_usec: c_long,
    system_sec: c_long,
    system_usec: c_long,
    rest: [c_long; 14],
}

// The kernel's signal set has 8 bytes; the type of the C library has 128.
/// A set of signals, as large as the C library's `sigset_t`.
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
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn fstatfs(fd: c_int, facts: *mut [c_long; 32]) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn utimensat(at: c_int, path: *const c_char, times: *const [[c_long; 2]; 2], flags: c_int) -> c_int;
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const [c_int; 2], size: u32) -> c_int;
}

/// The name of the guest in lists of processes.
const NAME: &CStr = c"init";

/// Turns the result of a call into an error where it is negative, with the errno of the call.
pub fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The errno of the call that has just failed.
pub fn last_errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(1)
}

/// Sets the process up as PID 1. It gets the name that programs see. Its children cannot read or
/// trace it, it adopts orphans, no signal but SIGPIPE is handled or ignored, and SIGCHLD is
/// blocked, so that [`child_signals`] gets it. Afterwards the guest can no longer open its own
/// files in `/proc`.
pub fn become_init() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours; the name is a C string.
    unsafe {
        check(prctl(PR_SET_NAME, NAME.as_ptr()))?;
        check(prctl(PR_SET_DUMPABLE, 0 as c_ulong))?;
        check(prctl(PR_SET_CHILD_SUBREAPER, 1 as c_ulong))?;
        // Each sandbox has this already. Without it, a child could not give up system calls.
        let (one, none) = (1 as c_ulong, 0 as c_ulong);
        check(prctl(PR_SET_NO_NEW_PRIVS, one, none, none, none))?;
    }
    default_signals();
    let set = sigchld_set();
    // SAFETY: `set` is a valid signal set; the old mask is not wanted.
    unsafe { check(sigprocmask(SIG_BLOCK, &set, std::ptr::null_mut()))? };
    Ok(())
}

/// Gives every signal but SIGPIPE its default action. Commands inherit which signals are
/// ignored, so an ignored signal could not end them. And the kernel drops signals that PID 1
/// has no handler for, so a handler (the standard library has one for stack overflows) would
/// let commands signal PID 1.
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

/// A descriptor that becomes readable when a child has died. It never blocks.
pub fn child_signals() -> io::Result<File> {
    let set = sigchld_set();
    // SAFETY: `set` is a valid signal set.
    let fd = unsafe { check(signalfd(-1, &set, SFD_FLAGS))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Takes over an inherited descriptor and makes it close on exec.
pub fn take_stream(fd: RawFd) -> io::Result<File> {
    // SAFETY: fcntl on an integer; a bad descriptor is an error, not undefined.
    unsafe { check(fcntl(fd, F_SETFD, FD_CLOEXEC))? };
    // SAFETY: the launcher hands this descriptor over for us alone to own.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Takes over standard input and output as the stream. Both numbers then lead to `/dev/null`,
/// so no child finds the stream there.
pub fn take_stdio() -> io::Result<(File, File)> {
    // SAFETY: both are this process's own from its start on, and nobody else has them.
    let (input, output) = unsafe { (File::from_raw_fd(0), File::from_raw_fd(1)) };
    let (input, output) = (move_fd_high(input)?, move_fd_high(output)?);
    for _ in 0..2 {
        // Opening a file gives the lowest free number: first 0, then 1. `forget` leaves it
        // open.
        let null = File::options().read(true).write(true).open("/dev/null")?;
        std::mem::forget(null);
    }
    Ok((input, output))
}

/// Makes reads and writes of a descriptor return `WouldBlock` instead of waiting.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: fcntl on a descriptor we own.
    unsafe {
        let flags = check(fcntl(fd.as_raw_fd(), F_GETFL))?;
        check(fcntl(fd.as_raw_fd(), F_SETFL, flags | O_NONBLOCK))?;
    }
    Ok(())
}

/// Moves a descriptor above the numbers that a child's descriptors are moved to, so that it is
/// not overwritten while a child is set up.
pub fn move_fd_high(file: File) -> io::Result<File> {
    // SAFETY: fcntl on a descriptor we own.
    let fd = unsafe { check(fcntl(file.as_raw_fd(), F_DUPFD_CLOEXEC, LOWEST_MOVED))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// A pipe as (read end, write end). Both close on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors pipe2 writes.
    unsafe { check(pipe2(fds.as_mut_ptr(), O_CLOEXEC))? };
    // SAFETY: the kernel has just given us both.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Waits until one of the descriptors is ready or the timeout has passed, and notes the events
/// in `fds`. A negative timeout waits for ever. An interruption by a signal counts as no event.
pub fn wait_for(fds: &mut [PollFd], timeout_ms: i32) -> io::Result<()> {
    // SAFETY: the slice is valid for its length.
    match unsafe { check(poll(fds.as_mut_ptr(), fds.len() as c_ulong, timeout_ms)) } {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// A child that has died and been reaped.
pub struct ChildExit {
    pub pid: i32,
    /// The status in the kernel's form: the signal in the lowest seven bits, the exit code
    /// above.
    pub status: i32,
    /// Processor time of the child, user and system time together.
    pub cpu: Duration,
}

/// Reaps one dead child without waiting. `Ok(None)`: no child is dead. `Err`: there are no
/// children at all. The processor time includes that of the child's own children, as far as the
/// child has waited for them.
pub fn reap() -> io::Result<Option<ChildExit>> {
    let mut status = 0;
    let mut usage = Rusage::default();
    // SAFETY: both out-pointers are valid; Rusage is laid out as the kernel's.
    let pid = unsafe { check(wait4(-1, &mut status, WNOHANG, &mut usage))? };
    let cpu = Duration::from_secs((usage.user_sec + usage.system_sec) as u64)
        + Duration::from_micros((usage.user_usec + usage.system_usec) as u64);
    Ok((pid != 0).then_some(ChildExit { pid, status, cpu }))
}

/// Whether there is a process with this number. A process that is dead and not yet reaped
/// counts.
pub fn exists(pid: i32) -> bool {
    // SAFETY: signal zero only asks.
    unsafe { kill(pid, 0) == 0 }
}

/// Sends SIGKILL to one process, or to every process but the guest with the number -1. A
/// process that is already gone is no error.
pub fn kill_process(pid: i32) {
    // SAFETY: kill touches no memory; a stale pid inside our namespace is only our child's.
    unsafe { kill(pid, SIGKILL) };
}

/// The next range of data in a file at or after `at`, as (begin, end). None: only a hole is
/// left. A file system that knows no holes has one range, to the end of the file.
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

/// Sets the modification time of an entry, in seconds since 1970. A link is not followed, and the
/// entry need not be readable.
pub fn set_modified(path: &CStr, seconds: c_long) -> io::Result<()> {
    let times = [[0, UTIME_OMIT], [seconds, 0]];
    // SAFETY: the path is a C string, and the kernel reads two times of two integers each.
    unsafe { check(utimensat(AT_FDCWD, path.as_ptr(), &times, AT_SYMLINK_NOFOLLOW)).map(|_| ()) }
}

/// The kind of the file system that a descriptor leads to, as `statfs` numbers it.
pub fn file_system(file: &impl AsRawFd) -> io::Result<c_long> {
    // The kernel's structure has 120 bytes, and the kind is its first field.
    let mut facts = [0; 32];
    // SAFETY: `facts` is larger than what the kernel writes.
    unsafe { check(fstatfs(file.as_raw_fd(), &mut facts))? };
    Ok(facts[0])
}

/// Sends a signal to every process but the guest, in one call that no new process escapes.
/// Returns whether there is such a process. Signal 0 only asks.
pub fn signal_everybody(signal: c_int) -> bool {
    // SAFETY: as in `kill_process`; the kernel leaves out the caller and PID 1.
    unsafe { kill(-1, signal) == 0 }
}

/// Whether no process but the guest is left, also none that is dead and not yet reaped. Then nobody
/// has a file open or mapped.
pub fn is_alone() -> bool {
    const ESRCH: c_int = 3;
    // SAFETY: as in `kill_process`; signal zero only asks.
    unsafe { kill(-1, 0) < 0 && last_errno() == ESRCH }
}

/// Sends a signal to one process. A process that is already gone is no error.
pub fn signal_process(pid: i32, signal: c_int) {
    // SAFETY: as in `kill_process`.
    unsafe { kill(pid, signal) };
}

/// Sends a signal to one thread of a process. A thread that is already gone is no error.
pub fn signal_thread(process: i32, thread: i32, signal: c_int) {
    #[cfg(target_arch = "x86_64")]
    const SYS_TGKILL: c_long = 234;
    #[cfg(target_arch = "aarch64")]
    const SYS_TGKILL: c_long = 131;
    // SAFETY: as in `kill_process`; the arguments are integers.
    unsafe { syscall(SYS_TGKILL, process, thread, signal) };
}

/// Lets the other end of a new terminal be opened.
pub fn unlock_terminal(master: &File) -> io::Result<()> {
    let unlocked: c_int = 0;
    // SAFETY: the kernel reads one integer.
    unsafe { check(ioctl(master.as_raw_fd(), TIOCSPTLCK, &unlocked)).map(|_| ()) }
}

/// The number of a terminal, which is its name in `/dev/pts`.
pub fn terminal_number(master: &File) -> io::Result<u32> {
    let mut number: c_uint = 0;
    // SAFETY: the kernel writes one integer.
    unsafe { check(ioctl(master.as_raw_fd(), TIOCGPTN, &mut number))? };
    Ok(number)
}

/// Sets the size of a terminal.
pub fn resize_terminal(master: &File, columns: u16, rows: u16) -> io::Result<()> {
    // The kernel's `struct winsize`: rows, columns, and a size in pixels that nobody uses.
    let size = [rows, columns, 0, 0];
    // SAFETY: the kernel reads four short integers.
    unsafe { check(ioctl(master.as_raw_fd(), TIOCSWINSZ, &size)).map(|_| ()) }
}

/// Makes the later close of a TCP connection send a reset. The other end then sees an error and
/// not the regular end of the data.
pub fn break_on_close(socket: RawFd) {
    const SOL_SOCKET: c_int = 1;
    const SO_LINGER: c_int = 13;
    let at_once: [c_int; 2] = [1, 0];
    // SAFETY: the option's value is two integers, and is only read. One that cannot be set is
    // of a connection that has ended already.
    unsafe { setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, 8) };
}

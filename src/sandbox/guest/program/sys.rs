//! The few system calls the standard library does not offer. All `unsafe` of the guest's
//! set-up lives here; each wrapper checks and returns an [`io::Result`].

use std::ffi::{CString, c_char, c_int, c_long, c_ulong, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub const SIGKILL: c_int = 9;
pub const SIGPIPE: c_int = 13;
pub const SIGXCPU: c_int = 24;
pub const POLLIN: i16 = 1;
pub const POLLHUP: i16 = 16;
pub const POLLRDHUP: i16 = 0x2000;
const SIGCHLD: c_int = 17;
const SIG_BLOCK: c_int = 0;
const SIG_SETMASK: c_int = 2;
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
const RLIMIT_CPU: c_int = 0;
const WNOHANG: c_int = 1;
const MFD_CLOEXEC: u32 = 1;

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

#[repr(C)]
struct Rlimit {
    soft: u64,
    hard: u64,
}

// The kernel's signal set is 8 bytes; glibc's type is 128.
type SigSet = [c_ulong; 16];

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
    fn fork() -> c_int;
    fn setsid() -> c_int;
    fn chdir(path: *const c_char) -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn memfd_create(name: *const c_char, flags: u32) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Rlimit) -> c_int;
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char)
    -> c_int;
    fn _exit(code: c_int) -> !;
    fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, off: i64)
    -> *mut c_void;
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Sets up what PID 1 needs: unreadable to its children, in charge of orphans, and with
/// SIGCHLD kept for [`child_signals`].
pub fn become_init() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    unsafe {
        check(prctl(PR_SET_DUMPABLE, 0 as c_ulong))?;
        check(prctl(PR_SET_CHILD_SUBREAPER, 1 as c_ulong))?;
    }
    let set = sigchld_set();
    // SAFETY: `set` is a valid signal set; the old mask is not wanted.
    unsafe { check(sigprocmask(SIG_BLOCK, &set, std::ptr::null_mut()))? };
    Ok(())
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

pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: fcntl on a descriptor we own.
    unsafe {
        let flags = check(fcntl(fd.as_raw_fd(), F_GETFL))?;
        check(fcntl(fd.as_raw_fd(), F_SETFL, flags | O_NONBLOCK))?;
    }
    Ok(())
}

pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors pipe2 writes.
    unsafe { check(pipe2(fds.as_mut_ptr(), O_CLOEXEC))? };
    // SAFETY: the kernel has just given us both.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

pub fn memfd(name: &CString) -> io::Result<File> {
    // SAFETY: `name` is a valid C string.
    let low = unsafe { check(memfd_create(name.as_ptr(), MFD_CLOEXEC))? };
    // SAFETY: the kernel has just given us this descriptor.
    let low = unsafe { OwnedFd::from_raw_fd(low) };
    // Out of the way of the numbers a child's descriptors are moved to.
    // SAFETY: fcntl on a descriptor we own.
    let fd = unsafe { check(fcntl(low.as_raw_fd(), F_DUPFD_CLOEXEC, LOWEST_MOVED))? };
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { File::from_raw_fd(fd) })
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
pub struct Death {
    pub pid: i32,
    pub status: i32,
    pub cpu_seconds: u64,
}

/// Reaps one child if any is dead. `Ok(None)`: none is; `Err`: there are no children.
pub fn reap() -> io::Result<Option<Death>> {
    let mut status = 0;
    let mut usage = Rusage::default();
    // SAFETY: both out-pointers are valid; Rusage is laid out as the kernel's.
    let pid = unsafe { check(wait4(-1, &mut status, WNOHANG, &mut usage))? };
    let cpu_seconds = (usage.user_sec + usage.system_sec) as u64
        + ((usage.user_usec + usage.system_usec) / 1_000_000) as u64;
    Ok((pid != 0).then_some(Death { pid, status, cpu_seconds }))
}

/// Sends SIGKILL; a process that is gone already is fine.
pub fn kill_process(pid: i32) {
    // SAFETY: kill touches no memory; a stale pid inside our namespace is only our child's.
    unsafe { kill(pid, SIGKILL) };
}

/// One word shared with a child, through which it says why exec failed.
pub struct SharedWord(*mut i32);

impl SharedWord {
    pub fn new() -> io::Result<Self> {
        // SAFETY: an anonymous shared mapping of our own; read-write.
        let at = unsafe { mmap(std::ptr::null_mut(), 4096, 3, 0x21, -1, 0) };
        if at as isize == -1 { Err(io::Error::last_os_error()) } else { Ok(Self(at.cast())) }
    }

    pub fn set(&self, value: i32) {
        // SAFETY: the mapping lives as long as the process and is aligned to a page.
        unsafe { self.0.write_volatile(value) }
    }

    pub fn get(&self) -> i32 {
        // SAFETY: as in `set`.
        unsafe { self.0.read_volatile() }
    }
}

/// All a child needs between fork and exec, made before the fork.
pub struct Launch<'a> {
    pub program: &'a CString,
    pub argv: &'a [CString],
    pub envp: &'a [CString],
    pub cwd: &'a CString,
    pub fallback_cwd: &'a CString,
    pub cpu_seconds: u64,
    /// Becomes descriptors 0, 1, 2 and on.
    pub stdio: [RawFd; 3],
    /// Extra descriptors as (from, to).
    pub extra: &'a [(RawFd, RawFd)],
    pub failure: &'a SharedWord,
}

/// Forks and executes; returns the child's pid.
pub fn spawn(launch: &Launch<'_>) -> io::Result<i32> {
    let argv = pointers(launch.argv);
    let envp = pointers(launch.envp);
    launch.failure.set(0);
    // SAFETY: the guest has one thread, so the child may run any code until it executes.
    let pid = unsafe { check(fork())? };
    if pid == 0 {
        // SAFETY: we are the child; every pointer was made before the fork and is alive.
        unsafe {
            let errno = become_command(launch, &argv, &envp);
            launch.failure.set(errno);
            _exit(127)
        }
    }
    Ok(pid)
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// SAFETY: only in a freshly forked child; returns the errno of what failed.
unsafe fn become_command(
    launch: &Launch<'_>,
    argv: &[*const c_char],
    envp: &[*const c_char],
) -> c_int {
    // SAFETY: plain system calls on descriptors and strings made before the fork.
    unsafe {
        setsid();
        // Commands die of memory pressure before the guest does.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        for (target, &from) in launch.stdio.iter().enumerate() {
            dup2(from, target as c_int);
        }
        for &(from, to) in launch.extra {
            dup2(from, to);
        }
        let cpu = Rlimit { soft: launch.cpu_seconds, hard: launch.cpu_seconds + 1 };
        setrlimit(RLIMIT_CPU, &cpu);
        if chdir(launch.cwd.as_ptr()) < 0 {
            chdir(launch.fallback_cwd.as_ptr());
        }
        signal(SIGPIPE, 0);
        let none: SigSet = [0; 16];
        sigprocmask(SIG_SETMASK, &none, std::ptr::null_mut());
        execve(launch.program.as_ptr(), argv.as_ptr(), envp.as_ptr());
    }
    io::Error::last_os_error().raw_os_error().unwrap_or(1)
}

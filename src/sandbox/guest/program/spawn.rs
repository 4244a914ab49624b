//! Starting a command without copying the guest: the child borrows its memory until it
//! executes, as `vfork` does, but on a stack of its own.

use crate::sys::{self, SIGCHLD, SIGPIPE, SigSet, check};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;

const CLONE_VM: c_int = 0x100;
const CLONE_VFORK: c_int = 0x4000;
const SIG_DFL: usize = 0;
const SIG_SETMASK: c_int = 2;
const RLIMIT_CPU: c_int = 0;
const F_SETFD: c_int = 2;
const STACK: usize = 64 << 10;

#[repr(C)]
struct Rlimit {
    soft: u64,
    hard: u64,
}

unsafe extern "C" {
    fn clone(
        run: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
    fn setsid() -> c_int;
    fn chdir(path: *const c_char) -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Rlimit) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn sigprocmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char)
    -> c_int;
    fn _exit(code: c_int) -> !;
}

/// All a child needs between clone and exec.
pub struct SpawnSpec<'a> {
    pub program: &'a CString,
    pub argv: &'a [CString],
    pub envp: &'a [CString],
    pub cwd: &'a CStr,
    pub fallback_cwd: &'a CStr,
    pub cpu_seconds: u64,
    /// Becomes descriptors 0, 1, 2 and on.
    pub stdio: [RawFd; 3],
    /// Further descriptors as (from, to), done in this order: no `to` may be the `from` of
    /// a later one.
    pub extra: &'a [(RawFd, RawFd)],
}

/// What the child reads and where it leaves its errno.
struct ChildSetup {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    fallback_cwd: *const c_char,
    cpu: Rlimit,
    stdio: [RawFd; 3],
    extra: *const (RawFd, RawFd),
    extra_count: usize,
    errno: c_int,
}

/// The guest's own standing when memory runs out. A child inherits it, and could not set
/// its own: until it executes, it is as unreadable to itself as the guest is.
struct OomScore {
    file: File,
    own: Vec<u8>,
}

impl OomScore {
    /// The kernel picks these first.
    const VICTIM: &[u8] = b"1000";

    /// To be called while the guest may still open files about itself.
    fn open() -> io::Result<Self> {
        let own = std::fs::read("/proc/self/oom_score_adj")?;
        let file = File::options().write(true).open("/proc/self/oom_score_adj")?;
        Ok(Self { file, own: own.trim_ascii_end().to_vec() })
    }

    fn set(&mut self, score: &[u8]) {
        // Refused by nothing we know; a command that lives longer than it should under
        // memory pressure is no reason to fail it.
        let _ = self.file.write(score);
    }
}

/// The stack children borrow, one at a time, and the score they get.
pub struct CommandSpawner {
    stack: Vec<u128>,
    score: Option<OomScore>,
}

impl CommandSpawner {
    /// To be called before the guest makes itself unreadable.
    pub fn new() -> Self {
        Self { stack: vec![0; STACK / size_of::<u128>()], score: OomScore::open().ok() }
    }

    fn clone_victim(&mut self, child: &mut ChildSetup) -> io::Result<c_int> {
        let Some(mut score) = self.score.take() else { return self.clone_into(child) };
        score.set(OomScore::VICTIM);
        let pid = self.clone_into(child);
        let own = score.own.clone();
        score.set(&own);
        self.score = Some(score);
        pid
    }

    /// Starts a command; returns its pid. An error is the child's own, or the clone's.
    pub fn spawn(&mut self, launch: &SpawnSpec<'_>) -> io::Result<i32> {
        let (argv, envp) = (pointers(launch.argv), pointers(launch.envp));
        let mut child = ChildSetup {
            program: launch.program.as_ptr(),
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            cwd: launch.cwd.as_ptr(),
            fallback_cwd: launch.fallback_cwd.as_ptr(),
            cpu: Rlimit { soft: launch.cpu_seconds, hard: launch.cpu_seconds.saturating_add(1) },
            stdio: launch.stdio,
            extra: launch.extra.as_ptr(),
            extra_count: launch.extra.len(),
            errno: 0,
        };
        let pid = self.clone_victim(&mut child)?;
        // A child that failed is a zombie by now; the next reaping takes it.
        if child.errno == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(child.errno)) }
    }

    fn clone_into(&mut self, child: &mut ChildSetup) -> io::Result<c_int> {
        let flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
        let argument = std::ptr::from_mut(child).cast();
        // SAFETY: the stack is ours, aligned by its element type, and grows down from its
        // end. CLONE_VFORK suspends us until the child has executed or ended, so nothing it
        // borrows is touched or freed meanwhile.
        unsafe {
            let top = self.stack.as_mut_ptr_range().end.cast();
            check(clone(become_command, top, flags, argument))
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Between clone and exec: only system calls, nothing that allocates or locks.
extern "C" fn become_command(argument: *mut c_void) -> c_int {
    // SAFETY: the suspended parent passed a `ChildSetup` that is ours alone until we execute or
    // end; every pointer in it is to memory of the parent's.
    unsafe {
        let child = &mut *argument.cast::<ChildSetup>();
        setsid();
        arrange(child);
        setrlimit(RLIMIT_CPU, &child.cpu);
        if chdir(child.cwd) < 0 {
            chdir(child.fallback_cwd);
        }
        signal(SIGPIPE, SIG_DFL);
        let none: SigSet = [0; 16];
        sigprocmask(SIG_SETMASK, &none, std::ptr::null_mut());
        execve(child.program, child.argv, child.envp);
        child.errno = sys::last_errno();
        _exit(127)
    }
}

/// SAFETY: in a child of [`CommandSpawner::clone_into`] only: it moves descriptors about.
unsafe fn arrange(child: &ChildSetup) {
    // SAFETY: descriptors are integers; the slice was made from these parts by the parent.
    unsafe {
        for (target, from) in child.stdio.iter().enumerate() {
            dup2(*from, target as c_int);
        }
        for (from, to) in std::slice::from_raw_parts(child.extra, child.extra_count) {
            if from == to {
                // dup2 on equal numbers would keep close-on-exec.
                fcntl(*to, F_SETFD, 0);
            } else {
                dup2(*from, *to);
            }
        }
    }
}

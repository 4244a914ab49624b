//! Starts a command without copying the guest's memory. The child borrows the memory of the
//! guest until it executes the shell, as with `vfork`, but on a stack of its own. The guest is
//! suspended meanwhile, so a start costs little however large the guest is.
//!
//! Between `clone` and `execve` the child may only make system calls. It must not allocate,
//! lock or panic, because the memory is the guest's.

use crate::sys::{self, SIGCHLD, SIGPIPE, SigSet, check};
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_ulong, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;

const CLONE_VM: c_int = 0x100;
const CLONE_VFORK: c_int = 0x4000;
const SIG_DFL: usize = 0;
const SIG_SETMASK: c_int = 2;
const RLIMIT_CPU: c_int = 0;
const F_SETFD: c_int = 2;
const TIOCSCTTY: c_ulong = 0x540e;
#[cfg(target_arch = "x86_64")]
const SYS_SECCOMP: c_long = 317;
#[cfg(target_arch = "aarch64")]
const SYS_SECCOMP: c_long = 277;
const SET_MODE_FILTER: c_ulong = 1;
// The numbers of `inotify_init1`, and the first and the last of the other calls of inotify.
#[cfg(target_arch = "x86_64")]
const INOTIFY: (u32, u32, u32) = (294, 253, 255);
#[cfg(target_arch = "aarch64")]
const INOTIFY: (u32, u32, u32) = (26, 27, 28);
/// Bytes of the stack on which a child runs until it executes.
const STACK: usize = 64 << 10;

/// The kernel's `struct rlimit`.
#[repr(C)]
struct Rlimit {
    soft: u64,
    hard: u64,
}

/// The kernel's `struct sock_filter`: one instruction of a filter of system calls. A comparison
/// skips `jt` instructions if it holds, and `jf` if not.
#[repr(C)]
struct FilterInstruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// The kernel's `struct sock_fprog`.
#[repr(C)]
struct FilterProgram {
    length: u16,
    first: *const FilterInstruction,
}

/// Takes the calls of inotify from programs: they look as if the kernel did not have them. The
/// filter of the sandbox leaves them to the guest and checks everything else.
static NO_INOTIFY: [FilterInstruction; 6] = {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const AT_LEAST: u16 = 0x35;
    const ANSWER: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ENOSYS: u32 = 0x0005_0026;
    const fn step(code: u16, k: u32, jt: u8, jf: u8) -> FilterInstruction {
        FilterInstruction { code, jt, jf, k }
    }
    [
        // The number of the call is the first field of what a filter sees.
        step(LOAD, 0, 0, 0),
        step(EQUAL, INOTIFY.0, 3, 0),
        step(AT_LEAST, INOTIFY.1, 0, 1),
        step(AT_LEAST, INOTIFY.2 + 1, 0, 1),
        step(ANSWER, ALLOW, 0, 0),
        step(ANSWER, ENOSYS, 0, 0),
    ]
};

unsafe extern "C" {
    fn clone(
        run: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
    fn setsid() -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn chdir(path: *const c_char) -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Rlimit) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn sigprocmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char)
    -> c_int;
    fn _exit(code: c_int) -> !;
    fn syscall(number: c_long, ...) -> c_long;
}

/// Everything that a child needs between `clone` and `execve`.
pub struct SpawnSpec<'a> {
    pub program: &'a CString,
    pub argv: &'a [CString],
    pub envp: &'a [CString],
    /// The directory to start in.
    pub cwd: &'a CStr,
    /// The directory to start in if `cwd` cannot be entered, for example because it was
    /// removed.
    pub fallback_cwd: &'a CStr,
    /// The processor time after which the kernel sends SIGXCPU; one second later it sends
    /// SIGKILL.
    pub cpu_seconds: u64,
    /// The descriptors that become 0, 1 and 2, in this order.
    pub stdio: [RawFd; 3],
    /// Further descriptors as (from, to), moved in this order. No `to` may be the `from` of a
    /// later pair, because it would be overwritten.
    pub extra: &'a [(RawFd, RawFd)],
    /// Make the child's input, a terminal, the terminal that controls its new session.
    pub terminal: bool,
}

/// What the child reads from the guest's memory, as pointers that are ready for the system
/// calls, and where it leaves its errno.
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
    terminal: bool,
    /// Zero, or why the last step failed. The guest reads it after `clone`, because both share the
    /// memory.
    errno: c_int,
}

/// The guest's own OOM score, which tells the kernel whom to kill first when memory is
/// exhausted. The child must have a higher one but cannot set it: until it executes, it may not
/// write its own files in `/proc`, like the guest. So the guest raises its own score around
/// `clone`, and the child inherits it.
struct OomScore {
    /// `/proc/self/oom_score_adj`, opened before the guest lost the right to open it.
    file: File,
    /// The guest's score as text, to set it back.
    own: Vec<u8>,
}

impl OomScore {
    /// The highest score: the kernel kills these processes first.
    const VICTIM: &[u8] = b"1000";

    /// Opens the score. It must be called before `sys::become_init`.
    fn open() -> io::Result<Self> {
        let own = std::fs::read("/proc/self/oom_score_adj")?;
        let file = File::options().write(true).open("/proc/self/oom_score_adj")?;
        Ok(Self { file, own: own.trim_ascii_end().to_vec() })
    }

    fn set(&mut self, score: &[u8]) {
        // No known kernel refuses this. If one does, the command only lives longer than it
        // should when memory is exhausted, which is no reason to fail it.
        let _ = self.file.write(score);
    }
}

/// The stack that children borrow, one at a time, and the guest's OOM score.
pub struct CommandSpawner {
    /// The element type gives the stack the alignment of 16 bytes that it needs.
    stack: Vec<u128>,
    /// None: the score could not be opened, and children keep the guest's.
    score: Option<OomScore>,
}

impl CommandSpawner {
    /// Prepares the stack and the OOM score. It must be called before `sys::become_init`.
    pub fn new() -> Self {
        Self { stack: vec![0; STACK / size_of::<u128>()], score: OomScore::open().ok() }
    }

    /// Clones a child that has the OOM score of a victim, and sets the guest's own score back.
    fn clone_victim(&mut self, child: &mut ChildSetup) -> io::Result<c_int> {
        let Some(mut score) = self.score.take() else { return self.clone_into(child) };
        score.set(OomScore::VICTIM);
        let pid = self.clone_into(child);
        let own = score.own.clone();
        score.set(&own);
        self.score = Some(score);
        pid
    }

    /// Starts a command and returns its process number. An error is the errno of `clone`, or of
    /// `execve` in the child.
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
            terminal: launch.terminal,
            errno: 0,
        };
        let pid = self.clone_victim(&mut child)?;
        // A child that failed has ended already; the next reaping takes it.
        if child.errno == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(child.errno)) }
    }

    /// Clones the child and returns when it has executed or ended.
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

/// The strings as an array of pointers that ends with a null pointer.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// The child's code between `clone` and `execve`. It makes only system calls and neither
/// allocates nor locks. It returns to nobody: it executes the program or exits with 127.
extern "C" fn become_command(argument: *mut c_void) -> c_int {
    // SAFETY: the suspended parent passed a `ChildSetup` that is ours alone until we execute or
    // end; every pointer in it is to memory of the parent's.
    unsafe {
        let child = &mut *argument.cast::<ChildSetup>();
        setsid();
        arrange(child);
        if child.terminal {
            ioctl(0, TIOCSCTTY, 0);
        }
        setrlimit(RLIMIT_CPU, &child.cpu);
        if chdir(child.cwd) < 0 {
            chdir(child.fallback_cwd);
        }
        signal(SIGPIPE, SIG_DFL);
        let none: SigSet = [0; 16];
        sigprocmask(SIG_SETMASK, &none, std::ptr::null_mut());
        if give_up_inotify() == 0 {
            execve(child.program, child.argv, child.envp);
        }
        child.errno = sys::last_errno();
        _exit(127)
    }
}

/// SAFETY: in a child of [`CommandSpawner::clone_into`] only: it changes which calls its caller may
/// make. Zero is success.
unsafe fn give_up_inotify() -> c_long {
    let length = NO_INOTIFY.len() as u16;
    let program = FilterProgram { length, first: NO_INOTIFY.as_ptr() };
    // SAFETY: the program outlives the call, and has as many instructions as it says.
    unsafe { syscall(SYS_SECCOMP, SET_MODE_FILTER, 0 as c_ulong, &raw const program) }
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

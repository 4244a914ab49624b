//! The system-call filter of the namespace backend, as a seccomp program of BPF instructions. A
//! call that is not allowed is refused before the kernel begins to execute it.
//!
//! The filter is written out by hand because builders of filters cannot do one thing that it
//! needs: it answers calls of a foreign architecture and of the x32 table with ENOSYS and does
//! not kill the process. So a program that probes for them sees a kernel without them and goes
//! on.
//!
//! The program checks in this order: the architecture; calls that look absent; calls whose
//! arguments matter; the list of allowed calls (`system_calls.rs`). Instructions jump forward
//! by relative numbers: `jump(test, k, jt, jf)` skips `jt` instructions if the test holds and
//! `jf` if not. Between the parts, the accumulator holds the number of the call.

#![expect(unsafe_code, reason = "a filter is installed by a system call std does not offer")]

use super::builder::{StepError, step};
use super::sys::check;
use crate::sandbox::system_calls;
use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

/// A compiled filter. It is made once and installed in every sandbox.
pub(super) struct SeccompFilter(Vec<libc::sock_filter>);

// Offsets of the fields of the kernel's `struct seccomp_data`. An argument has eight bytes, of
// which an instruction reads four; the offset is that of the lower half.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT_0: u32 = 16;
const ARGUMENT_1: u32 = 24;
const ARGUMENT_2: u32 = 32;
const ARGUMENT_3: u32 = 40;
const ARGUMENT_5: u32 = 56;
// The answers of a filter. The lower 16 bits of `ERRNO` are the errno that the program gets.
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// The architecture of this machine, as seccomp numbers it.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// The number of `cachestat`, which the libc crate does not have for every machine. It is the
/// same on each.
const CACHESTAT: i64 = 451;

/// Calls that look as if the kernel did not have them, so that programs use an older call.
/// `clone3` passes its flags in memory, where a filter cannot look. `io_setup` counts against
/// one limit of the whole host. `cachestat` shows what other sandboxes and the host do with
/// files below `/usr`; so does `inotify`, see [`watches`]. POSIX timers and message queues can
/// send any signal, also SIGCONT, which would continue a stopped process.
const ABSENT: &[i64] = &[
    CACHESTAT,
    libc::SYS_clone3,
    libc::SYS_io_setup,
    libc::SYS_memfd_secret,
    libc::SYS_mq_notify,
    libc::SYS_timer_create,
];
/// Further such calls, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const ABSENT_HERE: &[i64] = &[libc::SYS_inotify_init];
#[cfg(not(target_arch = "x86_64"))]
const ABSENT_HERE: &[i64] = &[];

/// Calls that make memory which belongs to no process. Only a cgroup can limit such memory, so
/// without a memory cgroup these calls look absent too.
const UNBOUNDED: &[i64] =
    &[libc::SYS_memfd_create, libc::SYS_msgget, libc::SYS_semget, libc::SYS_shmget];

/// The process number of the guest in its sandbox.
const GUEST: u32 = 1;
/// The flags of `clone` that make a namespace.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | 0x80/* CLONE_NEWTIME */) as u32;

/// Compiles the filter. `memory_bounded`: a cgroup limits all memory of the sandbox, also
/// memory that belongs to no process.
pub(super) fn filter(memory_bounded: bool) -> SeccompFilter {
    let mut code = vec![load(ARCH), jump(BPF_JEQ, NATIVE, 1, 0), refuse(libc::ENOSYS), load(NR)];
    if cfg!(target_arch = "x86_64") {
        code.extend([jump(BPF_JGE, 0x4000_0000, 0, 1), refuse(libc::ENOSYS)]);
    }
    let unbounded = if memory_bounded { &[] } else { UNBOUNDED };
    for call in ABSENT.iter().chain(ABSENT_HERE).chain(unbounded) {
        code.extend([jump(BPF_JEQ, number(*call), 0, 1), refuse(libc::ENOSYS)]);
    }
    code.extend(namespaces_and_terminals());
    code.extend(shared_files());
    if !memory_bounded {
        code.extend(socket_buffers());
    }
    code.extend(sockets());
    code.extend(guests_limits());
    code.extend(guests_scheduling());
    code.extend(core_limit());
    code.extend(watches());
    code.extend(listed());
    SeccompFilter(code)
}

/// Allows the calls on the list and refuses all others. The numbers are compared as ranges,
/// because a program with one comparison for each call would take the kernel longer. Calls that
/// are newer than the list look absent.
fn listed() -> Vec<libc::sock_filter> {
    let mut code =
        vec![jump(BPF_JGE, number(system_calls::LAST_KNOWN) + 1, 0, 1), refuse(libc::ENOSYS)];
    let allowed: Vec<u32> = system_calls::allowed().map(|(_, call)| number(call)).collect();
    for (first, last) in ranges(allowed) {
        code.extend([
            jump(BPF_JGE, last + 1, 3, 0),
            jump(BPF_JGE, first, 1, 0),
            refuse(libc::EPERM),
            statement(BPF_RET | BPF_K, ALLOW),
        ]);
    }
    code.push(refuse(libc::EPERM));
    code
}

/// The runs of consecutive numbers, each as (first, last), in order.
fn ranges(mut numbers: Vec<u32>) -> Vec<(u32, u32)> {
    numbers.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 >= number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// Refuses new namespaces, the terminal calls that put input into somebody's terminal or change
/// its discipline, and other personalities than the usual one.
fn namespaces_and_terminals() -> Vec<libc::sock_filter> {
    let clone = [
        statement(BPF_ALU | BPF_AND | BPF_K, NEW_NAMESPACES),
        jump(BPF_JEQ, 0, 1, 0),
        refuse(libc::EPERM),
    ];
    let ioctl = [
        jump(BPF_JEQ, libc::TIOCSETD as u32, 2, 0),
        jump(BPF_JEQ, libc::TIOCSTI as u32, 1, 0),
        jump(BPF_JEQ, libc::TIOCLINUX as u32, 0, 1),
        refuse(libc::EPERM),
    ];
    let personality = [jump(BPF_JEQ, 0, 2, 0), jump(BPF_JEQ, u32::MAX, 1, 0), refuse(libc::EPERM)];
    [
        when(libc::SYS_clone, ARGUMENT_0, &clone),
        when(libc::SYS_ioctl, ARGUMENT_1, &ioctl),
        when(libc::SYS_personality, ARGUMENT_0, &personality),
    ]
    .concat()
}

/// Refuses what would show how others use a file below `/usr`: directory notices, leases,
/// signals of one's choice on events, reads that fail unless the page is cached, and dropping
/// pages from the cache.
fn shared_files() -> Vec<libc::sock_filter> {
    const SIGNAL: u32 = 10; // F_SETSIG
    const NO_WAIT: u32 = libc::RWF_NOWAIT as u32;
    let fcntl = [
        jump(BPF_JEQ, SIGNAL, 2, 0),
        jump(BPF_JEQ, libc::F_SETLEASE as u32, 1, 0),
        jump(BPF_JEQ, libc::F_NOTIFY as u32, 0, 1),
        refuse(libc::EPERM),
    ];
    let flags = [
        statement(BPF_ALU | BPF_AND | BPF_K, NO_WAIT),
        jump(BPF_JEQ, 0, 1, 0),
        refuse(libc::EOPNOTSUPP),
    ];
    let advice = [jump(BPF_JEQ, libc::POSIX_FADV_DONTNEED as u32, 0, 1), refuse(libc::EPERM)];
    [
        when(libc::SYS_fcntl, ARGUMENT_1, &fcntl),
        when(libc::SYS_preadv2, ARGUMENT_5, &flags),
        when(libc::SYS_fadvise64, ARGUMENT_3, &advice),
    ]
    .concat()
}

/// Makes setting the size of a socket's buffers look successful without effect. Where no cgroup
/// limits memory, the usual buffer size times the limit of open files is what limits socket
/// memory. The same option numbers at another level are other options and pass.
fn socket_buffers() -> Vec<libc::sock_filter> {
    let options = [
        jump(BPF_JEQ, libc::SOL_SOCKET as u32, 0, 4),
        load(ARGUMENT_2),
        jump(BPF_JEQ, libc::SO_SNDBUF as u32, 1, 0),
        jump(BPF_JEQ, libc::SO_RCVBUF as u32, 0, 1),
        refuse(0),
    ];
    when(libc::SYS_setsockopt, ARGUMENT_1, &options)
}

/// Allows only streams and datagrams of the Unix and Internet families. For the Internet
/// families it allows only protocols that load no module into the host's kernel. Socket pairs
/// must be Unix.
fn sockets() -> Vec<libc::sock_filter> {
    const UNIX: u32 = libc::AF_UNIX as u32;
    let socket = [
        jump(BPF_JEQ, UNIX, 15, 0),
        jump(BPF_JEQ, libc::AF_INET as u32, 2, 0),
        jump(BPF_JEQ, libc::AF_INET6 as u32, 1, 0),
        refuse(libc::EAFNOSUPPORT),
        load(ARGUMENT_1),
        statement(BPF_ALU | BPF_AND | BPF_K, 0xf),
        jump(BPF_JEQ, libc::SOCK_STREAM as u32, 2, 0),
        jump(BPF_JEQ, libc::SOCK_DGRAM as u32, 1, 0),
        refuse(libc::EPERM),
        load(ARGUMENT_2),
        jump(BPF_JEQ, 0, 5, 0),
        jump(BPF_JEQ, libc::IPPROTO_TCP as u32, 4, 0),
        jump(BPF_JEQ, libc::IPPROTO_UDP as u32, 3, 0),
        jump(BPF_JEQ, libc::IPPROTO_ICMP as u32, 2, 0),
        jump(BPF_JEQ, libc::IPPROTO_ICMPV6 as u32, 1, 0),
        refuse(libc::EPROTONOSUPPORT),
    ];
    let pair = [jump(BPF_JEQ, UNIX, 1, 0), refuse(libc::EAFNOSUPPORT)];
    [when(libc::SYS_socket, ARGUMENT_0, &socket), when(libc::SYS_socketpair, ARGUMENT_0, &pair)]
        .concat()
}

/// Refuses new resource limits for PID 1. The guest runs as the same user as the programs, so
/// the kernel would let them lower its limits. Reading its limits stays possible. This part
/// does not end the filter: it goes on with what comes next.
fn guests_limits() -> Vec<libc::sock_filter> {
    vec![
        jump(BPF_JEQ, number(libc::SYS_prlimit64), 0, 7),
        load(ARGUMENT_0),
        jump(BPF_JEQ, GUEST, 0, 5),
        load(ARGUMENT_2),
        jump(BPF_JEQ, 0, 0, 2),
        load(ARGUMENT_2 + 4),
        jump(BPF_JEQ, 0, 1, 0),
        refuse(libc::EPERM),
        load(NR),
    ]
}

/// Refuses another scheduling for PID 1, by which programs could keep the guest from a
/// processor.
fn guests_scheduling() -> Vec<libc::sock_filter> {
    const SCHEDULING: [i64; 4] = [
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setaffinity,
    ];
    // The guest can be named by its number, or together with all processes of its user.
    let niceness = |all_of_a_user: u32| {
        [
            jump(BPF_JEQ, GUEST, 2, 0),
            load(ARGUMENT_0),
            jump(BPF_JEQ, all_of_a_user, 0, 1),
            refuse(libc::EPERM),
        ]
    };
    let by_number = [jump(BPF_JEQ, GUEST, 0, 1), refuse(libc::EPERM)];
    let mut code: Vec<_> =
        SCHEDULING.iter().flat_map(|call| when(*call, ARGUMENT_0, &by_number)).collect();
    code.extend(when(libc::SYS_setpriority, ARGUMENT_1, &niceness(libc::PRIO_USER)));
    code.extend(when(libc::SYS_ioprio_set, ARGUMENT_1, &niceness(3 /* IOPRIO_WHO_USER */)));
    code
}

/// Makes setting the core limit look successful without effect. A program could choose the
/// limit zero, at which the kernel would still start the host's core-dump program.
fn core_limit() -> Vec<libc::sock_filter> {
    const CORE: u32 = libc::RLIMIT_CORE;
    let mut code = when(
        libc::SYS_prlimit64,
        ARGUMENT_1,
        &[
            jump(BPF_JEQ, CORE, 0, 5),
            load(ARGUMENT_2),
            jump(BPF_JEQ, 0, 0, 2),
            load(ARGUMENT_2 + 4),
            jump(BPF_JEQ, 0, 1, 0),
            refuse(0),
        ],
    );
    #[cfg(target_arch = "x86_64")]
    code.extend(when(libc::SYS_setrlimit, ARGUMENT_0, &[jump(BPF_JEQ, CORE, 0, 1), refuse(0)]));
    code
}

/// Allows the guest to watch directories of the workspace, with its own numbers only. The guest
/// takes these calls from every program that it starts.
fn watches() -> Vec<libc::sock_filter> {
    let flags = [jump(BPF_JEQ, system_calls::WATCH_FLAGS, 1, 0), refuse(libc::ENOSYS)];
    let events = [jump(BPF_JEQ, system_calls::WATCH_EVENTS, 1, 0), refuse(libc::ENOSYS)];
    [
        when(libc::SYS_inotify_init1, ARGUMENT_0, &flags),
        when(libc::SYS_inotify_add_watch, ARGUMENT_2, &events),
    ]
    .concat()
}

/// A block for one call: it loads one argument, runs `block`, and allows the call if the block
/// did not refuse it. Other calls skip all of it.
fn when(call: i64, argument: u32, block: &[libc::sock_filter]) -> Vec<libc::sock_filter> {
    let skip = u8::try_from(block.len() + 2).unwrap_or(u8::MAX);
    let mut code = vec![jump(BPF_JEQ, number(call), 0, skip), load(argument)];
    code.extend_from_slice(block);
    code.push(statement(BPF_RET | BPF_K, ALLOW));
    code
}

/// A call's number for an instruction. A number that cannot be one matches no call.
fn number(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Loads four bytes of the call's data into the accumulator.
fn load(offset: u32) -> libc::sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

/// Answers the call with an errno. Zero makes it look successful without effect.
fn refuse(errno: i32) -> libc::sock_filter {
    statement(BPF_RET | BPF_K, ERRNO | errno as u32)
}

/// An instruction without a jump.
fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// A comparison of the accumulator with `k` that skips `jt` instructions if it holds, and `jf`
/// if not.
fn jump(test: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt, jf, k }
}

impl SeccompFilter {
    /// Installs the filter in this process and its future children. It cannot be removed again.
    /// The process must have `no_new_privs`.
    pub(super) fn install(&self) -> Result<(), StepError> {
        let length = libc::c_ushort::try_from(self.0.len()).unwrap_or(0);
        let program = libc::sock_fprog { len: length, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: the program points to `len` instructions that outlive the call.
        let outcome = unsafe {
            libc::syscall(libc::SYS_seccomp, 1 /* SET_MODE_FILTER */, 0, &program)
        };
        step("install the system-call filter", check(outcome)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_hold_the_same_numbers_and_never_touch(
            numbers in prop::collection::btree_set(0_u32..500, 0..200),
        ) {
            let ranges = ranges(numbers.iter().copied().collect());
            let all: BTreeSet<u32> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(all, numbers);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}

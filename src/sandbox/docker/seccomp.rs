//! The seccomp profile of containers: an allow-list of system calls, as JSON for the container
//! engine.
//!
//! The profile of the container engine is an allow-list too, but this one is stricter. It refuses
//! keys, tracing, the memory of other processes, most kinds of sockets, and everything that
//! changes the limits of the guest. A call that no rule allows fails with EPERM.
//!
//! The rules are those of the namespace backend's filter
//! (`namespace/launcher/seccomp_filter.rs`), in the form that an engine reads. The calls without
//! conditions come from `system_calls.rs`. One rule looks like this; `index` is the number of the
//! argument:
//!
//! ```text
//! { "names": ["socket"], "action": "SCMP_ACT_ALLOW",
//!   "args": [{ "index": 0, "op": "SCMP_CMP_EQ", "value": 1, "valueTwo": 0 }] }
//! ```
//! All conditions of a rule must hold. Several rules for one call are alternatives. Only one
//! condition of a rule may look at the same argument.

use crate::sandbox::system_calls;
use serde_json::{Value, json};

/// Calls that fail as if the kernel did not have them (ENOSYS), so that programs fall back to
/// others:
///
/// - `clone3` passes its flags in memory, where a filter cannot look.
/// - `io_setup`: old asynchronous I/O counts against one limit of the whole host.
/// - `cachestat` shows what other containers and the host do with files of the same image. So does
///   inotify, of which the guest has two calls ([`watches`]).
/// - `timer_create` and `mq_notify` can send any signal, also SIGCONT, which would undo a stop.
/// - `memfd_secret` gives memory that is absent from the kernel's own mapping.
const ABSENT: [&str; 8] = [
    "cachestat",
    "clone3",
    "inotify_init",
    "inotify_rm_watch",
    "io_setup",
    "memfd_secret",
    "mq_notify",
    "timer_create",
];

/// The error "no such system call".
const ENOSYS: u32 = 38;
const ALLOW: &str = "SCMP_ACT_ALLOW";
const EQUAL: &str = "SCMP_CMP_EQ";
/// The comparison of some bits of an argument: `value` is the mask, `valueTwo` what the masked
/// bits must be.
const MASKED: &str = "SCMP_CMP_MASKED_EQ";
/// The lower half of an argument. The kernel looks at no more where it takes an `int`.
const LOWER: u64 = 0xffff_ffff;
/// Every flag of `clone` that makes a new namespace (`CLONE_NEW...`).
const NAMESPACES: u64 = 0x7e02_0080;
/// The process id of the guest inside.
const GUEST: u64 = 1;
/// The refused requests of `ioctl`: TIOCSTI types characters into a terminal, TIOCLINUX does so
/// on a console, TIOCSETD can load a kernel module.
const TERMINAL: [u64; 3] = [0x5412, 0x541c, 0x5423];
/// The address family of Unix sockets (`AF_UNIX`).
const UNIX: u64 = 1;
/// The address families of IPv4 and IPv6 (`AF_INET`, `AF_INET6`).
const INTERNET: [u64; 2] = [2, 10];
/// The allowed commands of `fcntl`: those for descriptors, flags, locks, pipes and seals.
/// Commands for notices of directories (`F_NOTIFY`), leases (`F_SETLEASE`) and freely chosen
/// signals (`F_SETSIG`) are missing.
const CONTROLS: [u64; 26] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 36, 37, 38, 1_025, 1_027, 1_028, 1_030, 1_031, 1_032,
    1_033, 1_034, 1_035, 1_037,
];
/// The allowed advice of `fadvise64`. 4 (`POSIX_FADV_DONTNEED`) is missing: it takes pages out of
/// the cache that others share.
const ADVICE: [u64; 5] = [0, 1, 2, 3, 5];
/// The flag `RWF_NOWAIT` of `preadv2`: a read that fails unless the page is in the cache. It
/// would show what others have read.
const NO_WAIT: u64 = 8;
/// Streams and datagrams (`SOCK_STREAM`, `SOCK_DGRAM`).
const TYPES: [u64; 2] = [1, 2];
/// The bits of a socket's type without its flags, such as `SOCK_CLOEXEC`.
const TYPE_MASK: u64 = 0xf;
/// Protocols that load no module into the host's kernel: the default (0), ICMP, TCP, UDP and
/// ICMPv6.
const PROTOCOLS: [u64; 5] = [0, 1, 6, 17, 58];
/// The personality that every program has, and the value that only asks for it.
const PERSONALITIES: [u64; 2] = [0, 0xffff_ffff];
/// Calls that change the scheduling of the process in argument 0.
const SCHEDULING: [&str; 4] =
    ["sched_setparam", "sched_setscheduler", "sched_setattr", "sched_setaffinity"];

/// Calls that change a priority, each with the values of argument 0 that mean a process and a
/// group of processes. The value for all processes of a user is not allowed.
const NICENESS: [(&str, u64, u64); 2] = [("setpriority", 0, 1), ("ioprio_set", 1, 2)];

/// The whole profile as JSON text.
pub(super) fn profile() -> String {
    let names: Vec<&str> = system_calls::allowed().map(|(name, _)| name).collect();
    let mut rules = vec![
        json!({ "names": names, "action": ALLOW }),
        json!({ "names": ABSENT, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS }),
        allow("clone", &[masked(0, NAMESPACES, 0)]),
        allow("socketpair", &[compare(0, EQUAL, UNIX)]),
        allow("socket", &[compare(0, EQUAL, UNIX)]),
        allow("preadv2", &[masked(5, NO_WAIT, 0)]),
    ];
    rules.extend(ioctls());
    rules.extend(CONTROLS.map(|which| allow("fcntl", &[masked(1, LOWER, which)])));
    rules.extend(ADVICE.map(|which| allow("fadvise64", &[masked(3, LOWER, which)])));
    rules.extend(PERSONALITIES.map(|which| allow("personality", &[compare(0, EQUAL, which)])));
    rules.extend(internet_sockets());
    rules.extend(limits());
    rules.extend(scheduling());
    rules.extend(watches());
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": architectures(),
        "syscalls": rules,
    });
    profile.to_string()
}

/// The architectures whose calls are compared at all; a call of another one kills the program.
/// x32 (x86-64 with short pointers) is listed beside x86-64. The 32-bit architecture is not
/// listed: there, one call does everything with sockets, and its rules would allow every address
/// family.
fn architectures() -> &'static [&'static str] {
    if cfg!(target_arch = "aarch64") {
        &["SCMP_ARCH_AARCH64"]
    } else {
        &["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]
    }
}

/// Allows all requests of `ioctl` but those of [`TERMINAL`].
///
/// The kernel looks only at the lower half of the request number, so the rules must do the same.
/// A rule cannot say "none of these three", because it may look at an argument only once. The
/// three numbers differ only in their low six bits. So there is a rule for each higher bit, which
/// allows numbers that differ from the three in that bit. For the numbers that share all higher
/// bits, each allowed one has a rule of its own.
fn ioctls() -> impl Iterator<Item = Value> {
    const APART: u64 = 0x3f;
    let elsewhere = (0..32).map(|bit| 1 << bit).filter(|bit| bit & APART == 0);
    let differs = elsewhere.map(|bit| masked(1, bit, !TERMINAL[0] & bit));
    let beside = (0..=APART).map(|low| TERMINAL[0] & !APART | low);
    let beside = beside.filter(|one| !TERMINAL.contains(one)).map(|one| masked(1, LOWER, one));
    differs.chain(beside).map(|what| allow("ioctl", &[what]))
}

/// Conditions that allow every process id but that of the guest (1). Zero means the calling
/// process. Any other number than 1 has one of the bits 1 to 31 set.
fn not_the_guest(argument: u32) -> impl Iterator<Item = Value> {
    let itself = masked(argument, LOWER, 0);
    let others = (1..32).map(move |bit| masked(argument, 1 << bit, 1 << bit));
    std::iter::once(itself).chain(others)
}

/// Allows Internet sockets of the listed types and protocols. The sandbox has only its loopback.
fn internet_sockets() -> impl Iterator<Item = Value> {
    INTERNET.into_iter().flat_map(|family| {
        TYPES.into_iter().flat_map(move |kind| {
            PROTOCOLS.into_iter().map(move |protocol| {
                let of = [
                    compare(0, EQUAL, family),
                    masked(1, TYPE_MASK, kind),
                    compare(2, EQUAL, protocol),
                ];
                allow("socket", &of)
            })
        })
    })
}

/// Protects the resource limits of the guest. The guest runs as the same user as the programs, so
/// the kernel would let them lower its limits. Reading them (argument 2 is null) is allowed.
fn limits() -> impl Iterator<Item = Value> {
    let asking = allow("prlimit64", &[compare(0, EQUAL, GUEST), compare(2, EQUAL, 0)]);
    not_the_guest(0).map(|who| allow("prlimit64", &[who])).chain([asking])
}

/// Protects the processor time of the guest: programs may change the priority of any process but
/// the guest, and not of all processes of the user at once.
fn scheduling() -> impl Iterator<Item = Value> {
    let one = SCHEDULING
        .into_iter()
        .flat_map(|call| not_the_guest(0).map(move |who| allow(call, &[who])));
    let many = NICENESS.into_iter().flat_map(|(call, process, group)| {
        [process, group].into_iter().flat_map(move |which| {
            not_the_guest(1).map(move |who| allow(call, &[compare(0, EQUAL, which), who]))
        })
    });
    one.chain(many)
}

/// Allows the guest to watch directories of the workspace, with its own numbers only. The guest
/// takes these calls from every program that it starts.
fn watches() -> [Value; 2] {
    [
        allow("inotify_init1", &[masked(0, LOWER, u64::from(system_calls::WATCH_FLAGS))]),
        allow("inotify_add_watch", &[masked(2, LOWER, u64::from(system_calls::WATCH_EVENTS))]),
    ]
}

/// A rule that allows one call under conditions.
fn allow(call: &str, arguments: &[Value]) -> Value {
    json!({ "names": [call], "action": ALLOW, "args": arguments })
}

/// A condition on one argument; `how` is the kind of comparison.
fn compare(index: u32, how: &str, value: u64) -> Value {
    json!({ "index": index, "op": how, "value": value, "valueTwo": 0 })
}

/// A condition on some bits of one argument: under `mask` they must equal `value`.
fn masked(index: u32, mask: u64, value: u64) -> Value {
    json!({ "index": index, "op": MASKED, "value": mask, "valueTwo": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_terminals_that_are_refused_differ_in_six_bits() {
        assert!(TERMINAL.iter().all(|one| one & !0x3f == TERMINAL[0] & !0x3f));
    }
}

//! The system-call filter of containers: what no task needs is refused. Stricter than the
//! engine's own, which is an allow-list too: no keys, no tracing, no memory of other processes,
//! no sockets but those of programs that talk to each other, and nothing that touches the
//! guest's limits. The same rules as in `namespace/launcher/filter.rs`, as an engine reads them.

use crate::sandbox::system_calls;
use serde_json::{Value, json};

/// Calls that look as if the kernel did not have them, so that programs fall back: clone3
/// passes its flags in memory, where a filter cannot look; asynchronous I/O of the old kind
/// counts against one limit of the whole host. Events of files and the state of the page
/// cache tell what other containers and the host do with files of the same image. Timers and
/// queues of POSIX send signals of one's choice, SIGCONT too, which would undo a stop.
const ABSENT: [&str; 10] = [
    "cachestat",
    "clone3",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "io_setup",
    "memfd_secret",
    "mq_notify",
    "timer_create",
];

const ENOSYS: u32 = 38;
const ALLOW: &str = "SCMP_ACT_ALLOW";
const EQUAL: &str = "SCMP_CMP_EQ";
const MASKED: &str = "SCMP_CMP_MASKED_EQ";
/// The half of an argument that the kernel looks at where it takes an int.
const LOWER: u64 = 0xffff_ffff;
/// Every flag of clone that makes a namespace.
const NAMESPACES: u64 = 0x7e02_0080;
/// The guest's number inside.
const GUEST: u64 = 1;
/// TIOCSTI, TIOCLINUX and TIOCSETD.
const TERMINAL: [u64; 3] = [0x5412, 0x541c, 0x5423];
const UNIX: u64 = 1;
const INTERNET: [u64; 2] = [2, 10];
/// What fcntl does with descriptors, flags, locks, pipes and seals. Not: directory notices,
/// leases and signals of one's choice.
const CONTROLS: [u64; 26] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 36, 37, 38, 1_025, 1_027, 1_028, 1_030, 1_031, 1_032,
    1_033, 1_034, 1_035, 1_037,
];
/// Advice about a file, but that its pages be taken from the cache.
const ADVICE: [u64; 5] = [0, 1, 2, 3, 5];
/// Reads that fail unless the page is cached.
const NO_WAIT: u64 = 8;
/// Streams and datagrams; what else the type says does not matter.
const TYPES: [u64; 2] = [1, 2];
const TYPE_MASK: u64 = 0xf;
/// None, ICMP, TCP, UDP and ICMPv6: protocols that load no module into the host's kernel.
const PROTOCOLS: [u64; 5] = [0, 1, 6, 17, 58];
/// The personality every program has, and the question for it.
const PERSONALITIES: [u64; 2] = [0, 0xffff_ffff];
const SCHEDULING: [&str; 4] =
    ["sched_setparam", "sched_setscheduler", "sched_setattr", "sched_setaffinity"];

/// Each with what stands for a process and for a group of them.
const NICENESS: [(&str, u64, u64); 2] = [("setpriority", 0, 1), ("ioprio_set", 1, 2)];

/// The profile, as the engine's interface takes it.
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
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": architectures(),
        "syscalls": rules,
    });
    profile.to_string()
}

/// The native one, and on x86 its other pointers. Not the 32-bit one: there all of a socket's
/// calls are one, whose rules would let every family through. A program that makes such a call
/// is killed.
fn architectures() -> &'static [&'static str] {
    if cfg!(target_arch = "aarch64") {
        &["SCMP_ARCH_AARCH64"]
    } else {
        &["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]
    }
}

/// All but those that put words into the mouth of a terminal, or load a module for it. The
/// kernel looks at the lower half of the number alone, so rules must too; and one rule cannot
/// look at it twice: first all that differ in a bit which those have in common, then each of
/// the others.
fn ioctls() -> impl Iterator<Item = Value> {
    const APART: u64 = 0x3f;
    let elsewhere = (0..32).map(|bit| 1 << bit).filter(|bit| bit & APART == 0);
    let differs = elsewhere.map(|bit| masked(1, bit, !TERMINAL[0] & bit));
    let beside = (0..=APART).map(|low| TERMINAL[0] & !APART | low);
    let beside = beside.filter(|one| !TERMINAL.contains(one)).map(|one| masked(1, LOWER, one));
    differs.chain(beside).map(|what| allow("ioctl", &[what]))
}

/// The numbers of all processes but the guest, itself said as zero.
fn not_the_guest(argument: u32) -> impl Iterator<Item = Value> {
    let itself = masked(argument, LOWER, 0);
    let others = (1..32).map(move |bit| masked(argument, 1 << bit, 1 << bit));
    std::iter::once(itself).chain(others)
}

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

/// The guest runs under the programs' own user, so the kernel would let them lower its
/// limits; asking for them is fine.
fn limits() -> impl Iterator<Item = Value> {
    let asking = allow("prlimit64", &[compare(0, EQUAL, GUEST), compare(2, EQUAL, 0)]);
    not_the_guest(0).map(|who| allow("prlimit64", &[who])).chain([asking])
}

/// Nor may they take the processor from it, by its number or with all of the user's.
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

fn allow(call: &str, arguments: &[Value]) -> Value {
    json!({ "names": [call], "action": ALLOW, "args": arguments })
}

fn compare(index: u32, how: &str, value: u64) -> Value {
    json!({ "index": index, "op": how, "value": value, "valueTwo": 0 })
}

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

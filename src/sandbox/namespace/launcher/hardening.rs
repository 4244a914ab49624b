//! What a sandbox gives up before untrusted programs run in it: the host's user and groups, the
//! network, every capability, and most rights to write. `seccomp_filter.rs` takes away system
//! calls.

#![expect(unsafe_code, reason = "privileges are dropped by system calls std does not offer")]

use super::builder::{StepError, step};
use super::sys::check;
use crate::sandbox::namespace::protocol::LaunchPlan;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    path_beneath_rules,
};
use std::io;

/// The directories in which programs may write, as far as the sandbox has them.
const WRITABLE: [&str; 6] = ["/work", "/tmp", "/home/agent", "/sealed", "/run", "/dev/shm"];
/// Open files that a process may have at most.
const MOST_FILES: u64 = 1_024;
/// Open files that a process may have however little memory there is.
const LEAST_FILES: u64 = 64;
/// Trees whose files have permissions of their own. Landlock must only not forbid what these
/// allow.
const DEVICE_TREES: [&str; 2] = ["/dev", "/proc"];

/// Drops the host's groups, becomes the agent, and leaves the host's keyring. The agent's user
/// has no rights outside of the sandbox.
pub(super) fn become_agent(agent: u32) -> Result<(), StepError> {
    // SAFETY: integers, and a null group list of length zero. An ordinary user's launcher
    // may not drop groups; they mean nothing without their files.
    unsafe {
        libc::setgroups(0, std::ptr::null());
        step("set the group", check(libc::setresgid(agent, agent, agent).into()))?;
        step("set the user", check(libc::setresuid(agent, agent, agent).into()))?;
        // An inherited keyring of the host would be shared by all sandboxes.
        libc::syscall(libc::SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, 0);
        libc::umask(0o022);
    }
    Ok(())
}

/// Brings the loopback of the new network namespace up. There is no other interface.
pub(super) fn network_up() -> Result<(), StepError> {
    // SAFETY: `request` is a zeroed ifreq with a terminated name; the socket is closed.
    let outcome = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let outcome = check(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &request).into());
        libc::close(socket);
        outcome
    };
    step("bring loopback up", outcome.map(|_| ()))
}

/// Limits core dumps to one byte. With a limit of zero, the kernel would still start the host's
/// core-dump program. With one byte it does not, and no core file is that small. The
/// system-call filter keeps the limit. It must be called while the process still has its
/// privileges, because an inherited limit of zero has to be raised.
pub(super) fn disable_core_dumps() {
    let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    // SAFETY: the structure is valid. An ordinary user whose limit is zero keeps that.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
}

/// How many open files a process may have. Where no cgroup counts the kernel's memory for
/// sockets, the number is so low that the buffers of all sockets stay within the memory of the
/// sandbox.
fn open_files(memory_bytes: u64, memory_by_cgroup: bool) -> u64 {
    // The usual size of a socket's buffer, with what the kernel counts besides.
    const BUFFER: u64 = 256 << 10;
    match memory_by_cgroup {
        true => MOST_FILES,
        false => (memory_bytes / BUFFER).clamp(LEAST_FILES, MOST_FILES),
    }
}

/// Sets the resource limits of each process. Where no cgroup limits memory, the limit of the
/// address space does.
pub(super) fn limit(plan: &LaunchPlan, memory_by_cgroup: bool) -> Result<(), StepError> {
    let mut limits = vec![
        (libc::RLIMIT_NOFILE, open_files(plan.memory_bytes, memory_by_cgroup)),
        // Queued signals and timers, then real-time rights, which the user of a desktop may
        // have.
        (libc::RLIMIT_SIGPENDING, 4096),
        (libc::RLIMIT_RTPRIO, 0),
        (libc::RLIMIT_NICE, 0),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        // POSIX message queues: enough for one of the usual size.
        (libc::RLIMIT_MSGQUEUE, 100 << 10),
        (libc::RLIMIT_FSIZE, plan.disk_bytes),
        // The kernel counts processes for each user namespace, so this limits one sandbox and
        // nobody else.
        (libc::RLIMIT_NPROC, u64::from(plan.processes)),
    ];
    if !memory_by_cgroup {
        limits.push((libc::RLIMIT_AS, plan.memory_bytes));
    }
    for (resource, value) in limits {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: the structure is valid. A lower inherited limit may stay as it is.
        let outcome = unsafe { check(libc::setrlimit(resource, &limit).into()) };
        match outcome {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            other => {
                step("set resource limits", other)?;
            }
        }
    }
    Ok(())
}

/// Drops every capability from every set and forbids to gain new privileges, for example by
/// set-id programs.
pub(super) fn drop_privileges() -> Result<(), StepError> {
    // SAFETY: integer arguments; header and data are laid out as capset(2) wants them.
    unsafe {
        for capability in 0..64 {
            // For numbers above the kernel's last capability this fails, and there is nothing
            // to drop.
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        let header = [0x2008_0522_u32, 0];
        let none = [0_u32; 6];
        let outcome = check(libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()));
        step("drop capabilities", outcome)?;
        let no_new = check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into());
        step("forbid new privileges", no_new)?;
    }
    Ok(())
}

/// The version of Landlock that the kernel has. Zero: none.
pub(super) fn landlock_abi() -> i32 {
    // SAFETY: a null attribute with the version flag only asks.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, 1_u32)
    };
    i32::try_from(abi).unwrap_or(0).max(0)
}

/// Applies Landlock, a second protection behind the mounts: programs may read everywhere and
/// write only in [`WRITABLE`]. A kernel without version 2 gets none.
pub(super) fn landlock(abi: i32) -> Result<(), StepError> {
    if abi < 2 {
        // Version 1 forbids renames between directories, which tasks need.
        return Ok(());
    }
    step("apply landlock", apply_landlock().map_err(io::Error::other))
}

/// Restricts this process and its future children. Rights that the kernel's version does not
/// know are left out.
fn apply_landlock() -> Result<(), landlock::RulesetError> {
    let all = AccessFs::from_all(ABI::V5);
    let devices = AccessFs::from_read(ABI::V5) | AccessFs::WriteFile | AccessFs::IoctlDev;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(ABI::V5)))?
        .add_rules(path_beneath_rules(WRITABLE, all))?
        .add_rules(path_beneath_rules(DEVICE_TREES, devices))?
        .restrict_self()?;
    Ok(())
}

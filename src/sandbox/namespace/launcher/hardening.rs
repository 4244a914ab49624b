//! What a sandbox gives up before untrusted code runs in it: its host user, the network,
//! every capability, and the system calls no task needs.

#![expect(unsafe_code, reason = "privileges are dropped by system calls std does not offer")]

use super::builder::{Failed, step};
use super::sys::check;
use crate::sandbox::namespace::protocol::Plan;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    path_beneath_rules,
};
use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use std::io;

const WRITABLE: [&str; 6] = ["/work", "/tmp", "/home/agent", "/sealed", "/run", "/dev/shm"];
/// Files there are guarded by their own permissions; a rule must only not stand in the way.
const DEVICE_TREES: [&str; 2] = ["/dev", "/proc"];

/// Drops the host's groups and becomes the agent, which is no one outside.
pub(super) fn become_agent(agent: u32) -> Result<(), Failed> {
    // SAFETY: integers, and a null group list of length zero. An ordinary user's launcher
    // may not drop groups; they mean nothing without their files.
    unsafe {
        libc::setgroups(0, std::ptr::null());
        step("set the group", check(libc::setresgid(agent, agent, agent).into()))?;
        step("set the user", check(libc::setresuid(agent, agent, agent).into()))?;
        // A keyring inherited from the host would cross from one sandbox to the next.
        libc::syscall(libc::SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, 0);
        libc::umask(0o022);
    }
    Ok(())
}

/// Brings the loopback of the empty network namespace up.
pub(super) fn network_up() -> Result<(), Failed> {
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

/// Resource limits per process; where no cgroup bounds memory, the address space does.
pub(super) fn limit(plan: &Plan, memory_by_cgroup: bool) -> Result<(), Failed> {
    let mut limits = vec![
        (libc::RLIMIT_NOFILE, 1024),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        (libc::RLIMIT_MSGQUEUE, 64 << 10),
        (libc::RLIMIT_FSIZE, plan.disk_bytes),
        // Counted per user namespace, so this bounds the sandbox and nobody else.
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

/// No capability is left, in no set, and none can come back.
pub(super) fn drop_privileges() -> Result<(), Failed> {
    // SAFETY: integer arguments; header and data are laid out as capset(2) wants them.
    unsafe {
        for capability in 0..64 {
            // Beyond the kernel's last capability this fails, and there is nothing to drop.
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

/// The kernel's Landlock version; zero or less where there is none.
pub(super) fn landlock_abi() -> i32 {
    // SAFETY: a null attribute with the version flag only asks.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, 1_u32)
    };
    i32::try_from(abi).unwrap_or(0).max(0)
}

/// A second wall behind the mounts: reading everywhere, writing only in the work areas.
pub(super) fn landlock(abi: i32) -> Result<(), Failed> {
    if abi < 2 {
        // Version 1 forbids renames between directories, which tasks need.
        return Ok(());
    }
    step("apply landlock", apply_landlock().map_err(io::Error::other))
}

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

/// The system-call filter, compiled once.
///
/// Written out by hand because it must do what ready-made builders do not: answer calls of
/// a foreign architecture and of the x32 table with ENOSYS instead of killing, so that a
/// probing program sees a host without them and goes on.
pub(super) struct Filter(Vec<libc::sock_filter>);

const NR: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT_0: u32 = 16;
const ARGUMENT_1: u32 = 24;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// Calls that need no argument to be refused.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | 0x80/* CLONE_NEWTIME */) as u32;

pub(super) fn filter() -> Filter {
    let mut code = vec![load(ARCH), jump(BPF_JEQ, NATIVE, 1, 0), refuse(libc::ENOSYS), load(NR)];
    if cfg!(target_arch = "x86_64") {
        code.extend([jump(BPF_JGE, 0x4000_0000, 0, 1), refuse(libc::ENOSYS)]);
    }
    for call in REFUSED {
        code.extend([jump(BPF_JEQ, number(*call), 0, 1), refuse(libc::EPERM)]);
    }
    // clone3 passes its flags in memory, where a filter cannot look: programs fall back.
    code.extend([jump(BPF_JEQ, number(libc::SYS_clone3), 0, 1), refuse(libc::ENOSYS)]);
    code.extend(when(
        libc::SYS_clone,
        ARGUMENT_0,
        &[
            statement(BPF_ALU | BPF_AND | BPF_K, NEW_NAMESPACES),
            jump(BPF_JEQ, 0, 1, 0),
            refuse(libc::EPERM),
        ],
    ));
    code.extend(when(
        libc::SYS_ioctl,
        ARGUMENT_1,
        &[
            jump(BPF_JEQ, libc::TIOCSTI as u32, 1, 0),
            jump(BPF_JEQ, libc::TIOCLINUX as u32, 0, 1),
            refuse(libc::EPERM),
        ],
    ));
    code.extend(when(
        libc::SYS_personality,
        ARGUMENT_0,
        &[jump(BPF_JEQ, 0, 2, 0), jump(BPF_JEQ, u32::MAX, 1, 0), refuse(libc::EPERM)],
    ));
    code.extend(when(
        libc::SYS_socket,
        ARGUMENT_0,
        &[
            jump(BPF_JEQ, libc::AF_UNIX as u32, 3, 0),
            jump(BPF_JEQ, libc::AF_INET as u32, 2, 0),
            jump(BPF_JEQ, libc::AF_INET6 as u32, 1, 0),
            refuse(libc::EAFNOSUPPORT),
        ],
    ));
    code.push(statement(BPF_RET | BPF_K, ALLOW));
    Filter(code)
}

/// A block that looks at one argument of one call and then allows what it did not refuse.
fn when(call: i64, argument: u32, block: &[libc::sock_filter]) -> Vec<libc::sock_filter> {
    let skip = u8::try_from(block.len() + 2).unwrap_or(u8::MAX);
    let mut code = vec![jump(BPF_JEQ, number(call), 0, skip), load(argument)];
    code.extend_from_slice(block);
    code.push(statement(BPF_RET | BPF_K, ALLOW));
    code
}

fn number(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

fn load(offset: u32) -> libc::sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn refuse(errno: i32) -> libc::sock_filter {
    statement(BPF_RET | BPF_K, ERRNO | errno as u32)
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt, jf, k }
}

impl Filter {
    pub(super) fn install(&self) -> Result<(), Failed> {
        let length = libc::c_ushort::try_from(self.0.len()).unwrap_or(0);
        let program = libc::sock_fprog { len: length, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: the program points to `len` instructions that outlive the call.
        let outcome = unsafe {
            libc::syscall(libc::SYS_seccomp, 1 /* SET_MODE_FILTER */, 0, &program)
        };
        step("install the system-call filter", check(outcome)).map(|_| ())
    }
}

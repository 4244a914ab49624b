//! The allow-list of system calls: the calls that programs in a sandbox may make with any
//! arguments.
//!
//! The seccomp filters of both backends are built from this one list
//! (`namespace/launcher/seccomp_filter.rs`, `docker/seccomp.rs`). A call that is not on the list
//! is refused, so a call that a newer kernel adds is refused until somebody adds it here. Calls
//! whose arguments matter (`clone`, `socket`, `ioctl`, ...) are not on the list: each filter has
//! rules of its own for them.

/// The name of a call, and the number that this machine's kernel gives it, such as `("read", 0)`.
pub(super) type SystemCall = (&'static str, i64);

/// Takes names of constants of the `libc` crate and gives pairs of name and number. The names
/// still have the prefix `SYS_`; [`allowed`] strips it.
macro_rules! calls {
    ($($call:ident)*) => { &[$((stringify!($call), libc::$call)),*] };
}

/// Calls that every supported machine has.
const EVERYWHERE: &[SystemCall] = calls!(
    SYS_accept SYS_accept4 SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir SYS_clock_getres
    SYS_clock_gettime SYS_clock_nanosleep SYS_close SYS_close_range SYS_connect
    SYS_copy_file_range SYS_dup SYS_dup3 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait
    SYS_epoll_pwait2 SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat
    SYS_faccessat2 SYS_fallocate SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat
    SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr SYS_fsetxattr
    SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_get_robust_list
    SYS_getcpu SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups
    SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority
    SYS_getrandom SYS_getresgid SYS_getresuid SYS_getrusage SYS_getsid SYS_getsockname
    SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr SYS_ioprio_get SYS_kill
    SYS_landlock_add_rule SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lgetxattr
    SYS_linkat SYS_listen SYS_listxattr SYS_llistxattr SYS_lremovexattr SYS_lseek SYS_lsetxattr
    SYS_madvise SYS_membarrier SYS_memfd_create SYS_mincore SYS_mkdirat SYS_mknodat SYS_mlock
    SYS_mlock2 SYS_mlockall SYS_mmap SYS_mprotect SYS_mq_getsetattr SYS_mq_open
    SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_mseal SYS_msgctl
    SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
    SYS_nanosleep SYS_newfstatat SYS_openat SYS_openat2 SYS_pidfd_open SYS_pidfd_send_signal
    SYS_pipe2 SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64
    SYS_preadv SYS_pselect6 SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead
    SYS_readlinkat SYS_readv SYS_recvfrom SYS_recvmmsg SYS_recvmsg SYS_removexattr SYS_renameat2
    SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask
    SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait
    SYS_rt_tgsigqueueinfo SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam SYS_sched_getscheduler
    SYS_sched_rr_get_interval SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget SYS_semop
    SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_robust_list
    SYS_set_tid_address SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer
    SYS_setpgid SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setsid SYS_setsockopt
    SYS_setuid SYS_setxattr SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown
    SYS_sigaltstack SYS_signalfd4 SYS_splice SYS_statfs SYS_statx SYS_symlinkat SYS_sync
    SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill SYS_timer_delete SYS_timer_getoverrun
    SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime
    SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat
    SYS_utimensat SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev
);

/// Calls that only x86-64 has. They are old forms (`open`, `fork`, `stat`) that newer machines do
/// not offer.
#[cfg(target_arch = "x86_64")]
const OF_THIS_MACHINE: &[SystemCall] = calls!(
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create
    SYS_epoll_wait SYS_eventfd SYS_fork SYS_futimesat SYS_get_thread_area SYS_getdents
    SYS_getpgrp SYS_getrlimit SYS_lchown SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_open
    SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_renameat SYS_rmdir SYS_select
    SYS_set_thread_area SYS_setrlimit SYS_signalfd SYS_stat SYS_symlink SYS_sync_file_range
    SYS_time SYS_unlink SYS_utime SYS_utimes SYS_vfork
);
/// Calls of 64-bit ARM for which the `libc` crate has no number.
#[cfg(target_arch = "aarch64")]
const OF_THIS_MACHINE: &[SystemCall] =
    &[("renameat", 38), ("sync_file_range", 84), ("getrlimit", 163), ("setrlimit", 164)];

/// Calls for which the `libc` crate has no number. The number is the same on each machine.
const NEWER: &[SystemCall] =
    &[("fchmodat2", 452), ("futex_wake", 454), ("futex_wait", 455), ("futex_requeue", 456)];

/// The highest number of a call that was reviewed for this list. The namespace filter answers a
/// call with a higher number as if the kernel did not have it (ENOSYS), so that a program falls
/// back to an older call.
pub(super) const LAST_KNOWN: i64 = 462;

/// The only flags with which `inotify_init1` is allowed, and the only events for which
/// `inotify_add_watch` is. These are the guest's: it watches the workspace, and takes both calls from
/// every program before it executes it (`guest/program/spawn.rs`).
pub(super) const WATCH_FLAGS: u32 = (libc::IN_CLOEXEC | libc::IN_NONBLOCK).cast_unsigned();
/// See [`WATCH_FLAGS`].
pub(super) const WATCH_EVENTS: u32 = libc::IN_ACCESS
    | libc::IN_MODIFY
    | libc::IN_ATTRIB
    | libc::IN_OPEN
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_ONLYDIR
    | libc::IN_DONT_FOLLOW;

/// All calls of the list on this machine, with names as seccomp knows them (`read`, not
/// `SYS_read`).
pub(super) fn allowed() -> impl Iterator<Item = SystemCall> {
    let all = EVERYWHERE.iter().chain(OF_THIS_MACHINE).chain(NEWER);
    all.map(|(name, number)| (name.strip_prefix("SYS_").unwrap_or(name), *number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_call_is_listed_once_and_was_looked_at() {
        let by_name: BTreeMap<&str, i64> = allowed().collect();
        assert_eq!(by_name.len(), allowed().count());
        assert!(by_name.len() > 250 && by_name.values().all(|number| *number <= LAST_KNOWN));
    }

    #[test]
    fn what_attacks_the_kernel_is_on_no_list() {
        let allowed: Vec<&str> = allowed().map(|(name, _)| name).collect();
        for call in [
            "bpf",
            "mount",
            "umount2",
            "unshare",
            "setns",
            "ptrace",
            "keyctl",
            "add_key",
            "request_key",
            "io_uring_setup",
            "perf_event_open",
            "userfaultfd",
            "kexec_load",
            "init_module",
            "open_by_handle_at",
            "process_vm_readv",
            "pidfd_getfd",
            "reboot",
            "swapon",
            "syslog",
            "acct",
            "quotactl",
            "pivot_root",
            "chroot",
            "clone",
            "clone3",
            "socket",
            "prlimit64",
            "personality",
            "ioctl",
            "setpriority",
            "inotify_init1",
            "inotify_add_watch",
            "timer_create",
            "fcntl",
        ] {
            assert!(!allowed.contains(&call), "{call}");
        }
    }
}

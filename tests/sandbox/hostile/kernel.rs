//! Programs 15 and 19: what the kernel shows, and calls that only attack it.

use super::Trial;
use crate::sandbox::lab::contained;
use nix::sys::resource::Resource;
use std::time::Duration;

/// A container's own limits, where the kernel shows them.
const LIFT: &str = "echo 1000000000000 > /sys/fs/cgroup/memory/memory.limit_in_bytes || \
                    echo max > /sys/fs/cgroup/memory.max";

const OWN_SCORE: &str = "/proc/self/oom_score_adj";

/// Whether this process holds CAP_SYS_RESOURCE, which in many a container even root lacks.
fn can_raise() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(held.trim(), 16).unwrap() & SYS_RESOURCE != 0
}

/// Whether a core limit of zero cannot be raised to the one byte that feeds no helper.
fn zero_for_good() -> bool {
    let (_, hard) = nix::sys::resource::getrlimit(Resource::RLIMIT_CORE).unwrap();
    hard == 0 && !can_raise()
}

#[tokio::test]
async fn program_15_what_the_kernel_shows() {
    let mut trial = Trial::new().await;
    let masked = "cd /proc; for f in kcore keys key-users kallsyms kmsg cmdline timer_list sched_debug modules \
        interrupts sysrq-trigger; do [ -e $f ] && [ -n \"$(head -c 1 $f 2>/dev/null | tr '\\0' x)\" ] && echo $f; done; \
        ls acpi asound scsi 2>/dev/null | grep -v : | grep .; echo end";
    assert_eq!(trial.ok(masked).await, "end\n");
    for (command, why) in [
        ("echo x > /proc/sys/kernel/core_pattern", "write"),
        ("echo 1 > /proc/sys/vm/drop_caches", "write"),
        ("echo x > /proc/sys/kernel/hostname", "write"),
        ("mknod m c 1 1", "make"),
        ("mknod b b 254 0", "make"),
        ("dmesg | grep .", "read"),
        ("cat /dev/mem", "read"),
        ("cat /dev/kmsg", "read"),
        // A container sees its own, to be read.
        (if contained() { LIFT } else { "ls /sys/fs/cgroup | grep ." }, "lift"),
        // A container shows some of it, to be read.
        (if contained() { "echo x > /sys/kernel/uevent_helper" } else { "ls /sys/kernel" }, "see"),
        ("ls /dev/vda /dev/sda /dev/fuse /dev/kvm /dev/net", "see"),
    ] {
        let report = trial.run(command, Duration::from_secs(20)).await;
        assert_ne!(report.end.exit_code(), 0, "{why}: {command}: {report:?}");
    }
    let devices = "ls -A /dev | tr '\\n' ' '";
    let more = if contained() { ("mqueue ", "tty ") } else { ("", "") };
    let usual = format!(
        "fd full {}null ptmx pts random shm stderr stdin stdout {}urandom zero ",
        more.0, more.1
    );
    assert_eq!(trial.ok(devices).await, usual);
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_15_own_limits_cannot_be_raised() {
    let mut trial = Trial::new().await;
    let limits = trial.ok("cat /proc/self/limits").await;
    for (name, value) in [
        ("Max core file size", 1),
        ("Max open files", 1_024),
        ("Max pending signals", 4_096),
        ("Max realtime priority", 0),
        ("Max nice priority", 0),
        // A container's processes are bounded by its cgroup alone.
        ("Max processes", if contained() { u64::MAX } else { 64 }),
        ("Max file size", 16 << 20),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line[name.len()..].split_whitespace();
        let most: u64 = words.next().and(words.next()).unwrap().parse().unwrap();
        assert!(most <= value, "{line}");
    }
    for raise in [
        "ulimit -Hn 2000",
        "ulimit -f unlimited",
        "ulimit -Ht unlimited",
        "ulimit -l 1000000",
        "[ $(nice -n -5 nice 2>/dev/null) -lt $(nice) ]",
    ] {
        let command = format!("({raise}) && echo raised; true");
        let text = trial.ok(&command).await;
        assert!(!text.contains("raised"), "{raise}");
    }
    // No program turns the host's core-dump helper on by lowering its limit to zero; in a
    // container docs/SECURITY.md says that one may, and where the host's limit is zero
    // for good.
    let kept = trial.ok("ulimit -c 0; grep core /proc/self/limits").await;
    assert!(contained() || zero_for_good() || kept.contains(" 1 "), "{kept}");
    // A guest lends a command its standing and takes it back once the command runs: surely when
    // it has read of it more than a pipe holds.
    let score = trial.ok("cat /proc/self/oom_score_adj; echo 0 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj; head -c 4000000 /dev/zero >&2; cat /proc/1/oom_score_adj").await;
    let scores: Vec<i32> = score.split_whitespace().map(|s| s.parse().unwrap()).collect();
    // Where the host's programs go earlier than that, only CAP_SYS_RESOURCE could spare a guest.
    let own: i32 = std::fs::read_to_string(OWN_SCORE).unwrap().trim().parse().unwrap();
    let bound = !contained() && !can_raise() && own > 500 && scores[2] == own;
    let guest = if bound { own } else { 500 };
    assert_eq!((scores[0], scores[2]), (1_000, guest), "commands go first, then the guest");
    // A container engine without CAP_SYS_RESOURCE cannot keep them from it.
    if trial.lab.facts.root && !contained() {
        assert_eq!(scores[1], 1_000, "and cannot push themselves back");
    }
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_19_calls_that_attack_the_kernel() {
    let mut trial = Trial::new().await;
    let refused = [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_add_key,
        libc::SYS_keyctl,
        libc::SYS_request_key,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_adjtimex,
        libc::SYS_fanotify_init,
        libc::SYS_kcmp,
        libc::SYS_vhangup,
        libc::SYS_pidfd_getfd,
        // On no list of attacks: what is not allowed is refused.
        libc::SYS_move_pages,
        libc::SYS_remap_file_pages,
    ];
    let absent = [
        libc::SYS_clone3,
        libc::SYS_inotify_init1,
        libc::SYS_io_setup,
        libc::SYS_memfd_secret,
        libc::SYS_mq_notify,
        libc::SYS_timer_create,
        451, // cachestat
    ];
    let program = format!(
        "print({{call(n, 0, 0, 0, 0, 0) for n in range(463, 480)}} <= {{'EPERM', 'ENOSYS'}})\n\
         print({{call(n, 0, 0, 0, 0, 0) for n in {refused:?}}}, {{call(n, 0, 0, 0) for n in {absent:?}}})\n\
         print(call({personality}, 0x0040000), call({personality}, 0xffffffff))\n\
         print(call({ioctl}, 0, 0x5412, b'x'), call({ioctl}, 0, 0x541C, b'x'), call({ioctl}, 0, 0x5423, b'x'), call({ioctl}, 0, 0x100005412, b'x'))",
        personality = libc::SYS_personality,
        ioctl = libc::SYS_ioctl
    );
    if let Some(text) = trial.python_ok("calls that attack the kernel", &program).await {
        // Calls newer than the list: some engines have a name for them and some have not.
        assert_eq!(text, "True\n{'EPERM'} {'ENOSYS'}\nEPERM ok\nEPERM EPERM EPERM EPERM\n");
    }
    if cfg!(target_arch = "x86_64") {
        // The same number means getpid in the 32-bit table; x32 numbers carry a bit.
        let foreign = "import mmap\ncode = mmap.mmap(-1, 4096, prot=7)\ncode.write(bytes.fromhex('b814000000cd80c3'))\n\
            at = ctypes.addressof(ctypes.c_char.from_buffer(code))\nprint(name(-ctypes.CFUNCTYPE(ctypes.c_int)(at)()), call(0x40000000 + 39), call(39))";
        if let Some(report) = trial.python("calls of foreign tables", foreign).await {
            // A container's filter knows no other answer to a foreign table than the end.
            let killed = report.end.exit_code() == 128 + libc::SIGSYS;
            let told = report.stdout.text() == "ENOSYS ENOSYS ok\n";
            assert!(if contained() { killed } else { told }, "{report:?}");
        }
    }
    trial.alone().await;
    trial.end().await;
}

/// The guest runs under the same user as the programs: its limits and its share of the
/// processor are not theirs to change. Their own are.
#[tokio::test]
async fn program_15_the_guests_limits_cannot_be_lowered() {
    let mut trial = Trial::new().await;
    let program = r#"
import resource
print(says(resource.prlimit, 1, resource.RLIMIT_NOFILE, (4, 4)))
print(says(resource.prlimit, 1, resource.RLIMIT_FSIZE, (1, 1)))
print(says(os.setpriority, os.PRIO_PROCESS, 1, 19))
print(says(os.setpriority, os.PRIO_USER, os.getuid(), 19))
print(says(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0)))
print(says(os.sched_setaffinity, 1, [0]))
print(says(resource.prlimit, 0, resource.RLIMIT_NOFILE, (64, 64)))
print(says(resource.prlimit, os.getpid(), resource.RLIMIT_NOFILE, (32, 32)))
# From wherever the caller stands: only the privileged go back.
print(says(os.setpriority, os.PRIO_PROCESS, 0, min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)))
print(says(os.sched_setscheduler, 0, os.SCHED_BATCH, os.sched_param(0)))
"#;
    if let Some(told) = trial.python_ok("the guest's limits", program).await {
        assert_eq!(told, format!("{}{}", "EPERM\n".repeat(6), "ok\n".repeat(4)));
    }
    trial.alone().await;
    trial.end().await;
}

/// What a program may do to itself depends on nothing that its caller was given.
#[test]
fn the_guests_limits_are_as_fast_under_a_nice_caller() {
    let test = "sandbox::hostile::kernel::program_15_the_guests_limits_cannot_be_lowered";
    let mut command = std::process::Command::new("nice");
    command.args(["-n", "10"]).arg(std::env::current_exe().unwrap()).args(["--exact", test]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

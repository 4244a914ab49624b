//! Programs 9 to 14: at the guest's channel, out of the tree, out of the namespaces, up.

use super::{Trial, pids_of, small};
use crate::sandbox::lab::{contained, ok, sleepers, works};
use std::fs;
use std::time::Duration;
use synthd_actors::model::{
    FaultKind, FileSegment, SandboxLimits, TreeEntry, TreeEntryKind, WorkspaceCopy,
};

#[tokio::test]
async fn program_09_the_guests_own_channel() {
    let mut trial = Trial::new().await;
    assert_eq!(trial.ok("ls /proc/$$/fd").await, "0\n1\n2\n9\n");
    let long = format!("ls /proc/$$/fd; : {}", "x".repeat(200_000));
    assert_eq!(trial.ok(&long).await, "0\n1\n2\n8\n9\n");
    let report = trial.run("exec 0<&- 1<&- 2<&-; echo gone; exit 4", Duration::from_secs(9)).await;
    assert_eq!(report.end.exit_code(), 4);
    let about = "cd /proc/1; for f in environ mem maps stack syscall auxv io exe cwd root fd fdinfo; do \
                 { cat $f || ls $f/; } > /dev/null 2>&1 && echo $f; done; echo end";
    assert_eq!(trial.ok(about).await, "end\n", "all of /proc/1 that tells anything is closed");
    trial.ok("for s in $(seq 1 64); do kill -$s 1; done; kill -9 -1; :").await;
    trial.next().await;
    let writes = format!(
        "print({{says(os.write, fd, b'x') for fd in range(3, 1024) if fd != 9}})\n\
        print(call({}, 16, 1, 0, 0), call({}, 1, 0, 0, 0, 0, 0), call({}, 1, 0))",
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_pidfd_getfd
    );
    if let Some(text) = trial.python_ok("the guest's channel", &writes).await {
        assert_eq!(text, "{'EBADF'}\nEPERM EPERM EPERM\n");
    }
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_10_traps_at_an_output_path() {
    let mut trial = Trial::new().await;
    let traps = "ln -s /etc/passwd a; ln -s ../../../etc/shadow b; mkfifo c; echo kept > d; ln d e; \
        mknod f c 1 3 2>/dev/null; mkdir g; ln -s .. g/up; ln -s /proc/1/root h; ln -s . i; \
        (while :; do mv g g2; ln -s /etc g; rm g; mv g2 g; done) > /dev/null 2>&1 & :";
    trial.ok(traps).await;
    trial
        .python_ok("a socket at an output path", "socket.socket(socket.AF_UNIX).bind('/work/s')")
        .await;
    let copy = trial.sandbox.pack(true).await.unwrap();
    for TreeEntry { path, kind } in &copy.entries {
        match kind {
            TreeEntryKind::File { content, .. } => {
                assert_eq!(*content, [FileSegment::Bytes(b"kept\n".to_vec())], "{path}")
            }
            TreeEntryKind::Directory { .. } => assert!(path.starts_with('g'), "{path}"),
            TreeEntryKind::Symlink { .. } => {}
        }
    }
    assert!(copy.skipped >= 1);
    let mut fresh = trial.lab.sandbox().await;
    fresh.unpack(&copy).await.unwrap();
    assert_eq!(
        ok(&mut *fresh, "cat d e; readlink a; stat -c %h d").await,
        "kept\nkept\n/etc/passwd\n1\n"
    );
    trial.alone().await;
    trial.end().await;
}

fn entry(path: &str, kind: TreeEntryKind) -> TreeEntry {
    TreeEntry { path: path.to_owned(), kind }
}

#[tokio::test]
async fn program_11_a_hostile_archive() {
    let mut trial = Trial::new().await;
    let link = |target: &str| TreeEntryKind::Symlink { target: target.to_owned() };
    let file = |size| TreeEntryKind::File {
        mode: 0o777,
        content: vec![FileSegment::Bytes(vec![b'x'; size])],
    };
    let directory = TreeEntryKind::Directory { mode: 0 };
    let many = |count: u32| (0..count).map(|n| entry(&format!("f{n}"), file(0))).collect();
    let hostile: [Vec<TreeEntry>; 7] = [
        vec![entry("a/../../x", file(1))],
        vec![entry("/tmp/x", file(1))],
        vec![entry("l1", link("/tmp")), entry("l1/x", file(1))],
        vec![entry("l2", link("/tmp")), entry("l2", directory.clone())],
        vec![entry("l3/x", file(1)), entry("l3/x/y", file(1))],
        vec![entry("big", file(20 << 20))],
        many(3_000),
    ];
    for entries in hostile {
        let first = entries[0].path.clone();
        let fault = trial
            .sandbox
            .unpack(&WorkspaceCopy { entries, ..WorkspaceCopy::default() })
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxCopy, "{first}: {fault}");
        assert_eq!(trial.ok("stat -c %a /tmp; ls /tmp; rm -rf /work/*").await, "1777\n");
    }
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_12_mounts_and_namespaces() {
    let mut trial = Trial::new().await;
    for command in [
        "mount -t tmpfs x /tmp",
        "mount -o remount,rw /",
        "mount -o remount,rw /usr",
        "umount /proc",
        "mount -t overlay x -o lowerdir=/usr,upperdir=/tmp,workdir=/tmp /work",
        "mount --bind /tmp /etc",
        "unshare -Ur true",
        "unshare -m true",
        "unshare -n true",
        "unshare -p -f true",
        "nsenter -t 1 -m true",
        "nsenter -t 1 -n true",
        "chroot /tmp /bin/sh",
        "pivot_root /tmp /tmp",
        "hostname x",
        "losetup -f",
        "swapon /work/x",
    ] {
        let report = trial.run(command, Duration::from_secs(20)).await;
        assert_ne!(report.end.exit_code(), 0, "{command}: {report:?}");
    }
    let numbers = [
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_setns,
        libc::SYS_unshare,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_fsopen,
        libc::SYS_fsmount,
        libc::SYS_fsconfig,
        libc::SYS_fspick,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_mount_setattr,
    ];
    let all = format!(
        "print({{call(n, 0, 0, 0, 0, 0) for n in {numbers:?}}}, call({}, 0x10000000 | 17, 0, 0, 0, 0))",
        libc::SYS_clone
    );
    if let Some(text) = trial.python_ok("mounting by system call", &all).await {
        assert_eq!(text, "{'EPERM'} EPERM\n");
    }
    let escape = "os.makedirs('/work/jail'); print(says(os.chroot, '/work/jail'), os.listdir('/work/../..') == os.listdir('/'))";
    if let Some(text) = trial.python_ok("a chroot escape", escape).await {
        assert_eq!(text, "EPERM True\n");
    }
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_13_gaining_privilege() {
    let mut trial = Trial::new().await;
    for (set, value) in [
        ("CapInh", 0),
        ("CapPrm", 0),
        ("CapEff", 0),
        ("CapBnd", 0),
        ("CapAmb", 0),
        ("NoNewPrivs", 1),
        ("Seccomp", 2),
    ] {
        let text = trial.ok(&format!("sed -n 's/^{set}:\\t*0*//p' /proc/self/status")).await;
        assert_eq!(
            text.trim(),
            if value == 0 { String::new() } else { value.to_string() },
            "{set}"
        );
    }
    let own = nix::unistd::getuid().as_raw();
    assert_eq!(trial.ok("id -u; id -g").await, "1000\n1000\n");
    let copies = "cp /usr/bin/id i && chmod 6755 i && ./i -u && cp /bin/sh s && chmod u+s s && ./s -pc 'id -u'";
    assert_eq!(trial.ok(copies).await, "1000\n1000\n");
    for command in [
        "su -c id",
        "su root -c id < /dev/null",
        "sudo -n id",
        "newgrp root",
        "setcap cap_net_raw+ep i",
        "chown 0 i",
        "chgrp 0 i",
        "echo '0 1000 1' > /proc/self/uid_map",
        "echo '0 1000 1' > /proc/self/gid_map",
        "chroot / id",
        "setpriv --reuid 0 id",
        "mount",
    ]
    .into_iter()
    .filter(|c| *c != "mount")
    {
        let report = trial.run(command, Duration::from_secs(20)).await;
        assert_ne!(report.end.exit_code(), 0, "{command}: {report:?}");
    }
    // Whoever it is inside, outside it is nobody with any right.
    let (report, uids) =
        tokio::join!(trial_sleep(&mut trial.sandbox, &trial.marker), host_uids(&trial.marker));
    assert!(
        // A container's user is the engine's to map elsewhere; doctor says whether it does.
        report
            && (contained() || uids.iter().all(|uid| *uid == own || (own == 0 && *uid > 65_000))),
        "{uids:?}"
    );
    assert!(!uids.contains(&0));
    trial.end().await;
}

async fn trial_sleep(sandbox: &mut Box<dyn synthd_actors::ports::Sandbox>, marker: &str) -> bool {
    let wait = format!(": {marker}; while [ ! -e go ]; do sleep 0.01; done");
    let request = crate::sandbox::lab::request(&wait, Duration::from_secs(2));
    sandbox.exec(&request).await.is_ok()
}

/// The real users of marked processes, as soon as there are any.
async fn host_uids(marker: &str) -> Vec<u32> {
    loop {
        let uid = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status
                .lines()
                .find_map(|l| l.strip_prefix("Uid:"))?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        };
        let uids: Vec<u32> = pids_of(marker).into_iter().filter_map(uid).collect();
        if !uids.is_empty() {
            return uids;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn program_14_other_processes() {
    let mut trial = Trial::with(SandboxLimits { processes: 64, ..small() }).await;
    let mut other = trial.lab.sandbox().await;
    ok(&mut *other, "sleep 4242 & :").await;
    trial.ok("sleep 4243 & :").await;
    sleepers(&mut *trial.sandbox, 1).await;
    sleepers(&mut *other, 1).await;
    let seen = "grep -hao '^sleep.*' /proc/[0-9]*/cmdline | tr '\\0' ' '";
    assert_eq!(trial.ok(seen).await, "sleep 4243 \n");
    let peek = format!(
        "import subprocess\nchild = subprocess.Popen(['sleep', '100'])\nprint(call({}, 16, child.pid, 0, 0), \
        call({}, child.pid, 0, 0, 0, 0, 0), call({}, child.pid, 0, 0, 0, 0, 0), says(open, '/proc/1/mem', 'rb'), call({}, os.getpid(), child.pid, 0, 0, 0))\nchild.kill()",
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kcmp
    );
    if let Some(text) = trial.python_ok("looking into other processes", &peek).await {
        assert_eq!(text, "EPERM EPERM EPERM EACCES EPERM\n");
    }
    works(&mut *other).await;
    trial.next().await;
    trial.end().await;
}

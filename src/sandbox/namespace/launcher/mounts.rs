//! Builds the file system of a sandbox in its own mount namespace: the host's programs
//! read-only, two tmpfs areas with limits, a private `/dev` and `/proc`, and nothing else.
//!
//! ```text
//! /            tmpfs "scratch", read-only      /work    tmpfs "work", the workspace
//! /tmp /home/agent /run /dev/shm               writable windows into scratch; a judge's sandbox
//!                                              also has /sealed
//! /usr /bin /lib…                              the host's, read-only, nosuid, nodev
//! /proc        fresh; what tells of the host is masked
//! ```
//!
//! The new root is built at `/tmp` with relative paths, then the process changes its root to it
//! (`pivot_root`), detaches the old root, and makes the new one read-only. A "window" is a
//! directory of the scratch tmpfs that is mounted onto itself and so stays writable.

#![expect(unsafe_code, reason = "mounting needs system calls std does not offer")]

use super::builder::{StepError, step};
use super::sys::check;
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

/// Directories of the host with programs and libraries.
const PROGRAM_DIRS: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Where an installed synthd may be, besides the place of the running one.
const BIN_DIRS: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin"];
/// What programs need of the host's `/etc` to start at all.
const ETC: [&str; 3] = ["ld.so.cache", "alternatives", "ld.so.conf"];
/// The device files that a sandbox gets from the host.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// The writable directories besides the workspace.
const WINDOWS: [&str; 4] = ["tmp", "home/agent", "run", "dev/shm"];
/// The writable directory for sealed files, in a judge's sandbox.
const SEALED_WINDOW: &str = "sealed";
/// Files of `/proc` that tell of the host or of other users' keys, or that act on the host.
/// `/dev/null` is shown in their place.
const MASKED: [&str; 13] = [
    // The kernel's command line may hold keys.
    "cmdline",
    "keys",
    "key-users",
    "kallsyms",
    "kcore",
    "sysrq-trigger",
    "timer_list",
    "sched_debug",
    "latency_stats",
    "interrupts",
    "softirqs",
    "modules",
    "kmsg",
];
/// Directories of `/proc` that are masked. The directory [`EMPTY`] is shown in their place.
const MASKED_DIRS: [&str; 3] = ["acpi", "asound", "scsi"];
/// An empty directory of the new root.
const EMPTY: &str = "mnt";
/// The options of the private devpts. A sandbox may have 64 pseudo-terminals, because all
/// sandboxes and the host share a few thousand.
const PTYS: &str = "newinstance,ptmxmode=0666,mode=0620,max=64";
/// Directories of `/proc` that stay visible and become read-only.
const READ_ONLY_PROC: [&str; 4] = ["sys", "bus", "irq", "fs"];

// Attributes of a mount, as `mount_setattr` numbers them.
const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// What a root has of [`PROGRAM_DIRS`]. On hosts with a merged `/usr`, some of them are links.
pub(super) struct ProgramLayout {
    directories: Vec<&'static str>,
    /// Links as (name, target), for example (`bin`, `usr/bin`).
    links: Vec<(&'static str, String)>,
    /// Files below the directories that are hidden from sandboxes, without the first slash.
    hidden: Vec<String>,
}

impl ProgramLayout {
    /// The layout of the host. The synthd executable itself is hidden, because it contains the
    /// solution of every template.
    pub(super) fn of_host() -> Self {
        let layout = Self::below(Path::new("/"));
        let own = fs::read_link("/proc/self/exe").into_iter();
        let usual = BIN_DIRS.iter().map(|directory| Path::new(directory).join("synthd"));
        let real = own.chain(usual).filter_map(|path| fs::canonicalize(path).ok());
        let real = real.filter_map(|path| Some(path.to_str()?.trim_start_matches('/').to_owned()));
        let shown =
            |path: &String| layout.directories.iter().any(|d| Path::new(path).starts_with(d));
        let hidden: BTreeSet<String> = real.filter(shown).collect();
        Self { hidden: hidden.into_iter().collect(), ..layout }
    }

    /// The hidden files as absolute paths of the host.
    pub(super) fn hidden(&self) -> Vec<String> {
        self.hidden.iter().map(|path| format!("/{path}")).collect()
    }

    /// The layout of a directory that serves as the root, with nothing hidden.
    fn below(root: &Path) -> Self {
        let mut layout = Self { directories: Vec::new(), links: Vec::new(), hidden: Vec::new() };
        for name in PROGRAM_DIRS {
            let path = root.join(name);
            if let Ok(target) = fs::read_link(&path) {
                layout.links.push((name, target.to_string_lossy().into_owned()));
            } else if path.is_dir() {
                layout.directories.push(name);
            }
        }
        layout
    }
}

/// Builds the file system and makes it the root of this process. It must run as the user of the
/// sandbox, in new user and mount namespaces. An error names the step that failed.
pub(super) fn build(layout: &ProgramLayout, plan: &LaunchPlan) -> Result<(), StepError> {
    step("make mounts private", mount(None, "/", None, libc::MS_REC | libc::MS_PRIVATE, ""))?;
    // The directory is opened before anything is mounted: it may lie below `/tmp`, which the
    // new root covers.
    let image = plan.root.as_ref().map(fs::File::open).transpose();
    let image = step("open the root directory", image)?;
    let size = format!("size={},nr_inodes={},mode=0755", plan.disk_bytes, plan.inodes);
    let area = libc::MS_NOSUID | libc::MS_NODEV;
    step("mount the root", mount(Some("tmpfs"), "/tmp", Some("tmpfs"), area, &size))?;
    step("enter the root", std::env::set_current_dir("/tmp"))?;
    match &image {
        None => step("show the host's programs", show_programs("", layout))?,
        Some(image) => {
            let root = format!("/proc/self/fd/{}", image.as_raw_fd());
            let layout = ProgramLayout::below(Path::new(&root));
            step("show the root directory", show_programs(&root, &layout))?;
        }
    }
    step("write /etc", write_etc())?;
    step("make /dev", make_dev())?;
    step("make /proc", make_proc())?;
    step("make directories", make_windows(plan.sealed))?;
    step("make the workspace", make_dir("work", 0o755))?;
    step("mount the workspace", mount(Some("tmpfs"), "work", Some("tmpfs"), area, &size))?;
    step("change the root", pivot())?;
    step("seal the root", set_attributes(libc::AT_FDCWD, "/", RDONLY, false))
}

/// Mounts the program directories of `root` read-only, hides synthd, makes the links, and
/// mounts the parts of `/etc` that programs need. `root` is empty for the host itself.
fn show_programs(root: &str, layout: &ProgramLayout) -> io::Result<()> {
    for name in &layout.directories {
        make_dir(name, 0o755)?;
        bind(&format!("{root}/{name}"), name, RDONLY | NOSUID | NODEV)?;
    }
    for path in &layout.hidden {
        // A file that was removed meanwhile shows nothing.
        if Path::new(path).exists() {
            bind("/dev/null", path, NOSUID | NOEXEC)?;
        }
    }
    for (name, target) in &layout.links {
        symlink(target, name)?;
    }
    make_dir("etc", 0o755)?;
    // A link inside a root directory would be followed on the host, outside of that directory.
    let is_link = |path: &str| fs::symlink_metadata(path).is_ok_and(|f| f.is_symlink());
    let links = !root.is_empty() && is_link(&format!("{root}/etc"));
    for name in ETC.iter().filter(|_| !links) {
        let source = format!("{root}/etc/{name}");
        let target = format!("etc/{name}");
        match fs::symlink_metadata(&source) {
            Ok(facts) if facts.is_symlink() && !root.is_empty() => continue,
            _ => {}
        }
        match fs::metadata(&source) {
            Ok(facts) if facts.is_dir() => make_dir(&target, 0o755)?,
            Ok(_) => fs::write(&target, "")?,
            Err(_) => continue,
        }
        bind(&source, &target, RDONLY | NOSUID | NODEV | NOEXEC)?;
    }
    Ok(())
}

/// Writes the small files of `/etc`, which are the same in every sandbox.
fn write_etc() -> io::Result<()> {
    for (name, text) in [
        ("passwd", "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/home/agent:/bin/sh\n"),
        ("group", "root:x:0:\nagent:x:1000:\n"),
        ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
        ("hostname", "sandbox\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ] {
        fs::write(format!("etc/{name}"), text)?;
    }
    Ok(())
}

/// Makes `/dev` with a few devices of the host and a private devpts.
fn make_dev() -> io::Result<()> {
    make_dir("dev", 0o755)?;
    for name in DEVICES {
        let target = format!("dev/{name}");
        fs::write(&target, "")?;
        bind(&format!("/dev/{name}"), &target, NOSUID | NOEXEC)?;
    }
    make_dir("dev/pts", 0o755)?;
    let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
    mount(Some("devpts"), "dev/pts", Some("devpts"), flags, PTYS)?;
    for (name, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, format!("dev/{name}"))?;
    }
    Ok(())
}

/// Mounts a fresh `/proc` of the new PID namespace, makes parts of it read-only and masks
/// others.
fn make_proc() -> io::Result<()> {
    make_dir("proc", 0o555)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(Some("proc"), "proc", Some("proc"), flags, "")?;
    for name in READ_ONLY_PROC {
        let path = format!("proc/{name}");
        if Path::new(&path).is_dir() {
            bind(&path, &path, RDONLY | NOSUID | NODEV | NOEXEC)?;
        }
    }
    for name in MASKED {
        mask("/dev/null", name, NOSUID | NOEXEC)?;
    }
    make_dir(EMPTY, 0o755)?;
    for name in MASKED_DIRS {
        mask(EMPTY, name, RDONLY | NOSUID | NODEV | NOEXEC)?;
    }
    Ok(())
}

/// Shows `by` in place of an entry of `/proc`. An entry that this kernel does not have is fine.
fn mask(by: &str, name: &str, attributes: u64) -> io::Result<()> {
    let path = format!("proc/{name}");
    if Path::new(&path).exists() { bind(by, &path, attributes) } else { Ok(()) }
}

/// Makes the writable windows. Each is a mount of its own over the same tmpfs. So they stay
/// writable when the root becomes read-only, and one size limit holds for all of them together.
fn make_windows(sealed: bool) -> io::Result<()> {
    make_dir("home", 0o755)?;
    make_dir("var", 0o755)?;
    symlink("/tmp", "var/tmp")?;
    for name in WINDOWS.into_iter().chain(sealed.then_some(SEALED_WINDOW)) {
        make_dir(name, 0o755)?;
        if ["tmp", "dev/shm"].contains(&name) {
            fs::set_permissions(name, fs::Permissions::from_mode(0o1777))?;
        }
        bind(name, name, NOSUID | NODEV)?;
    }
    Ok(())
}

/// Makes the current directory the root, detaches the old root with everything below it, and
/// sets the host name.
fn pivot() -> io::Result<()> {
    // SAFETY: paths are C strings. The old root ends up stacked on the new one and is
    // detached with everything below it.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH).into())?;
    }
    std::env::set_current_dir("/")?;
    nix::unistd::sethostname("sandbox")?;
    Ok(())
}

/// Makes a directory. One that exists already is fine.
fn make_dir(path: &str, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// A string for a system call. A NUL byte in it is EINVAL.
fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The system call `mount` with strings of Rust.
fn mount(
    source: Option<&str>,
    target: &str,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: &str,
) -> io::Result<()> {
    let text = |t: Option<&str>| t.map(c_string).transpose();
    let (source, kind) = (text(source)?, text(kind)?);
    let (target, options) = (c_string(target)?, c_string(options)?);
    let pointer = |t: &Option<CString>| t.as_ref().map_or(std::ptr::null(), |t| t.as_ptr());
    // SAFETY: every pointer is null or a C string that outlives the call.
    let outcome = unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&kind),
            flags,
            options.as_ptr().cast(),
        )
    };
    check(outcome.into()).map(|_| ())
}

/// Mounts `source` at `target`, with everything that is mounted below it. The attributes are
/// set before the mount becomes visible, so it is never writable for a moment. It needs Linux
/// 5.12.
fn bind(source: &str, target: &str, attributes: u64) -> io::Result<()> {
    let (source, target) = (c_string(source)?, c_string(target)?);
    let flags = (1 /* OPEN_TREE_CLONE */ | libc::O_CLOEXEC | libc::AT_RECURSIVE) as libc::c_uint;
    // SAFETY: the path is a C string; the kernel returns a new descriptor or an error.
    let tree = unsafe {
        let fd = check(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, source.as_ptr(), flags))?;
        OwnedFd::from_raw_fd(fd as RawFd)
    };
    set_attributes(tree.as_raw_fd(), "", attributes, true)?;
    // SAFETY: descriptors and C strings that outlive the call.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            4, // MOVE_MOUNT_F_EMPTY_PATH
        )
    };
    check(outcome).map(|_| ())
}

/// Sets attributes of a mount; with `recursive` also of all mounts below it. An empty path
/// means the mount of the descriptor itself.
fn set_attributes(at: RawFd, path: &str, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = MountAttr { set, clear: 0, propagation: 0, userns: 0 };
    let path = c_string(path)?;
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the structure is laid out as the kernel's and its size is passed with it.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at,
            path.as_ptr(),
            flags as libc::c_uint,
            &attributes,
            size_of::<MountAttr>(),
        )
    };
    check(outcome).map(|_| ())
}

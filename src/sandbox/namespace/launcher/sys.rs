//! System calls of the launcher that the standard library does not offer. All `unsafe` code of
//! the launcher is here, except for the set-up of a sandbox itself (`mounts.rs`,
//! `hardening.rs`, `seccomp_filter.rs`). Each wrapper checks the result and returns an
//! [`io::Result`].

#![expect(unsafe_code, reason = "the launcher is made of system calls std does not offer")]

use crate::sandbox::namespace::protocol::MAX_PACKET;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The descriptor at which the guest expects its stream.
pub(super) const STREAM: RawFd = 3;

/// Turns the result of a call into an error where it is negative, with the errno of the call.
pub(super) fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub(super) fn raw(fd: &OwnedFd) -> RawFd {
    fd.as_raw_fd()
}

/// Makes this process adopt the guests that its builders leave, and ignore the signals of the
/// terminal. The engine alone decides when sandboxes end.
pub(super) fn become_launcher() -> io::Result<()> {
    // SAFETY: integer arguments only.
    unsafe {
        check(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0).into())?;
        // The name under which tools such as `ps` show the launcher.
        check(libc::prctl(libc::PR_SET_NAME, c"synthd-launcher".as_ptr(), 0, 0, 0).into())?;
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::setsid();
    }
    Ok(())
}

/// Moves a descriptor to a high number that closes on exec, and leaves `/dev/null` at its old
/// number and at [`STREAM`].
pub(super) fn take_fd(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a bad descriptor is an error, not undefined.
    let copy = unsafe { check(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10).into())? };
    // SAFETY: the kernel has just given us this descriptor.
    let copy = unsafe { OwnedFd::from_raw_fd(copy as RawFd) };
    // The old number must not lead to the socket any more, or every child would inherit it.
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: all are descriptors of ours. The guest's stream goes to number 3, so nothing
    // else may ever be given that number.
    unsafe {
        check(libc::dup2(null.as_raw_fd(), fd).into())?;
        if null.as_raw_fd() == STREAM {
            // It must stay open at this number.
            std::mem::forget(null);
        } else {
            check(libc::dup3(null.as_raw_fd(), STREAM, libc::O_CLOEXEC).into())?;
        }
    }
    Ok(copy)
}

pub(super) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The release of the kernel, such as `6.1.0-18-amd64`.
pub(super) fn kernel_release() -> String {
    nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Sends a packet to the engine. It waits while the socket is full.
pub(super) fn send_packet(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    sendmsg::<()>(raw(socket), &parts, &[], MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Sends a packet from the engine, perhaps with a descriptor. It never waits: a full socket is
/// `WouldBlock`.
pub(in crate::sandbox::namespace) fn send_with_fd(
    socket: RawFd,
    bytes: &[u8],
    fd: Option<RawFd>,
) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    let fds: Vec<RawFd> = fd.into_iter().collect();
    let rights = [ControlMessage::ScmRights(&fds)];
    let control = if fds.is_empty() { &rights[..0] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    sendmsg::<()>(socket, &parts, control, flags, None)?;
    Ok(())
}

/// Waits for the next packet, with the descriptor that it may carry. None: the engine has
/// closed the socket.
pub(super) fn receive_packet(socket: &OwnedFd) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut buffer = vec![0; MAX_PACKET];
    let mut space = nix::cmsg_space!([RawFd; 4]);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = match recvmsg::<()>(raw(socket), &mut parts, Some(&mut space), flags) {
        // The engine closed the socket without reading all events, as it does when it is
        // killed.
        Err(nix::errno::Errno::ECONNRESET) => return Ok(None),
        message => message?,
    };
    let mut received = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            for fd in fds {
                // SAFETY: the kernel has just installed this descriptor for us.
                received = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    let length = message.bytes;
    if length == 0 {
        return Ok(None);
    }
    buffer.truncate(length);
    Ok(Some((buffer, received)))
}

/// A pipe as (read end, write end). Both close on exec.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Blocks SIGCHLD and returns a descriptor that becomes readable when a child has died.
pub(super) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before it is used; signalfd copies it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()).into())?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = check(libc::signalfd(-1, &set, flags).into())?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Makes the descriptor of [`child_signals`] unreadable again. One record stands for any number
/// of deaths, so its content does not matter.
pub(super) fn clear_signals(fd: &OwnedFd) {
    let mut records = [0_u8; 1024];
    // SAFETY: the buffer is valid for its length; the result does not matter.
    unsafe { libc::read(raw(fd), records.as_mut_ptr().cast(), records.len()) };
}

/// Waits until one of `fds` can be read or has closed, or until the timeout has passed, and
/// returns which. A negative timeout waits for ever. An interruption by a signal gives none.
pub(super) fn wait_readable(fds: &[RawFd], timeout_ms: i32) -> io::Result<Vec<RawFd>> {
    let mut polls: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: the slice is valid for its length.
    let outcome = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as u64, timeout_ms) };
    match check(outcome.into()) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(_) => Ok(polls.iter().filter(|p| p.revents != 0).map(|p| p.fd).collect()),
    }
}

/// Reaps one dead child without waiting and returns its number. None: no child is dead.
pub(super) fn reap() -> Option<i32> {
    let mut status = 0;
    // SAFETY: the out-pointer is valid.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
    (pid > 0).then_some(pid)
}

/// Waits until no child is left. All of them must have been killed already.
pub(super) fn reap_all_children() {
    let mut status = 0;
    // SAFETY: the out-pointer is valid.
    while unsafe { libc::waitpid(-1, &mut status, 0) } > 0 {}
}

/// Sends SIGKILL to a child, or to a process that a dead engine left in its cgroup.
pub(super) fn kill(pid: i32) {
    // SAFETY: touches no memory. An unreaped child's pid is nobody else's.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Forks. SAFETY of the body rests on the launcher having one thread: the child may run
/// any code. Returns zero in the child.
pub(super) fn fork() -> io::Result<i32> {
    // SAFETY: single-threaded, see above.
    Ok(unsafe { check(libc::fork().into())? } as i32)
}

/// Forks into new namespaces. Returns zero in the child, and the child's number in the parent.
pub(super) fn clone_into(flags: i32) -> io::Result<i32> {
    let flags = (flags | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: without CLONE_VM this is a fork; the launcher has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    Ok(check(pid)? as i32)
}

/// Ends a forked process at once.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: ends a forked child without running the parent's destructors.
    unsafe { libc::_exit(code) }
}

/// An executable file in memory, which cannot be changed any more. Sandboxes execute the guest
/// from it without any file of the host.
pub(super) fn executable(bytes: &[u8]) -> io::Result<OwnedFd> {
    const MFD_EXEC: u32 = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a C string. Kernels before 6.3 do not know MFD_EXEC.
    let fd = unsafe {
        check(libc::memfd_create(c"init".as_ptr(), flags | MFD_EXEC).into())
            .or_else(|_| check(libc::memfd_create(c"init".as_ptr(), flags).into()))?
    };
    // SAFETY: the kernel has just given us this descriptor.
    let file = unsafe { std::fs::File::from_raw_fd(fd as RawFd) };
    io::Write::write_all(&mut &file, bytes)?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: fcntl on a descriptor we own.
    unsafe { check(libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals).into())? };
    Ok(file.into())
}

/// Makes the kernel kill sandboxes before the engine when memory is exhausted. The children of
/// a privileged launcher cannot undo it. If the kernel refuses it, the score is higher already.
pub(super) fn raise_oom_score() {
    std::fs::write("/proc/self/oom_score_adj", "500").ok();
}

/// Lowers the priority, so that on a busy host sandboxes wait and the engine does not: its
/// timers, its store and its socket serve all sandboxes. A sandbox cannot undo it.
pub(super) fn lower_priority() {
    // SAFETY: three integers; a refusal would leave the priority as it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
}

/// Replaces this process by `program`, with an empty environment. It returns only if that
/// failed.
pub(super) fn execute(program: RawFd) -> io::Error {
    // Programs in the sandbox see this name.
    let argv = [c"init".as_ptr(), std::ptr::null()];
    let envp: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: all pointers are to C strings and null-terminated arrays that are alive.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program,
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// Moves a descriptor to a number at which it stays open across exec.
pub(super) fn place(fd: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: both are integers; dup2 on equal numbers would keep close-on-exec.
    unsafe {
        if fd == number {
            check(libc::fcntl(fd, libc::F_SETFD, 0).into())?;
        } else {
            check(libc::dup2(fd, number).into())?;
        }
    }
    Ok(())
}

/// Closes every descriptor from `first` on, except those in `kept`, which close on exec.
pub(super) fn close_from(first: u32, kept: &[RawFd]) {
    let mut from = first;
    let mut kept: Vec<u32> = kept.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    kept.sort_unstable();
    for fd in kept.into_iter().filter(|fd| *fd >= first).chain([u32::MAX]) {
        if fd > from {
            // SAFETY: closes only what this child will never use.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd.saturating_sub(1), 0) };
        }
        from = fd.saturating_add(1);
    }
}

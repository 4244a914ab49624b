//! Builds one sandbox in a process of its own, the builder.
//!
//! The builder joins the cgroups, clones a child into new namespaces, maps the child's user,
//! reports to the launcher and ends. The child waits until its user is mapped, builds its file
//! system, gives up every privilege, and executes the guest. Its parent is then the launcher,
//! which adopts orphans.
//!
//! Two pipes connect builder and child. Over one, the builder tells the child that its user is
//! mapped. Over the other, the child reports a failure; the pipe closes on exec, so its end
//! without a message says that the guest was executed.

use super::cgroup::SandboxCgroups;
use super::{hardening, mounts, seccomp_filter, sys};
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// The user and group number of the agent inside a sandbox.
pub(super) const AGENT: u32 = 1000;
/// The first user number of the host for sandboxes of a root launcher. It is far from the
/// numbers that people and packages use.
const FIRST_HOST_UID: u32 = 1_879_048_192;
/// How many user numbers of the host there are for sandboxes.
const HOST_UIDS: u64 = 65_536;
/// The namespaces that each sandbox has of its own.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// The name of a step that failed, with its error. The name becomes part of a message.
pub(super) type StepError = (&'static str, io::Error);

/// Adds the name of a step to its error.
pub(super) fn step<T>(name: &'static str, result: io::Result<T>) -> Result<T, StepError> {
    result.map_err(|error| (name, error))
}

/// What all sandboxes share. It is made once, when the launcher starts.
pub(super) struct SandboxBuilder {
    /// The guest program as a file in memory.
    guest: OwnedFd,
    /// The filter for sandboxes whose memory a cgroup limits, and the stricter one for others.
    filters: [seccomp_filter::SeccompFilter; 2],
    landlock_abi: i32,
    /// The host's directories with programs.
    layout: mounts::ProgramLayout,
}

impl SandboxBuilder {
    /// Prepares what all sandboxes share. `guest` is the guest program.
    pub(super) fn new(guest: &[u8]) -> io::Result<Self> {
        Ok(Self {
            guest: sys::executable(guest)?,
            filters: [seccomp_filter::filter(true), seccomp_filter::filter(false)],
            landlock_abi: hardening::landlock_abi(),
            layout: mounts::ProgramLayout::of_host(),
        })
    }

    /// Files of the host that are hidden from every sandbox.
    pub(super) fn hidden(&self) -> Vec<String> {
        self.layout.hidden()
    }

    /// The version of Landlock that the kernel has.
    pub(super) fn landlock_abi(&self) -> i32 {
        self.landlock_abi
    }

    /// Forks a builder and returns the pipe on which its report will arrive, see
    /// [`read_report`].
    pub(super) fn start(
        &self,
        slot: u64,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
    ) -> io::Result<OwnedFd> {
        let (read, write) = sys::pipe()?;
        if sys::fork()? == 0 {
            drop(read);
            self.build(slot, plan, stream, group, write);
        }
        Ok(read)
    }

    /// The whole life of the builder. Its report is `ok <pid>` or `failed <errno> <step>`.
    fn build(
        &self,
        slot: u64,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
        report: OwnedFd,
    ) -> ! {
        let mut report = fs::File::from(report);
        let text = match self.clone_guest(slot, plan, stream, group) {
            Ok(pid) => format!("ok {pid}"),
            Err((step, error)) => {
                format!("failed {} {step}", error.raw_os_error().unwrap_or(libc::EIO))
            }
        };
        // If this fails, the launcher is gone and nobody needs the report.
        report.write_all(text.as_bytes()).ok();
        sys::exit(0)
    }

    /// Clones the child into its namespaces and waits until it has executed the guest. Returns
    /// its process number on the host.
    fn clone_guest(
        &self,
        slot: u64,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
    ) -> Result<i32, StepError> {
        step("join the cgroups", group.join())?;
        // Done while the process still has the privileges of the launcher. The child inherits
        // the results.
        sys::raise_oom_score();
        sys::lower_priority();
        hardening::disable_core_dumps();
        let (mapped_read, mapped_write) = step("pipe", sys::pipe())?;
        let (error_read, error_write) = step("pipe", sys::pipe())?;
        let pid = step("create the namespaces", sys::clone_into(NAMESPACES))?;
        if pid == 0 {
            drop((mapped_write, error_read));
            self.become_guest(plan, stream, group, mapped_read, error_write);
        }
        drop((mapped_read, error_write));
        // The map is written by this process, outside of the new user namespace. The child
        // waits for it.
        let mapping = map_user(pid, slot);
        if let Err(failed) = mapping {
            sys::kill(pid);
            return Err(failed);
        }
        step("release the guest", fs::File::from(mapped_write).write_all(b"1"))?;
        read_child_error(error_read)?;
        Ok(pid)
    }

    /// The child's life in the new namespaces, until it executes the guest. It returns to
    /// nobody: a failure is reported and ends the child.
    fn become_guest(
        &self,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
        mapped: OwnedFd,
        errors: OwnedFd,
    ) -> ! {
        let (name, error) = match self.set_up(plan, stream, group, mapped, &errors) {
            Ok(()) => ("execute the guest", sys::execute(sys::raw(&self.guest))),
            Err(failed) => failed,
        };
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        // The builder reads this or is gone. The child ends in both cases.
        fs::File::from(errors).write_all(format!("{errno} {name}").as_bytes()).ok();
        sys::exit(1)
    }

    /// Prepares the child for the guest. The order matters. First every descriptor of the host
    /// is closed. Mounts and the network need privileges of the user namespace, which are
    /// dropped after them. Landlock and the filter need `no_new_privs`, which is set when
    /// privileges are dropped. The filter comes last, because it would refuse calls of the
    /// earlier steps.
    fn set_up(
        &self,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
        mapped: OwnedFd,
        errors: &OwnedFd,
    ) -> Result<(), StepError> {
        let mut go = [0];
        step("wait for the user map", fs::File::from(mapped).read_exact(&mut go))?;
        step("place the stream", sys::place(sys::raw(stream), sys::STREAM))?;
        // Standard output and standard error are replaced by standard input, which is
        // `/dev/null`. Only the launcher keeps the engine's standard error.
        step("leave the host's output", sys::place(0, 1).and_then(|()| sys::place(0, 2)))?;
        sys::close_from(4, &[sys::raw(errors), sys::raw(&self.guest)]);
        hardening::become_agent(AGENT)?;
        mounts::build(&self.layout, plan)?;
        hardening::network_up()?;
        hardening::limit(plan, group.limits_memory())?;
        hardening::drop_privileges()?;
        hardening::landlock(self.landlock_abi)?;
        self.filters[usize::from(!group.limits_memory())].install()
    }
}

/// Waits for the child's report. Nothing means that the child has executed the guest.
fn read_child_error(errors: OwnedFd) -> Result<(), StepError> {
    let mut text = String::new();
    step("read the guest's report", fs::File::from(errors).read_to_string(&mut text))?;
    let Some((errno, name)) = text.split_once(' ') else { return Ok(()) };
    let error = io::Error::from_raw_os_error(errno.parse().unwrap_or(libc::EIO));
    // A step is named by a static string. The leak does not matter, because the builder ends
    // after the next message.
    Err((Box::leak(name.to_owned().into_boxed_str()), error))
}

/// Maps the agent to an unprivileged user of the host. A launcher of an ordinary user can only
/// give its own user. A root launcher gives each sandbox another one.
fn map_user(pid: i32, slot: u64) -> Result<(), StepError> {
    let own = sys::effective_uid();
    let own_gid = nix::unistd::getegid().as_raw();
    let write = |file: &str, text: String| fs::write(format!("/proc/{pid}/{file}"), text);
    if own != 0 {
        step("deny setgroups", write("setgroups", "deny".to_owned()))?;
        step("map the user", write("uid_map", format!("{AGENT} {own} 1")))?;
        return step("map the group", write("gid_map", format!("{AGENT} {own_gid} 1")));
    }
    // The number depends on the launcher's process number, so two engines seldom use the same
    // one.
    let launcher = u64::from(std::os::unix::process::parent_id());
    let number = launcher.wrapping_mul(251).wrapping_add(slot);
    let spare = FIRST_HOST_UID + u32::try_from(number % HOST_UIDS).unwrap_or(0);
    // Inside another user namespace, as in a rootless container, these users do not exist. Then
    // `nobody` serves.
    let candidates = [spare, 65_534];
    let mapped = candidates
        .into_iter()
        .find(|uid| write("uid_map", format!("{AGENT} {uid} 1")).is_ok())
        .ok_or_else(|| ("map the user", io::Error::from_raw_os_error(libc::EPERM)))?;
    step("map the group", write("gid_map", format!("{AGENT} {mapped} 1")))
}

/// Reads a builder's report: the guest's process number, or the step that failed and its errno.
/// It waits until the builder has ended or closed the pipe.
pub(super) fn read_report(report: &OwnedFd) -> Result<i32, (String, i32)> {
    let broken = || ("read the builder's report".to_owned(), libc::EIO);
    let mut text = String::new();
    let copy = report.try_clone().map_err(|_| broken())?;
    fs::File::from(copy).read_to_string(&mut text).map_err(|_| broken())?;
    if let Some(pid) = text.strip_prefix("ok ") {
        return pid.parse().map_err(|_| broken());
    }
    let (errno, name) =
        text.strip_prefix("failed ").and_then(|t| t.split_once(' ')).ok_or_else(broken)?;
    Err((name.to_owned(), errno.parse().unwrap_or(libc::EIO)))
}

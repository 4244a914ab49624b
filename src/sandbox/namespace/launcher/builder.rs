//! Builds one sandbox: a builder process joins the cgroups, clones the guest-to-be into
//! its namespaces, maps its user and ends; the guest-to-be mounts, locks itself in and
//! becomes the guest.

use super::cgroup::SandboxCgroups;
use super::{hardening, mounts, seccomp_filter, sys};
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// The agent's uid and gid inside.
pub(super) const AGENT: u32 = 1000;
/// Host uids for sandboxes of a root launcher: far from what people and packages use.
const FIRST_HOST_UID: u32 = 1_879_048_192;
const HOST_UIDS: u64 = 65_536;
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// A step that failed, with its errno.
pub(super) type StepError = (&'static str, io::Error);

/// Names the step an error came from.
pub(super) fn step<T>(name: &'static str, result: io::Result<T>) -> Result<T, StepError> {
    result.map_err(|error| (name, error))
}

/// What every sandbox shares, made once.
pub(super) struct SandboxBuilder {
    guest: OwnedFd,
    /// For sandboxes whose memory a cgroup bounds, and for others.
    filters: [seccomp_filter::SeccompFilter; 2],
    landlock_abi: i32,
    layout: mounts::ProgramLayout,
}

impl SandboxBuilder {
    pub(super) fn new(guest: &[u8]) -> io::Result<Self> {
        Ok(Self {
            guest: sys::executable(guest)?,
            filters: [seccomp_filter::filter(true), seccomp_filter::filter(false)],
            landlock_abi: hardening::landlock_abi(),
            layout: mounts::ProgramLayout::of_host(),
        })
    }

    /// Files of the host that no sandbox is shown.
    pub(super) fn hidden(&self) -> Vec<String> {
        self.layout.hidden()
    }

    pub(super) fn landlock_abi(&self) -> i32 {
        self.landlock_abi
    }

    /// Forks a builder; its report arrives on the returned descriptor.
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

    /// The builder's whole life.
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
        // If the launcher is gone there is nobody to tell.
        report.write_all(text.as_bytes()).ok();
        sys::exit(0)
    }

    fn clone_guest(
        &self,
        slot: u64,
        plan: &LaunchPlan,
        stream: &OwnedFd,
        group: &SandboxCgroups,
    ) -> Result<i32, StepError> {
        step("join the cgroups", group.join())?;
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
        let mapping = map_user(pid, slot);
        if let Err(failed) = mapping {
            sys::kill(pid);
            return Err(failed);
        }
        step("release the guest", fs::File::from(mapped_write).write_all(b"1"))?;
        read_child_error(error_read)?;
        Ok(pid)
    }

    /// In the new namespaces, until the guest takes over.
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
        // The builder reads this or is gone; either way we end.
        fs::File::from(errors).write_all(format!("{errno} {name}").as_bytes()).ok();
        sys::exit(1)
    }

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
        // Only the launcher keeps the engine's standard error.
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

/// What the guest-to-be reports: nothing once it has executed the guest.
fn read_child_error(errors: OwnedFd) -> Result<(), StepError> {
    let mut text = String::new();
    step("read the guest's report", fs::File::from(errors).read_to_string(&mut text))?;
    let Some((errno, name)) = text.split_once(' ') else { return Ok(()) };
    let error = io::Error::from_raw_os_error(errno.parse().unwrap_or(libc::EIO));
    // Step names are constants of this program; this child lives for one more line.
    Err((Box::leak(name.to_owned().into_boxed_str()), error))
}

/// Maps the agent to an unprivileged user of the host: an ordinary launcher has only its
/// own to give, a root launcher gives each sandbox another.
fn map_user(pid: i32, slot: u64) -> Result<(), StepError> {
    let own = sys::effective_uid();
    let own_gid = nix::unistd::getegid().as_raw();
    let write = |file: &str, text: String| fs::write(format!("/proc/{pid}/{file}"), text);
    if own != 0 {
        step("deny setgroups", write("setgroups", "deny".to_owned()))?;
        step("map the user", write("uid_map", format!("{AGENT} {own} 1")))?;
        return step("map the group", write("gid_map", format!("{AGENT} {own_gid} 1")));
    }
    // Spread by launcher, so that two engines seldom share one.
    let launcher = u64::from(std::os::unix::process::parent_id());
    let number = launcher.wrapping_mul(251).wrapping_add(slot);
    let spare = FIRST_HOST_UID + u32::try_from(number % HOST_UIDS).unwrap_or(0);
    // Inside another user namespace (a rootless container) the spare uids do not exist.
    let candidates = [spare, 65_534];
    let mapped = candidates
        .into_iter()
        .find(|uid| write("uid_map", format!("{AGENT} {uid} 1")).is_ok())
        .ok_or_else(|| ("map the user", io::Error::from_raw_os_error(libc::EPERM)))?;
    step("map the group", write("gid_map", format!("{AGENT} {mapped} 1")))
}

/// The guest's pid, or the step that failed and its errno.
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

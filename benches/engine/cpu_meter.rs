//! The processor time of everything that a bench starts: the engine, which is this process, and its
//! sandboxes. A program that is killed with its sandbox is counted by no parent, so a cgroup of the
//! bench's own counts.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where hierarchies that count processor time are mounted: of version 1, and of version 2.
const MOUNTS: [&str; 3] =
    ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"];
/// The file that moves a process into its cgroup.
const MEMBERS: &str = "cgroup.procs";
/// The cgroup into which a launcher moves this process, where it needs room.
const LEAF: &str = "synthd-engine";
/// How often the removal of the cgroup is tried, while launchers end.
const TRIES: usize = 200;

/// A cgroup with this process and all that it starts from now on.
pub struct CpuMeter {
    group: PathBuf,
    /// Where this process was before.
    former: PathBuf,
}

/// Processor time.
#[derive(Clone, Copy, Default)]
pub struct CpuTime {
    /// Of the engine's process.
    pub engine: Duration,
    /// Of all processes.
    pub whole: Duration,
}

impl CpuTime {
    /// Of the sandboxes and of what makes them.
    pub fn sandboxes(self) -> Duration {
        self.whole.saturating_sub(self.engine)
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { engine: self.engine + other.engine, whole: self.whole + other.whole }
    }

    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            engine: self.engine.saturating_sub(other.engine),
            whole: self.whole.saturating_sub(other.whole),
        }
    }

    /// Of each of so many.
    #[must_use]
    pub fn each(self, many: usize) -> Self {
        let many = u32::try_from(many).unwrap();
        Self { engine: self.engine / many, whole: self.whole / many }
    }
}

impl CpuMeter {
    /// None, said aloud, where no cgroup can be made.
    pub fn start() -> Option<Self> {
        let there = MOUNTS.map(Path::new).into_iter().find(|mount| mount.join(MEMBERS).exists());
        let meter = there.ok_or(io::ErrorKind::NotFound.into()).and_then(Self::below);
        match meter {
            Ok(meter) => Some(meter),
            Err(error) => {
                println!(
                    "SKIPPED processor time: no cgroup of the bench's own counts it ({error})"
                );
                None
            }
        }
    }

    fn below(mount: &Path) -> io::Result<Self> {
        let group = mount.join(format!("synthd-bench-{}", std::process::id()));
        let former = current(mount)?;
        fs::create_dir(&group)?;
        fs::write(group.join(MEMBERS), "0")?;
        Ok(Self { group, former })
    }

    /// Leaves a process out that this one has started and that is no part of the engine.
    pub fn leave_out(&self, process: u32) {
        fs::write(self.former.join(MEMBERS), process.to_string()).unwrap();
    }

    /// What was used since some time in the past.
    pub fn read(&self) -> CpuTime {
        let own = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let micros = (own.user_time() + own.system_time()).num_microseconds();
        let engine = Duration::from_micros(u64::try_from(micros).unwrap());
        CpuTime { engine, whole: counted(&self.group) }
    }

    /// What some work used, with what came of it.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> (CpuTime, T) {
        let before = self.read();
        let done = work.await;
        (self.read().less(before), done)
    }
}

impl Drop for CpuMeter {
    fn drop(&mut self) {
        fs::write(self.former.join(MEMBERS), "0").ok();
        for _ in 0..TRIES {
            fs::remove_dir(self.group.join(LEAF)).ok();
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        println!("the cgroup {} stays", self.group.display());
    }
}

/// The cgroup of this process in the hierarchy that is mounted there.
fn current(mount: &Path) -> io::Result<PathBuf> {
    let second = mount.join("cgroup.controllers").exists();
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let path = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        let is_ours = match second {
            true => names.is_empty(),
            false => names.split(',').any(|name| name == "cpuacct"),
        };
        is_ours.then(|| path.trim_start_matches('/').to_owned())
    });
    path.map(|path| mount.join(path)).ok_or(io::ErrorKind::NotFound.into())
}

/// What a cgroup and all below it have used, those that have ended included.
fn counted(group: &Path) -> Duration {
    if let Ok(nanos) = fs::read_to_string(group.join("cpuacct.usage")) {
        return Duration::from_nanos(nanos.trim().parse().unwrap());
    }
    let text = fs::read_to_string(group.join("cpu.stat")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
    Duration::from_micros(line.unwrap().trim().parse().unwrap())
}

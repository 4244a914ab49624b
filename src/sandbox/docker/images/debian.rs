//! Builds images of Debian packages: the tool mmdebstrap makes a root, and the container engine
//! imports it. No registry is needed.
//!
//! ```text
//!  setpriv ─► (unshare) ─► mmdebstrap ─ stdout: tar archive ─► import by the container engine
//!                               └────── stderr: progress ────► log
//! ```
//! The archive is streamed, so it is never on this host's disk as a whole. The tool must not
//! outlive this process: it is killed if synthd dies, and asked to end if the build is cancelled.

use super::{DockerImages, MADE_HERE, last_lines, tag_of};
use crate::sandbox::docker::engine_faults::{fault, refused};
use crate::sandbox::process_owner::ProcessOwner;
use bollard::query_parameters::{CreateImageOptions, RemoveImageOptions};
use futures_util::TryStreamExt;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;
use synthd_actors::model::{BackendSign, Fault};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio_util::io::ReaderStream;

/// The front of the names of build directories; the owner follows, as in
/// `root-of-4026531836-4711-987654`.
const ROOTS: &str = "root-of-";
/// How often the removal of a build directory is tried.
const PATIENCE: u32 = 100;
/// The wait between two such tries.
const AGAIN: Duration = Duration::from_millis(20);
/// The time limit for the container engine's answer to an import. The answer comes after the
/// whole archive, and a package mirror may be slow. The user who builds can stop it at any time.
const IMPORT: Duration = Duration::from_secs(24 * 60 * 60);
/// The exit code of `setpriv` and `unshare` if the program that they should start is missing.
const NOT_FOUND: i32 = 127;

/// What an image of packages is built from.
#[derive(Clone, Debug)]
pub struct DebianRecipe {
    pub name: String,
    /// The Debian release, such as `bookworm`.
    pub suite: String,
    /// Names of packages, sorted and without duplicates, so that equal sets give equal tags.
    pub packages: Vec<String>,
    /// The address of a mirror. `None` leaves the choice to mmdebstrap.
    pub mirror: Option<String>,
}

impl DebianRecipe {
    /// The recipe in one line, such as `debian bookworm from default: git,python3`.
    pub fn text(&self) -> String {
        let mirror = self.mirror.as_deref().unwrap_or("default");
        format!("debian {} from {mirror}: {}", self.suite, self.packages.join(","))
    }

    /// The name with a tag that is a digest of [`Self::text`].
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, tag_of(&Sha256::digest(self.text())))
    }
}

/// The directory in which root's mmdebstrap builds. Dropping it removes the directory, however
/// the build ends. It is `None` for other users, whose mmdebstrap makes and removes a directory
/// itself.
///
/// Root's mmdebstrap mounts file systems into the directory. It runs in mount and PID namespaces
/// of its own, which end with this process. So nothing stays mounted and no process goes on.
struct BuildDirectory(Option<PathBuf>);

impl BuildDirectory {
    /// Makes the directory beside the log, after removing those of dead processes.
    fn make(parent: &Path) -> io::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        sweep(parent)?;
        let path = parent.join(format!("{ROOTS}{}", ProcessOwner::this()));
        fs::create_dir_all(&path)?;
        Ok(Self(Some(path)))
    }

    /// The command that runs mmdebstrap; its arguments follow.
    fn tool(&self) -> Command {
        let mut tool = Command::new("setpriv");
        match &self.0 {
            None => tool.args(["--pdeathsig", "TERM", "mmdebstrap"]),
            Some(path) => tool
                .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"])
                .args(["--kill-child", "--mount-proc", "mmdebstrap"])
                .env("TMPDIR", path),
        };
        // A failing mmdebstrap sends a signal to its whole process group, so it must not be in
        // the group of synthd.
        tool.process_group(0);
        tool
    }
}

/// The process group of the tool. Dropping it asks the group to end, if the build was cancelled.
/// The tool is not in the group of the terminal, so an interrupt from the keyboard does not reach
/// it in any other way.
struct ToolProcessGroup(Option<Pid>);

impl Drop for ToolProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that has ended already gives an error, which does not matter.
            killpg(group, Signal::SIGTERM).ok();
        }
    }
}

impl Drop for BuildDirectory {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        // Killed processes may write to the directory for a short time, so its removal can fail.
        for _ in 0..PATIENCE {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(AGAIN),
                _ => return,
            }
        }
        tracing::warn!(path = %path.display(), "left for the next build to remove");
    }
}

/// Removes the build directories of processes that are known to be dead.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(ROOTS));
        if owner.and_then(ProcessOwner::parse).is_some_and(ProcessOwner::is_dead) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl DockerImages {
    /// Runs mmdebstrap and imports its output at the same time. All failures of the tool are
    /// `SandboxRefused`, with the last lines of the log. If the container engine went down
    /// meanwhile, its own fault is returned instead.
    pub(super) async fn build_debian(
        &self,
        recipe: &DebianRecipe,
        log: &Path,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Fault> {
        let place = BuildDirectory::make(log.parent().unwrap_or(Path::new(".")))
            .map_err(|error| refused(format!("a directory to build in: {error}")))?;
        let mut tool = place.tool();
        tool.args(["--variant=minbase", &format!("--include={}", recipe.packages.join(","))]);
        tool.arg(&recipe.suite).arg("-").args(&recipe.mirror);
        tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = tool.spawn().map_err(|error| {
            refused(format!("setpriv: {error} (install the package util-linux)"))
        })?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        let mut group = ToolProcessGroup(leader.map(Pid::from_raw));
        let (Some(root), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(refused("mmdebstrap has no output"));
        };
        let imported = self.import(recipe, ReaderStream::new(root));
        let (imported, kept) = tokio::join!(imported, keep(words, log, told));
        kept.map_err(|error| refused(format!("write {}: {error}", log.display())))?;
        let ended = child.wait().await.map_err(|error| refused(format!("mmdebstrap: {error}")))?;
        // The tool has ended, so another process may get its id. It must not be signalled any
        // more.
        group.0 = None;
        if !ended.success() {
            // The container engine has taken the incomplete archive for a whole one. The image is
            // removed again, because its tag would count as built.
            let options = None::<RemoveImageOptions>;
            self.docker.remove_image(&recipe.reference(), options, None).await.ok();
            if let Some(fault) =
                imported.err().filter(|f| f.kind.policy().backend == BackendSign::Down)
            {
                // The tool ended only because nobody read its output any more.
                return Err(fault);
            }
            return Err(refused(format!("{}:\n{}", why_ended(ended), last_lines(log))));
        }
        imported
    }

    /// Sends the archive to the container engine, which makes an image with the label from it.
    async fn import(
        &self,
        recipe: &DebianRecipe,
        root: ReaderStream<ChildStdout>,
    ) -> Result<(), Fault> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            // The tag is part of the name here: both Docker and Podman accept this form.
            repo: Some(recipe.reference()),
            changes: vec![format!("LABEL {MADE_HERE}={:?}", recipe.text())],
            ..Default::default()
        };
        let body = bollard::body_try_stream(root);
        let patient = self.docker.clone().with_timeout(IMPORT);
        let told = patient.create_image(Some(options), Some(body), None);
        told.try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|error| fault("import an image", &error))
    }
}

/// Why the tool ended, in words for the user.
fn why_ended(ended: ExitStatus) -> String {
    match ended.code() {
        Some(NOT_FOUND) => "mmdebstrap is not here: install the package mmdebstrap".to_owned(),
        _ => format!("mmdebstrap ended with {ended}"),
    }
}

/// Copies standard error to the log, and calls `told` for each line, until the tool closes it.
async fn keep(words: ChildStderr, log: &Path, told: &(dyn Fn(&str) + Sync)) -> std::io::Result<()> {
    let mut file = File::create(log)?;
    let mut lines = BufReader::new(words).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        told(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_processes_that_are_known_to_be_dead_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let (this, (dead, unseen)) = (ProcessOwner::this(), ProcessOwner::dead_and_unseen());
        let at = |owner: ProcessOwner| place.path().join(format!("{ROOTS}{owner}"));
        for owner in [this, dead, unseen] {
            fs::create_dir_all(at(owner).join("usr")).unwrap();
        }
        sweep(place.path()).unwrap();
        assert_eq!([this, dead, unseen].map(|owner| at(owner).exists()), [true, false, true]);
    }

    #[test]
    fn another_content_is_another_tag() {
        let recipe = |packages: &[&str], suite: &str| DebianRecipe {
            name: "synthd/base".to_owned(),
            suite: suite.to_owned(),
            packages: packages.iter().map(|p| (*p).to_owned()).collect(),
            mirror: None,
        };
        let base = recipe(&["git", "python3"], "bookworm").reference();
        assert_eq!(base, recipe(&["git", "python3"], "bookworm").reference());
        assert_ne!(base, recipe(&["git"], "bookworm").reference());
        assert_ne!(base, recipe(&["git", "python3"], "trixie").reference());
        assert!(base.starts_with("synthd/base:") && base.len() == "synthd/base:".len() + 12);
    }
}

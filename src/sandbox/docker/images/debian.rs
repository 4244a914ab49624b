//! Images of Debian packages: a root made by mmdebstrap and imported, without a registry.

use super::{DockerImages, MADE_HERE, last_lines, tag_of};
use crate::sandbox::docker::engine_faults::{fault, refused};
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

/// Directories with roots that are being made.
const ROOTS: &str = "root-of-";
/// How often its removal is tried, and how soon again.
const PATIENCE: u32 = 100;
const AGAIN: Duration = Duration::from_millis(20);
/// For the engine's answer to an import, which comes when the whole root has: a mirror may be
/// slow, and the builder is a person who can stop it.
const IMPORT: Duration = Duration::from_secs(24 * 60 * 60);
/// What `setpriv` and `unshare` end with where the program after them is missing.
const NOT_FOUND: i32 = 127;

/// What an image of packages is made of.
#[derive(Clone, Debug)]
pub struct DebianRecipe {
    pub name: String,
    pub suite: String,
    /// In order, each once.
    pub packages: Vec<String>,
    pub mirror: Option<String>,
}

impl DebianRecipe {
    pub fn text(&self) -> String {
        let mirror = self.mirror.as_deref().unwrap_or("default");
        format!("debian {} from {mirror}: {}", self.suite, self.packages.join(","))
    }

    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, tag_of(&Sha256::digest(self.text())))
    }
}

/// Where a root is made, which is gone when the build is over, however it ends.
///
/// Root's mmdebstrap mounts file systems into it: it has a view of mounts and processes of its
/// own, which ends with this process, so that nothing stays mounted or goes on. Another
/// user's makes itself one, and cleans up after itself where it is asked to end.
struct BuildDirectory(Option<PathBuf>);

impl BuildDirectory {
    fn make(beside: &Path) -> io::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        sweep(beside)?;
        let path = beside.join(format!("{ROOTS}{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(Some(path)))
    }

    fn tool(&self) -> Command {
        let mut tool = Command::new("setpriv");
        match &self.0 {
            None => tool.args(["--pdeathsig", "TERM", "mmdebstrap"]),
            Some(path) => tool
                .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"])
                .args(["--kill-child", "--mount-proc", "mmdebstrap"])
                .env("TMPDIR", path),
        };
        // When it fails it signals its whole process group, which must not be ours.
        tool.process_group(0);
        tool
    }
}

/// The tool's process group, which is asked to end when nobody waits for it any more. An
/// interrupt at the terminal reaches it in no other way.
struct ToolProcessGroup(Option<Pid>);

impl Drop for ToolProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Gone already where it has ended.
            killpg(group, Signal::SIGTERM).ok();
        }
    }
}

impl Drop for BuildDirectory {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        // What was killed may still be writing there for a moment.
        for _ in 0..PATIENCE {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(AGAIN),
                _ => return,
            }
        }
        tracing::warn!(path = %path.display(), "left for the next build to remove");
    }
}

/// Removes what processes that are no more were making.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(ROOTS));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl DockerImages {
    pub(super) async fn build_debian(
        &self,
        recipe: &DebianRecipe,
        log: &Path,
        told: &dyn Fn(&str),
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
        // Its number may be somebody else's from now on.
        group.0 = None;
        if !ended.success() {
            // The engine has taken what came for a whole root.
            let options = None::<RemoveImageOptions>;
            self.docker.remove_image(&recipe.reference(), options, None).await.ok();
            if let Some(fault) =
                imported.err().filter(|f| f.kind.policy().backend == BackendSign::Down)
            {
                // It ended because nobody read on.
                return Err(fault);
            }
            return Err(refused(format!("{}:\n{}", why_ended(ended), last_lines(log))));
        }
        imported
    }

    async fn import(
        &self,
        recipe: &DebianRecipe,
        root: ReaderStream<ChildStdout>,
    ) -> Result<(), Fault> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            // The tag with the name: so both Docker and Podman take it.
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

fn why_ended(ended: ExitStatus) -> String {
    match ended.code() {
        Some(NOT_FOUND) => "mmdebstrap is not here: install the package mmdebstrap".to_owned(),
        _ => format!("mmdebstrap ended with {ended}"),
    }
}

async fn keep(words: ChildStderr, log: &Path, told: &dyn Fn(&str)) -> std::io::Result<()> {
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

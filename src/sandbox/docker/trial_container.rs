//! Runs one script in an ordinary container: as root if the image says so, with a root that can be
//! written, as tasks of others expect it. No agent acts there: it is for proofs of such tasks, and for the
//! tests that run over what an agent has left. It has no network, and limits of memory and processes.
//!
//! ```text
//!  create ─► lay files ─► start ─► ended by itself, or killed ─► files read, or kept as an image
//!     └─────────┴───────────┴── fault ──────────┴──────────────────► removed
//! ```
//! The script is the first process of the container. When it has ended, no process is left. What it
//! has changed can be kept as an image, from which the next container is made. What it writes into a
//! volume is not kept, so the caller must refuse images that declare some ([`TrialImage::volumes`]).
//!
//! A caller that gives up in the middle, for example at an interrupt, drops its future and calls
//! [`TrialContainers::end_all`]: a container goes on without its client.

use super::connection::{DockerAddress, DockerConnection};
use super::container_remover::now;
use super::engine_faults::{fault, refused, with_timeout};
use super::images::MADE_HERE;
use super::kept_image::KEPT_BY;
use super::owner::{ContainerOwner, DEADLINE, OWNER};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{
    ContainerConfig, ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions,
};
use bollard::query_parameters::{
    CommitContainerOptions, CreateContainerOptions, DownloadFromContainerOptions,
    KillContainerOptions, ListContainersOptions, RemoveContainerOptions, RemoveImageOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::io::{self, Read};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synthd_actors::model::Fault;
use tokio::time::timeout;

/// Processes of a container.
const PROCESSES: i64 = 1_024;
/// The most bytes of a file that is read from a container.
const MAX_FILE: usize = 1 << 20;
/// Seconds that a container may live beyond the time of its script, before another synthd takes it
/// for abandoned.
const SPARE_SECONDS: u64 = 60 * 60;
/// The longest time that a script may take: thirty days.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The label of images that are kept between two containers. `synthd image prune` removes them.
const KEPT: &str = "a kept trial";

/// A script to be run, and where.
#[derive(Clone, Debug)]
pub struct TrialRun<'a> {
    /// The name or the id of the image.
    pub image: &'a str,
    /// None: the user and the directory of the image.
    pub user: Option<&'a str>,
    pub directory: Option<&'a str>,
    /// `NAME=value`.
    pub variables: Vec<String>,
    /// Lines for `sh`.
    pub script: &'a str,
    /// A tar archive that is laid at the root before the start.
    pub files: Vec<u8>,
    /// Directories that begin empty, whatever the image has there. They are not kept.
    pub fresh: &'a [&'a str],
    pub memory_bytes: u64,
    /// None: the engine's default.
    pub runtime: Option<&'a str>,
    /// At most thirty days.
    pub timeout: Duration,
}

impl TrialRun<'_> {
    fn longest(&self) -> Duration {
        self.timeout.min(LONGEST)
    }
}

/// A container whose script has ended. It is there until [`TrialContainers::remove`].
#[derive(Debug)]
pub struct EndedTrial {
    id: String,
    /// None: its time was up, and it was killed.
    pub exit_code: Option<i64>,
}

/// What is to be known of an image before scripts run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialImage {
    /// Its user. An image that names none means root.
    pub user: String,
    /// The paths of the volumes that it declares, sorted.
    pub volumes: Vec<String>,
}

/// A file of an ended container, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialFile {
    pub content: Vec<u8>,
    /// Whether this is all of it.
    pub is_whole: bool,
}

/// Runs scripts in containers of one engine.
pub struct TrialContainers {
    /// The client, and the SSH forward if there is one.
    reach: DockerConnection,
    owner: ContainerOwner,
    /// The images that are kept now, in the order in which they were made.
    kept: Mutex<Vec<String>>,
}

impl TrialContainers {
    /// Connects to the container engine that the environment names.
    pub async fn connect() -> Result<Self, Fault> {
        let reach = DockerConnection::new(&DockerAddress::from_environment()).await?;
        let (reach, owner) = (reach.negotiated().await?, ContainerOwner::this());
        Ok(Self { reach, owner, kept: Mutex::default() })
    }

    fn docker(&self) -> &Docker {
        &self.reach.docker
    }

    /// Looks an image up.
    pub async fn image(&self, image: &str) -> Result<TrialImage, Fault> {
        let doing = format!("find image {image}");
        let found = with_timeout(&doing, self.docker().inspect_image(image)).await?;
        let config = found.config.unwrap_or_default();
        let user = config.user.filter(|user| !user.is_empty());
        let mut volumes = config.volumes.unwrap_or_default();
        volumes.sort_unstable();
        Ok(TrialImage { user: user.unwrap_or_else(|| "0:0".to_owned()), volumes })
    }

    /// Runs a script to its end. A script that fails is no fault.
    pub async fn run(&self, run: &TrialRun<'_>) -> Result<EndedTrial, Fault> {
        let created =
            self.docker().create_container(None::<CreateContainerOptions>, self.request(run));
        let id = with_timeout("create a container", created).await?.id;
        match self.begin_and_wait(&id, run).await {
            Ok(exit_code) => Ok(EndedTrial { id, exit_code }),
            Err(fault) => {
                self.remove_id(&id).await;
                Err(fault)
            }
        }
    }

    /// The request for the container.
    fn request(&self, run: &TrialRun<'_>) -> ContainerCreateBody {
        let lifetime = run.longest().as_secs().saturating_add(SPARE_SECONDS);
        ContainerCreateBody {
            image: Some(run.image.to_owned()),
            user: run.user.map(str::to_owned),
            working_dir: run.directory.map(str::to_owned),
            env: Some(run.variables.clone()),
            entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), run.script.to_owned()]),
            cmd: Some(Vec::new()),
            network_disabled: Some(true),
            labels: Some(HashMap::from([
                (OWNER.to_owned(), self.owner.label()),
                (DEADLINE.to_owned(), now().saturating_add(lifetime).to_string()),
            ])),
            host_config: Some(host(run)),
            ..Default::default()
        }
    }

    /// Lays the files, starts the script and waits for its end. None: its time was up.
    async fn begin_and_wait(&self, id: &str, run: &TrialRun<'_>) -> Result<Option<i64>, Fault> {
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let files = bollard::body_full(run.files.clone().into());
        let sent = self.docker().upload_to_container(id, Some(options), files);
        with_timeout("lay files into a container", sent).await?;
        with_timeout("start a container", self.docker().start_container(id, None)).await?;
        match timeout(run.longest(), self.end_of(id)).await {
            Ok(ended) => ended.map(Some),
            Err(_) => {
                let options = None::<KillContainerOptions>;
                let killed = self.docker().kill_container(id, options);
                // It may have ended in this moment.
                with_timeout("end a container", killed).await.ok();
                with_timeout("wait for a container", self.ended(id)).await?;
                Ok(None)
            }
        }
    }

    /// The exit code of the script.
    async fn end_of(&self, id: &str) -> Result<i64, Fault> {
        let ended = self.ended(id).await;
        ended.map_err(|error| fault("wait for a container", &error))
    }

    async fn ended(&self, id: &str) -> Result<i64, Error> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ends = Box::pin(self.docker().wait_container(id, Some(options)));
        match ends.next().await {
            Some(Ok(end)) => Ok(end.status_code),
            // The client takes a script that fails for an error.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error),
            None => Err(Error::IOError { err: io::Error::other("the engine says nothing") }),
        }
    }

    /// A file of an ended container, at most a mebibyte of it; no more than two are read, however long
    /// it is. None if there is no such file. What is no regular file is refused.
    pub async fn file(&self, ended: &EndedTrial, path: &str) -> Result<Option<TrialFile>, Fault> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let download = self.docker().download_from_container(&ended.id, Some(options));
        let found = async {
            match read_up_to(2 * MAX_FILE, download).await {
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
                other => other.map(Some),
            }
        };
        let archive = with_timeout("read a file of a container", found).await?;
        let Some(archive) = archive else { return Ok(None) };
        first_file(&archive).map_err(|error| refused(format!("read {path}: {error}")))
    }

    /// Keeps what an ended container has as an image, and returns its id.
    pub async fn keep(&self, ended: &EndedTrial) -> Result<String, Fault> {
        let options =
            CommitContainerOptions { container: Some(ended.id.clone()), ..Default::default() };
        let config = ContainerConfig { labels: Some(kept_labels()), ..Default::default() };
        let kept = self.docker().commit_container(options, config);
        let id = with_timeout("keep a container", kept).await?.id;
        self.kept().push(id.clone());
        Ok(id)
    }

    /// The images that are kept now. A panic under the lock leaves the list whole.
    fn kept(&self) -> MutexGuard<'_, Vec<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends and removes every container of this process, and removes the images that are still kept.
    /// Nobody may wait for a container any more.
    pub async fn end_all(&self) {
        let label = format!("{OWNER}={}", self.owner.label());
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = self.docker().list_containers(Some(options));
        match with_timeout("list containers", listed).await {
            Ok(found) => {
                for id in found.into_iter().filter_map(|container| container.id) {
                    self.remove_id(&id).await;
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "containers stay until another synthd sweeps them")
            }
        }
        let kept = self.kept().clone();
        // The newest first: an image that another one is made from cannot be removed.
        for image in kept.iter().rev() {
            self.remove_image(image).await;
        }
    }

    /// Removes an ended container.
    pub async fn remove(&self, ended: EndedTrial) {
        self.remove_id(&ended.id).await;
    }

    async fn remove_id(&self, id: &str) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let removed = self.docker().remove_container(id, Some(options));
        if let Err(fault) = with_timeout("remove a container", removed).await {
            // It is swept when its owner is dead.
            tracing::warn!(container = id, %fault, "a container stays");
        }
    }

    /// Removes an image that was kept. The images that it is made from stay, also if they have
    /// no name.
    pub async fn remove_image(&self, id: &str) {
        let options = RemoveImageOptions { force: true, noprune: true, ..Default::default() };
        let removed = self.docker().remove_image(id, Some(options), None);
        self.kept().retain(|kept| kept != id);
        if let Err(fault) = with_timeout("remove an image", removed).await {
            tracing::warn!(image = id, %fault, "an image stays; `synthd image prune` removes it");
        }
    }
}

/// The labels of a kept image. Those of its container say whose that was; an image is swept by a label
/// of its own.
fn kept_labels() -> HashMap<String, String> {
    let owner = ContainerOwner::this().label();
    [(MADE_HERE, KEPT), (KEPT_BY, owner.as_str()), (OWNER, ""), (DEADLINE, "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The part of the request about isolation and limits.
fn host(run: &TrialRun<'_>) -> HostConfig {
    let memory = i64::try_from(run.memory_bytes).unwrap_or(i64::MAX);
    HostConfig {
        privileged: Some(false),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        memory: Some(memory),
        // The sum of memory and swap. Equal values mean no swap.
        memory_swap: Some(memory),
        runtime: run.runtime.map(str::to_owned),
        pids_limit: Some(PROCESSES),
        network_mode: Some("none".to_owned()),
        // Kept output would fill the disk of the host.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        oom_score_adj: Some(500),
        mounts: Some(run.fresh.iter().map(|path| fresh(path)).collect()),
        ..Default::default()
    }
}

/// A volume without a name and without what the image has there. It is removed with the container.
fn fresh(path: &str) -> Mount {
    let options = MountVolumeOptions { no_copy: Some(true), ..Default::default() };
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some(path.to_owned()),
        volume_options: Some(options),
        ..Default::default()
    }
}

/// The beginning of a stream, at most so many bytes. The rest is not asked for.
async fn read_up_to(
    most: usize,
    stream: impl Stream<Item = Result<Bytes, Error>>,
) -> Result<Vec<u8>, Error> {
    let mut stream = pin!(stream);
    let mut read = Vec::new();
    while let Some(bytes) = stream.next().await {
        read.extend_from_slice(&bytes?);
        if read.len() >= most {
            read.truncate(most);
            break;
        }
    }
    Ok(read)
}

/// The first entry of a tar archive that may be cut off. It must be a regular file.
fn first_file(archive: &[u8]) -> io::Result<Option<TrialFile>> {
    let mut archive = tar::Archive::new(archive);
    let Some(entry) = archive.entries()?.next() else { return Ok(None) };
    let entry = entry?;
    if !entry.header().entry_type().is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    let (size, mut content) = (entry.size(), Vec::new());
    entry.take(MAX_FILE as u64).read_to_end(&mut content)?;
    let is_whole = content.len() as u64 == size;
    Ok(Some(TrialFile { content, is_whole }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::repeat_with;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn the_first_file_of_an_archive_is_read_as_far_as_allowed() {
        let two = archive(&[("a", &b"one"[..]), ("b", &b"two"[..])]);
        let one = TrialFile { content: b"one".to_vec(), is_whole: true };
        assert_eq!(first_file(&two).unwrap(), Some(one));
        assert_eq!(first_file(&archive(&[])).unwrap(), None);
        let content = vec![b'x'; 2 * MAX_FILE];
        let large = archive(&[("a", content.as_slice())]);
        let cut = first_file(&large[..large.len() / 2 + 4_096]).unwrap().unwrap();
        assert_eq!((cut.content.len(), cut.is_whole), (MAX_FILE, false));
    }

    /// Tests may write a file that never ends to be read.
    #[tokio::test]
    async fn a_stream_is_read_no_further_than_allowed() {
        let endless = || repeat_with(|| Ok::<_, Error>(Bytes::from_static(&[b'x'; 1_000])));
        assert_eq!(read_up_to(2_500, endless()).await.unwrap().len(), 2_500);
        let short = endless().take(2);
        assert_eq!(read_up_to(2_500, short).await.unwrap().len(), 2_000);
        let broken = endless().take(1).chain(repeat_with(|| {
            Err::<Bytes, _>(Error::IOError { err: io::Error::other("it is gone") })
        }));
        assert!(read_up_to(2_500, broken).await.is_err());
    }

    /// A directory of this name may have other files.
    #[test]
    fn what_begins_with_a_directory_is_no_file() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o755);
        archive.append_data(&mut header, "reward.txt", io::empty()).unwrap();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(1);
        archive.append_data(&mut header, "reward.txt/a", &b"1"[..]).unwrap();
        assert!(first_file(&archive.into_inner().unwrap()).is_err());
    }

    #[test]
    fn a_kept_image_has_no_owner() {
        let labels = kept_labels();
        assert_eq!(labels[MADE_HERE], KEPT);
        assert_eq!((labels[OWNER].as_str(), labels[DEADLINE].as_str()), ("", ""));
        assert_eq!(ContainerOwner::of(&labels), None);
    }

    #[test]
    fn a_container_of_a_trial_is_bounded_and_has_no_network() {
        let run = TrialRun {
            image: "a",
            user: None,
            directory: None,
            variables: Vec::new(),
            script: "exit 0",
            files: Vec::new(),
            fresh: &["/tests"],
            memory_bytes: 64 << 20,
            runtime: Some("runsc"),
            timeout: Duration::MAX,
        };
        assert_eq!(run.longest(), LONGEST);
        let host = host(&run);
        assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
        assert_eq!(host.network_mode.as_deref(), Some("none"));
        assert_eq!(host.runtime.as_deref(), Some("runsc"));
        assert_eq!((host.pids_limit, host.privileged), (Some(PROCESSES), Some(false)));
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].target.as_deref(), Some("/tests"));
        assert_eq!(mounts[0].source, None, "a volume without a name goes with the container");
    }
}
